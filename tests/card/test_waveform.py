"""Waveforms of a call: the same call, written down clock by clock, read back and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fpgaclass.card
from fpgaclass.card import Waveform, trace
from fpgaclass.core import BusError, InvalidInputError

pynq = pytest.importorskip("pynq")
pytest.importorskip("vcd")
EVENTS = 70


@pytest.fixture(scope="module")
def overlay(standin: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The summing kernel on a card of its own."""
    path = tmp_path_factory.mktemp("overlays") / "sum.xclbin"
    fpgaclass.card.write_xclbin(path, standin.sum_design(), banks=standin.BANKS, link=standin.LINK)
    return pynq.Overlay(str(path), device=fpgaclass.card.VirtualCard(11))


@pytest.fixture(scope="module")
def call(overlay: Any) -> tuple[Any, ...]:
    """The arguments of a call."""
    x = pynq.allocate((EVENTS, 32), np.int16, target=overlay.bank0)
    y = pynq.allocate((EVENTS,), np.int16, target=overlay.bank0)
    x[:] = np.arange(EVENTS * 32).reshape(EVENTS, 32)
    x.sync_to_device()
    return x, y, x.size, y.size


@pytest.fixture(scope="module")
def wave(overlay: Any, call: tuple[Any, ...], tmp_path_factory: pytest.TempPathFactory) -> Waveform:
    """A traced call."""
    return trace(overlay.krnl_rtl_1, *call, path=tmp_path_factory.mktemp("waves") / "call.vcd")


def test_a_traced_call_gives_the_results_of_a_call(wave: Waveform, call: Any, standin: Any) -> None:
    """What is drawn must be what happens, or it teaches nothing."""
    x, y, *_ = call
    y.sync_from_device()
    assert wave.path.is_file()
    assert np.array_equal(y.view(np.uint8), standin.expected(np.array(x).view(np.uint8).ravel()))


def test_the_picture_counts_the_clocks_of_the_call(wave: Waveform, overlay: Any, call: Any) -> None:
    """From ap_start to ap_done there are exactly as many periods as `call` says cycles."""
    before = overlay.device.timeline.totals
    overlay.krnl_rtl_1.call(*call)
    cycles = overlay.device.timeline.totals.since(before).kernel_cycles
    start, done = wave.find("ap_start"), wave.find("ap_done")
    began = next(time for time, value in zip(start.times, start.values, strict=True) if value)
    ended = next(time for time, value in zip(done.times, done.values, strict=True) if value)
    assert (ended - began) * 200e6 == pytest.approx(cycles, abs=1e-3)


def test_every_beat_is_there(wave: Waveform) -> None:
    """Handshakes are counted from the file alone: one beat of 64 bytes an event."""
    period = 1 / 200e6
    valid, ready = wave.find("m_axi_gmem_RVALID"), wave.find("m_axi_gmem_RREADY")
    moments = np.arange(int(wave.end / period)) * period + period / 4
    assert sum(1 for time in moments if valid.at(time) and ready.at(time)) == EVENTS
    address = wave.find("m_axi_gmem_ARADDR")
    assert {hex(value) for value in address.values if value} == {"0x4000000000", "0x4000001000"}


def test_signals_inside_the_shell_are_there(wave: Waveform) -> None:
    """To see why it waits one looks inside, not only at the ports."""
    assert wave.find("kernel.reader.open_bursts").width > 1
    assert max(value or 0 for value in wave.find("reader.open_bursts").values) >= 1


def test_the_plot_has_an_axis_units_and_words(wave: Waveform) -> None:
    """Rows by name, time in microseconds of simulated time, and a description."""
    figure = wave.plot()
    axes = figure.axes[0]
    assert "simulated" in axes.get_xlabel()
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows[:2] == ["ap_start", "ap_done"]
    assert "ap_done goes high 1 times" in figure.alt_text
    assert wave._repr_mimebundle_()["text/plain"] == figure.alt_text
    part = wave.plot(["ap_start", "reader.left"], first_s=0.2e-6, last_s=0.3e-6)
    assert part.axes[0].get_xlim() == pytest.approx((0.2, 0.3))


def test_what_cannot_be_drawn_is_said(wave: Waveform) -> None:
    """A name is easily mistyped: the message has the ones that are close."""
    with pytest.raises(InvalidInputError, match=r"kernel\.reader\.arvalid"):
        wave.find("arvaldi")
    with pytest.raises(InvalidInputError, match="between"):
        wave.plot(first_s=1.0, last_s=0.5)


def test_a_run_that_fails_leaves_its_waveforms(overlay: Any, call: Any, tmp_path: Path) -> None:
    """Those are the ones that one wants to see."""
    x, y, *_ = call
    with pytest.raises(BusError) as error:
        trace(overlay.krnl_rtl_1, x, y, x.size * 1000, y.size * 1000, path=tmp_path / "bad.vcd")
    assert "bad.vcd" in error.value.__notes__[0]
    assert Waveform.read(tmp_path / "bad.vcd").find("ap_start").values[-1] == 1


@pytest.mark.parametrize("args", [(), (1,), (1, 2, 3, 4, 5), (np.zeros(4), 1, 1, 1), ("x", 1, 1, 1)])
def test_wrong_arguments_are_refused(overlay: Any, args: tuple[Any, ...]) -> None:
    """As `call` would."""
    with pytest.raises(InvalidInputError, match="fit"):
        trace(overlay.krnl_rtl_1, *args)


def test_only_kernels_of_virtual_cards_have_waveforms(overlay: Any) -> None:
    """A real card has no signals to show."""
    for wrong in (overlay, "krnl_rtl_1", None):
        with pytest.raises(InvalidInputError, match="virtual"):
            trace(wrong)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"$timescale 1 ps $end", b"\xff\xfe$var", b"$scope module a $end #1 1!"]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    """In one line, with the file's name."""
    (tmp_path / "x.vcd").write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"x\.vcd"):
        Waveform.read(tmp_path / "x.vcd")
    with pytest.raises(InvalidInputError, match="missing"):
        Waveform.read(tmp_path / "missing.vcd")


def test_a_file_of_another_tool_is_read(tmp_path: Path) -> None:
    """A vendor's simulator has x and z, and other units of time."""
    (tmp_path / "x.vcd").write_text(
        "$timescale 1 ns $end $scope module top $end $var reg 4 ! word $end $var wire 1 # bit $end "
        "$upscope $end $enddefinitions $end\n#0\nbxxxx !\nz#\n#10\nb101 !\n1#\n#20\n0#\n"
    )
    wave = Waveform.read(tmp_path / "x.vcd")
    assert wave.find("word").values == (None, 5)
    assert wave.find("bit").values == (None, 1, 0)
    assert wave.end == pytest.approx(20e-9)
    assert "word" in wave.plot().alt_text
