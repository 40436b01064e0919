"""Cards behind AMD's pyxrt, with pynq's own calls: against a module with the bindings' documented manners."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import fpgaclass.card
from fpgaclass.core import BusError, CardError, WrongCardError, load_file

pynq = pytest.importorskip("pynq")


@pytest.fixture(scope="module")
def pyxrt() -> Iterator[ModuleType]:
    """The stand-in, as ``import pyxrt`` finds it."""
    if importlib.util.find_spec("pyxrt") is not None:
        pytest.skip("this machine has the real pyxrt")
    yield load_file("pyxrt", Path(__file__).with_name("pyxrt_standin.py"))
    del sys.modules["pyxrt"]


@pytest.fixture(scope="module")
def path(standin: Any, pyxrt: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An xclbin of a real platform, by its name, with two compute units."""
    folder = tmp_path_factory.mktemp("overlays")
    design = standin.sum_design(instances=2)
    virtual = fpgaclass.card.write_xclbin(folder / "v.xclbin", design, banks=standin.BANKS, link=standin.LINK)
    real = folder / "u55c.xclbin"
    real.write_bytes(virtual.read_bytes().replace(b":virtual:", b":xdma_gen:"[:9]))
    pyxrt.DESIGNS[str(real)] = design
    return real


@pytest.fixture
def overlay(path: Path, pyxrt: ModuleType) -> Any:  # noqa: ARG001
    """The overlay on the first card of pyxrt."""
    from fpgaclass.card.xrt.pyxrt_card import PyxrtCard

    return pynq.Overlay(str(path), device=PyxrtCard._probe_()[0])


def _buffers(overlay: Any, count: int = 100) -> tuple[Any, Any]:
    x = pynq.allocate((count, 32), np.int16, target=overlay.bank0)
    y = pynq.allocate((count,), np.int16, target=overlay.device)
    x[:] = np.random.default_rng(3).integers(-900, 900, x.shape)
    x.sync_to_device()
    return x, y


def _sums(standin: Any, x: Any) -> np.ndarray:
    made: np.ndarray = standin.expected(np.array(x).view(np.uint8).ravel())
    return made.view(np.int16)


def test_the_calls_of_a_notebook_work_unchanged(overlay: Any, standin: Any) -> None:
    """Overlay, allocate, sync, signature, call: nothing in a notebook knows which way it goes."""
    assert "fifo_in" in str(overlay.krnl_rtl_1.signature)
    assert overlay.device.name == "xilinx_u55c_gen3x16_xdma_base_3"
    x, y = _buffers(overlay)
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    assert not np.array_equal(y, _sums(standin, x)), "not before it is fetched"
    y.sync_from_device()
    assert np.array_equal(y, _sums(standin, x))


def test_runs_overlap_on_two_units(overlay: Any, standin: Any) -> None:
    """start() returns at once, wait() and wait_async() end the run."""
    pairs = [_buffers(overlay) for _ in range(3)]
    units = (overlay.krnl_rtl_1, overlay.krnl_rtl_2, overlay.krnl_rtl_1)
    handles = [unit.start(x, y, x.size, y.size) for unit, (x, y) in zip(units, pairs, strict=True)]
    handles[0].wait()
    handles[1].wait()
    asyncio.run(handles[2].wait_async())
    assert all(handle.done for handle in handles)
    for x, y in pairs:
        y.sync_from_device()
        assert np.array_equal(y, _sums(standin, x))


def test_a_run_may_wait_for_another(overlay: Any, standin: Any) -> None:
    """waitfor= is part of pynq's interface."""
    x, y = _buffers(overlay)
    first = overlay.krnl_rtl_1.start(x, y, x.size, y.size)
    overlay.krnl_rtl_2.start(x, y, x.size, y.size, waitfor=(first,)).wait()
    y.sync_from_device()
    assert np.array_equal(y, _sums(standin, x))


def test_the_register_map_starts_a_run(overlay: Any, standin: Any) -> None:
    """pyxrt shows no registers; what a notebook does with them works on a copy."""
    x, y = _buffers(overlay)
    registers = overlay.krnl_rtl_1.register_map
    assert registers.CTRL.AP_IDLE == 1
    registers.fifo_in, registers.fifo_out = x.device_address, y.device_address
    registers.length_r_in, registers.length_r_out = x.size, y.size
    assert int(registers.length_r_in) == x.size
    registers.CTRL.AP_START = 1
    while not registers.CTRL.AP_DONE:
        pass
    assert registers.CTRL.AP_IDLE == 1
    y.sync_from_device()
    assert np.array_equal(y, _sums(standin, x))


def test_parts_of_buffers(overlay: Any, standin: Any) -> None:
    """A slice that starts on a page is a sub-buffer of the runtime."""
    x, y = _buffers(overlay, 256)
    part = x[64:]
    overlay.krnl_rtl_1.call(part, y, part.size, 192)
    y.sync_from_device()
    assert np.array_equal(y[:192], _sums(standin, x)[64:])
    x[0, 0] = 77
    x[:1].sync_to_device()


def test_buffers_are_given_back(overlay: Any) -> None:
    """A notebook that allocates in a loop must not fill the card."""
    before = len(overlay.device._buffers)
    for _ in range(50):
        x, y = _buffers(overlay, 4)
        del x, y
    assert len(overlay.device._buffers) == before


def test_what_goes_wrong_is_said(overlay: Any, path: Path, tmp_path: Path) -> None:
    """A wrong pointer, a run that fails, a file that the card refuses, an xclbin of a virtual card."""
    x, y = _buffers(overlay)
    del y
    stale = pynq.allocate((4,), np.int16, target=overlay.bank0)
    stale.freebuffer()
    with pytest.raises(BusError, match="no buffer"):
        overlay.krnl_rtl_1.call(x, stale, x.size, 4)
    y = pynq.allocate((4,), np.int16, target=overlay.bank0)
    with pytest.raises(CardError, match="ERT_CMD_STATE_ERROR"):
        overlay.krnl_rtl_1.call(x, y, x.size * 1000, 100_000_000)
    (tmp_path / "other.xclbin").write_bytes(path.read_bytes())
    with pytest.raises(CardError, match="Invalid argument"):
        pynq.Overlay(str(tmp_path / "other.xclbin"), device=overlay.device)
    with pytest.raises(WrongCardError, match="real"):
        pynq.Overlay(str(path.with_name("v.xclbin")), device=overlay.device)


def test_measure_takes_it_for_a_real_card(overlay: Any) -> None:
    """All wall time, nothing modelled."""
    measured = fpgaclass.card.measure(
        overlay, words_in=32, words_out=1, dtype="int16", batch_sizes=(1, 64), repeats=2, cpp=False
    )
    assert set(measured.sources.values()) == {"measured"}
    assert fpgaclass.card.kind_of(overlay.device) == "real"
    assert "bank0" in fpgaclass.card.show(overlay).alt_text


def test_it_is_there_only_where_it_is_needed(pyxrt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """pynq's own way comes first, unless one asks for the other."""
    from fpgaclass.card.xrt.pyxrt_card import PyxrtCard

    monkeypatch.setattr(pyxrt, "CARDS", 2)
    assert [card.tag for card in PyxrtCard._probe_()] == ["pyxrt0", "pyxrt1"]
    monkeypatch.setenv("FPGACLASS_PYXRT", "0")
    assert PyxrtCard._probe_() == []
    monkeypatch.delenv("FPGACLASS_PYXRT")
    monkeypatch.setitem(sys.modules, "pyxrt", None)
    assert PyxrtCard._probe_() == []
