"""measure: where the time of a call goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fpgaclass.card
from fpgaclass.card import measure
from fpgaclass.core import InvalidInputError

pynq = pytest.importorskip("pynq")


@pytest.fixture(scope="module")
def overlay(standin: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The summing kernel on the active device."""
    target: Path = tmp_path_factory.mktemp("overlays") / "sum.xclbin"
    fpgaclass.card.write_xclbin(target, standin.sum_design(), banks=standin.BANKS, link=standin.LINK)
    return pynq.Overlay(str(target))


def test_a_virtual_card_is_split_and_labelled(overlay: Any) -> None:
    """Students compare these parts: each must be what its label says, by formula or by cycles."""
    measured = measure(overlay, batch_sizes=(4096, 16), repeats=3)
    assert [timing.events for timing in measured.timings] == [16, 4096]
    assert measured.sources == {"host": "measured", "link": "modelled", "kernel": "simulated"}
    assert measured.clock_mhz == 200
    for timing in measured.timings:
        assert timing.kernel_cycles is not None
        assert timing.kernel_s == pytest.approx(timing.kernel_cycles / 200e6)
        size = timing.events * 64
        link = 2 * 10e-6 + 5e-6 + size / 12e9 + timing.events * 2 / 12e9
        assert timing.link_s == pytest.approx(link)
        assert 0 < timing.host_s < 0.1
    assert 4096 < (measured.timings[1].kernel_cycles or 0) < 4396


def test_the_host_is_not_charged_for_the_simulation(overlay: Any) -> None:
    """A simulated kernel takes longer here than on a card; that time is nobody's."""
    import time

    started = time.perf_counter()
    measured = measure(overlay, batch_sizes=(65536,), repeats=3)
    wall = (time.perf_counter() - started) / 4
    assert measured.timings[0].host_s < 0.5 * wall


def test_both_hosts_are_measured(overlay: Any) -> None:
    """One call gives the overhead of Python: the same calls from C++, with the same answers and clocks."""
    measured = measure(overlay, batch_sizes=(1, 512), repeats=3, site="here")
    assert [timing.events for timing in measured.cpp] == [1, 512]
    assert measured.cpp_note == "C++ host: the same predictions of 512 events"
    for python, cpp in zip(measured.timings, measured.cpp, strict=True):
        assert python.kernel_cycles == cpp.kernel_cycles
        assert python.link_s == pytest.approx(cpp.link_s)
        assert measured.python_over_cpp[python.events] > 1
    assert measured.site == "here"
    assert len(measured.design) == 16


def test_a_board_is_measured_through_its_dma(standin: Any, tmp_path: Path) -> None:
    """On a Zynq board there is no call: a DMA sends and receives, and the time is split all the same."""
    bank = fpgaclass.card.Bank("PSDDR", 0x10000000, 1 << 28, "DDR4")
    link = fpgaclass.card.Link("AXI DMA", 4e8, 4e8, 10e-6, 0.2e-6, 0.0)
    path = fpgaclass.card.write_bit(tmp_path / "s.bit", standin.stream_design(), banks=[bank], link=link)
    board = pynq.Overlay(str(path), device=fpgaclass.card.VirtualZynq(8))
    measured = measure(board, batch_sizes=(1, 100), repeats=2)
    assert measured.sources == {"host": "measured", "link": "modelled", "kernel": "simulated"}
    assert [timing.events for timing in measured.timings] == [1, 100]
    for timing in measured.timings:
        assert timing.kernel_s == pytest.approx((timing.kernel_cycles or 0) / (measured.clock_mhz * 1e6))
        assert timing.kernel_cycles
    assert measured.timings[0].kernel_cycles < measured.timings[1].kernel_cycles
    assert "board" in measured.cpp_note
    assert measured.predictions is not None
    data = np.arange(100 * 32, dtype=np.int16).reshape(100, 32)
    other = measure(board.axi_dma_0, data=data, batch_sizes=(100,), repeats=1).predictions
    assert other is not None
    expected = standin.expected(data.view(np.uint8).ravel(), out_bytes=2 * other.words).view(np.int16)
    assert np.array_equal(other.kept().ravel(), expected)


def test_predictions_travel_with_the_figures(overlay: Any, standin: Any) -> None:
    """Sites are compared by them, so they must be those of the events that went in."""
    data = np.arange(100 * 32, dtype=np.int16).reshape(100, 32)
    predictions = measure(overlay, data=data, batch_sizes=(100,), repeats=1, cpp=False).predictions
    assert predictions is not None
    expected = standin.expected(data.view(np.uint8).ravel()).view(np.int16).reshape(-1, 1)
    assert np.array_equal(predictions.kept(), expected)


def test_figures_of_python_remain_without_a_compiler(overlay: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table says why there is no C++ in it, instead of failing."""
    from fpgaclass.card.xrt import cpp_host
    from fpgaclass.core import ToolMissingError

    def none() -> None:
        raise ToolMissingError("no C++ compiler on this machine")

    monkeypatch.setattr(cpp_host, "find_compiler", none)
    measured = measure(overlay, batch_sizes=(4,), repeats=1)
    assert measured.cpp == ()
    assert "no C++ compiler" in str(measured)


def test_own_data_and_a_single_unit(overlay: Any) -> None:
    """The user's events go in, repeated as needed."""
    data = np.ones((10, 32), np.int16)
    measured = measure(overlay.krnl_rtl_1, data=data, batch_sizes=[25], repeats=1)
    assert measured.timings[0].events == 25


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_sizes": ()}, {"batch_sizes": (0,)}, {"batch_sizes": (1.5,)}, {"batch_sizes": (10**12,)},
        {"repeats": 0}, {"data": np.zeros((3, 5))}, {"data": "abc"}, {"site": "a\nb"},
    ],
)  # fmt: skip
def test_wrong_requests_are_refused(overlay: Any, wrong: dict[str, Any]) -> None:
    """A table of zeros would look like a result."""
    with pytest.raises(InvalidInputError):
        measure(overlay, **wrong)


def test_what_is_no_kernel_is_refused() -> None:
    """The message must say what measure takes."""
    with pytest.raises(InvalidInputError, match="overlay"):
        measure("muon.xclbin")


def test_an_unknown_slot_is_asked_for(standin: Any, tmp_path: Path) -> None:
    """A kernel from elsewhere does not say how long its events are."""
    import dataclasses

    design = dataclasses.replace(standin.sum_design(), about={})
    path = fpgaclass.card.write_xclbin(tmp_path / "s.xclbin", design, banks=standin.BANKS, link=standin.LINK)
    other = pynq.Overlay(str(path), device=fpgaclass.card.VirtualCard(5))
    with pytest.raises(InvalidInputError, match="words_in=") as error:
        measure(other)
    assert "words_in" in str(error.value)
    measured = measure(other, words_in=32, words_out=1, batch_sizes=(4,), repeats=1)
    assert measured.device.startswith("virtual5")


class _RealUnit:
    """A kernel of a card that keeps no timeline, as real ones do: its device and its call."""

    def __init__(self, unit: Any) -> None:
        self._unit = unit
        self._fullpath = unit._fullpath
        self.args, self.call = unit.args, unit.call

    @property
    def device(self) -> Any:
        device = self._unit.device

        class Real:
            tag, name = "xrt0", "u250"
            parser = device.parser
            get_memory_by_name = staticmethod(device.get_memory_by_name)

        return Real()


def test_a_real_card_is_measured_throughout(overlay: Any) -> None:
    """Without a timeline nothing may be called simulated or modelled, and the parts add up to wall time."""
    measured = measure(
        _RealUnit(overlay.krnl_rtl_1), words_in=32, words_out=1, dtype="int16", batch_sizes=(64,), repeats=2
    )
    assert set(measured.sources.values()) == {"measured"}
    assert measured.timings[0].kernel_cycles is None
    assert measured.timings[0].kernel_s > 0
