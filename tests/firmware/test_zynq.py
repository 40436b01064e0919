"""Firmware for Zynq boards: bit and hwh, through pynq's DMA driver and hls4ml's own."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import read_design
from fpgaclass.core import load_file
from fpgaclass.firmware import Firmware, build, load_board

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


def test_hls4mls_own_driver_runs_unmodified(firmware: Firmware) -> None:
    """The driver that hls4ml 1.3 generates, used as it says: float32 in, float32 out, nobody converts.

    The events are not rounded to any grid, and some lie beyond the range of the inputs.
    """
    events = np.random.default_rng(5).normal(scale=2, size=(10_000, 6)).astype(np.float32)
    network = _driver().NeuralNetworkOverlay(firmware.path, events.shape, (len(events), 1))
    result, _, rate = network.predict(events, profile=True)
    assert result.dtype == np.float32
    assert (np.array(result) == firmware.predict(events)).all()
    assert firmware.inputs.out_of_range(events) > 0
    assert rate > 0


def test_doubles_are_what_the_model_takes_them_for(firmware: Firmware) -> None:
    """A double just below a step is the step itself as a float32, for the model as for the card."""
    below = np.nextafter(np.full((1, 6), 0.5), 0)
    assert (firmware.encode(below) == 0.5).all()
    assert (firmware.predict(below) == firmware.predict(np.full((1, 6), 0.5))).all()


def _driver() -> Any:
    spec = importlib.util.find_spec("hls4ml")
    assert spec is not None
    folder = Path(str(spec.origin)).parent / "templates/vivado_accelerator/pynq-z2/python_drivers"
    return load_file("z2_driver", folder / "axi_stream_driver.py")


@pytest.mark.proof
@pytest.mark.parametrize(("board", "words"), [("kv260", "fixed"), ("zcu102", "float")])
def test_other_boards_load_too(quantised_model: Any, events: Any, board: str, words: str) -> None:
    """UltraScale+ boards have another processing system, other addresses and other clocks.

    With fixed-point words the same driver takes encode and decode, and the DMA moves fewer bytes.
    """
    firmware = build(quantised_model, board=dataclasses.replace(load_board(board), words=words))
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
    network = _driver().NeuralNetworkOverlay(firmware.path, x.shape, y.shape, dtype=firmware.inputs.dtype)
    result = network.predict(events[:100], encode=firmware.encode, decode=firmware.decode)
    assert (result == firmware.predict(events[:100])).all()
    assert x.itemsize == (4 if words == "float" else 2)
