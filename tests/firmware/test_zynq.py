"""Firmware for Zynq boards: bit and hwh, through pynq's DMA driver and hls4ml's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import read_design
from fpgaclass.firmware import Firmware, build

pynq = pytest.importorskip("pynq")


@pytest.fixture(scope="module")
def firmware(quantised_model: Any) -> Firmware:
    """The small model for a PYNQ-Z2."""
    return build(quantised_model, board="pynq-z2")


def test_every_stage_agrees_through_the_dma(firmware: Firmware) -> None:
    """The promise for a board is the one for a card: 0 mismatches on 20,000 events."""
    agreement = dict(firmware.manifest.agreement)
    assert agreement.pop("events") == 20_000
    assert "Verilated kernel" in agreement
    assert set(agreement.values()) == {0}
    assert Path(firmware.path).with_suffix(".hwh").is_file()
    assert read_design(firmware.path).design.interface == "stream"
    assert firmware.report.shell.lut > 0


def test_the_overlay_predicts(firmware: Firmware, events: Any) -> None:
    """The walk of a lab on a board: the same files, buffers and conversions, a DMA in place of a call."""
    overlay = pynq.Overlay(firmware.path)
    x = pynq.allocate((len(events), firmware.inputs.slot_words), firmware.inputs.dtype)
    y = pynq.allocate((len(events), firmware.outputs.slot_words), firmware.outputs.dtype)
    x[:] = firmware.encode(events)
    overlay.axi_dma_0.sendchannel.transfer(x)
    overlay.axi_dma_0.recvchannel.transfer(y)
    overlay.axi_dma_0.sendchannel.wait()
    overlay.axi_dma_0.recvchannel.wait()
    assert (firmware.decode(y) == firmware.predict(events)).all()


def test_hls4mls_own_driver_runs_unmodified(firmware: Firmware, events: Any) -> None:
    """The driver that hls4ml 1.3 generates for its Zynq boards is what users of hls4ml already have."""
    spec = importlib.util.find_spec("hls4ml")
    assert spec is not None
    folder = Path(str(spec.origin)).parent / "templates/vivado_accelerator/pynq-z2/python_drivers"
    module_spec = importlib.util.spec_from_file_location("z2_driver", folder / "axi_stream_driver.py")
    assert module_spec is not None
    assert module_spec.loader is not None
    driver = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(driver)
    n, inputs, outputs = len(events), firmware.inputs, firmware.outputs
    network = driver.NeuralNetworkOverlay(
        firmware.path, (n, inputs.slot_words), (n, outputs.slot_words), dtype=inputs.dtype
    )
    result, _, rate = network.predict(events, profile=True, encode=firmware.encode, decode=firmware.decode)
    assert (result == firmware.predict(events)).all()
    assert rate > 0


@pytest.mark.slow
@pytest.mark.parametrize("board", ["kv260", pytest.param("zcu102", marks=pytest.mark.proof)])
def test_other_boards_load_too(quantised_model: Any, events: Any, board: str) -> None:
    """UltraScale+ boards have another processing system, other addresses and other clocks."""
    firmware = build(quantised_model, board=board)
    assert dict(firmware.manifest.agreement)["Verilated kernel"] == 0
    overlay = pynq.Overlay(firmware.path)
    assert overlay.clock_dict[0]["frequency"] == 200
    x = pynq.allocate((100, firmware.inputs.slot_words), firmware.inputs.dtype)
    y = pynq.allocate((100, firmware.outputs.slot_words), firmware.outputs.dtype)
    x[:] = firmware.encode(events[:100])
    overlay.hier_0.axi_dma_0.sendchannel.transfer(x)
    overlay.hier_0.axi_dma_0.recvchannel.transfer(y)
    overlay.hier_0.axi_dma_0.recvchannel.wait()
    assert (firmware.decode(np.array(y)) == firmware.predict(events[:100])).all()
