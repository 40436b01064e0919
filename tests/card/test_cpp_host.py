"""The C++ host: the same events, the same bits, on our headers and on AMD's runtime."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import write_xclbin
from fpgaclass.card.xrt.cpp_host import build_host, find_xrt, run_host
from fpgaclass.core import CardError, HungKernelError, InvalidInputError, ToolMissingError


@pytest.fixture(scope="module")
def path(standin: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The summing kernel with two compute units."""
    target = tmp_path_factory.mktemp("overlays") / "sum.xclbin"
    return write_xclbin(target, standin.sum_design(instances=2), banks=standin.BANKS, link=standin.LINK)


@pytest.fixture
def noop(monkeypatch: pytest.MonkeyPatch) -> None:
    """AMD's runtime without a card: loads xclbins, binds arguments, completes runs and computes nothing."""
    try:
        find_xrt()
    except ToolMissingError as missing:
        pytest.skip(str(missing))
    monkeypatch.setenv("XCL_EMULATION_MODE", "noop")


def _events(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(-2000, 2000, (count, 32)).astype(np.int16)


def _sums(standin: Any, events: np.ndarray) -> np.ndarray:
    made: np.ndarray = standin.expected(np.ascontiguousarray(events).view(np.uint8).ravel())
    return made.view(np.int16).reshape(-1, 1)


def _both_hosts(path: Path, events: np.ndarray) -> tuple[np.ndarray, int, np.ndarray, int]:
    pynq = pytest.importorskip("pynq")
    import fpgaclass.card

    overlay = pynq.Overlay(str(path), device=fpgaclass.card.VirtualCard(6))
    x = pynq.allocate(events.shape, np.int16, target=overlay.bank0)
    y = pynq.allocate((len(events), 1), np.int16, target=overlay.bank0)
    x[:] = events
    x.sync_to_device()
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    y.sync_from_device()
    ran = run_host(path, events, words_out=1)
    cycles = ran.calls[0].kernel_cycles
    assert cycles is not None
    return np.array(y), overlay.device.timeline.totals.kernel_cycles, ran.results, cycles


def test_both_hosts_give_the_same_bits_and_cycles(path: Path, standin: Any) -> None:
    """The course compares the two hosts: only their own time may differ."""
    events = _events(5000)
    python, python_cycles, cpp, cpp_cycles = _both_hosts(path, events)
    assert np.array_equal(python, cpp)
    assert np.array_equal(cpp, _sums(standin, events))
    assert python_cycles == cpp_cycles


@pytest.mark.proof
def test_a_hundred_thousand_events_give_the_same_bits(path: Path) -> None:
    """The claim of the documentation, at its size."""
    python, python_cycles, cpp, cpp_cycles = _both_hosts(path, _events(100_000))
    assert np.array_equal(python, cpp)
    assert python_cycles == cpp_cycles


def test_batches_are_timed_and_split(path: Path, standin: Any) -> None:
    """Host measured, link by the formula of the model, kernel by its clocks: as `measure` says for Python."""
    ran = run_host(path, _events(256), words_out=1, batches=(1, 256), repeats=3)
    assert [call.events for call in ran.calls] == [1, 1, 1, 256, 256, 256]
    assert np.array_equal(ran.results, _sums(standin, _events(256)))
    for call in ran.calls:
        link = standin.LINK
        moved = call.events * 64 / link.h2d_bytes_per_s + call.events * 2 / link.d2h_bytes_per_s
        assert call.link_s == pytest.approx(2 * link.dma_setup_s + link.launch_s + moved)
        assert call.kernel_s == pytest.approx((call.kernel_cycles or 0) / 200e6)
        assert 0 < call.host_s < 0.1


def _moody(standin: Any, folder: Path, words: int) -> None:
    """Run the moody kernel on one event of that many words, which is what tells it how to behave."""
    path = write_xclbin(folder / "m.xclbin", standin.moody_design(), banks=standin.BANKS, link=standin.LINK)
    run_host(path, np.zeros((1, words), np.int32), words_out=1)


def test_a_hung_kernel_ends_the_host_with_its_state(
    standin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A C++ program that never ends is harder to understand than a notebook that does not."""
    monkeypatch.setenv("FPGACLASS_WATCHDOG", "50")
    with pytest.raises(HungKernelError, match=r"hangs.*state 8"):
        _moody(standin, tmp_path, 100)


@pytest.mark.parametrize(("mode", "message"), [("CROSSING", "4 KB"), ("FATAL", r"moody\.sv")])
def test_what_breaks_a_kernel_ends_the_host(standin: Any, tmp_path: Path, mode: str, message: str) -> None:
    """The same faults as from Python, with the same words."""
    with pytest.raises(CardError, match=message):
        _moody(standin, tmp_path, getattr(standin, mode))


def test_an_address_that_nothing_answers_is_named(standin: Any, tmp_path: Path) -> None:
    """Words of one byte, where the kernel takes two: it reads on where no buffer is."""
    path = write_xclbin(tmp_path / "s.xclbin", standin.sum_design(), banks=standin.BANKS, link=standin.LINK)
    with pytest.raises(CardError, match="DECERR"):
        run_host(path, np.zeros((10_000, 32), np.int8), words_out=1)


@pytest.mark.parametrize("damage", ["not one", "cut", "real"])
def test_a_wrong_xclbin_is_refused_by_the_host_itself(path: Path, tmp_path: Path, damage: str) -> None:
    """The program is also used alone, without the checks that Python makes first."""
    data = path.read_bytes()
    changed = {"not one": b"#" + data, "cut": data[:500], "real": data.replace(b":virtual:", b":xdma:::::")}
    (tmp_path / "bad.xclbin").write_bytes(changed[damage])
    (tmp_path / "events").write_bytes(bytes(64))
    words = ["--words-in", "32", "--words-out", "1", "--word", "2"]
    command = [str(build_host()), "bad.xclbin", "krnl_rtl", "events", "results", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("host: ")
    assert len(done.stderr.splitlines()) == 1


def test_wrong_use_is_said(path: Path) -> None:
    """A student builds and calls it by hand."""
    done = subprocess.run([str(build_host()), str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "EVENTS" in done.stderr


def test_events_have_a_shape(path: Path) -> None:
    """A flat array has no events."""
    with pytest.raises(InvalidInputError, match="words_in"):
        run_host(path, np.zeros(64, np.int16), words_out=1)


@pytest.mark.usefixtures("noop")
def test_it_builds_and_loads_on_amds_runtime(path: Path) -> None:
    """One source serves both: compiled against AMD's headers, our xclbin loaded by their code."""
    ran = run_host(path, _events(256), words_out=1, runtime="xrt", batches=(16, 256), repeats=2)
    assert [call.events for call in ran.calls] == [16, 16, 256, 256]
    assert all(call.kernel_cycles is None for call in ran.calls)


@pytest.mark.usefixtures("noop")
def test_amds_runtime_refuses_what_is_not_there(path: Path) -> None:
    """It does look at the file: another kernel's name is an error of its."""
    with pytest.raises(CardError, match="failed"):
        run_host(path, _events(16), words_out=1, runtime="xrt", kernel="other")


def test_without_xrt_the_way_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Most machines have none, and need none."""
    monkeypatch.setenv("XILINX_XRT", str(tmp_path))
    monkeypatch.setattr("fpgaclass.card.xrt.cpp_host._PLACES", (tmp_path,))
    monkeypatch.setattr("fpgaclass.card.xrt.cpp_host._DEBIAN", tmp_path)
    with pytest.raises(ToolMissingError, match="libxrt-dev"):
        find_xrt()


@pytest.mark.proof
@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="ziglang is not installed")
def test_it_builds_with_zig(path: Path, standin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root, the compiler comes from PyPI."""
    monkeypatch.setenv("FPGACLASS_CXX", f"{sys.executable} -m ziglang c++")
    events = _events(500)
    assert np.array_equal(run_host(path, events, words_out=1).results, _sums(standin, events))
