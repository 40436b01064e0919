"""The picture of an overlay's system."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import fpgaclass.card
from fpgaclass.card import show
from fpgaclass.core import InvalidInputError

pynq = pytest.importorskip("pynq")


def _words(figure: Any) -> str:
    return " ".join(text.get_text() for text in figure.axes[0].texts)


def test_a_card_is_drawn_with_all_its_parts(standin: Any, tmp_path: Path) -> None:
    """Host, link, banks and units, with the names that a notebook uses; the words say the same."""
    design = standin.sum_design(instances=2)
    first, second, *rest = design.arguments
    arguments = (first, dataclasses.replace(second, bank="bank1"), *rest)
    design = dataclasses.replace(design, arguments=arguments)
    path = fpgaclass.card.write_xclbin(tmp_path / "s.xclbin", design, banks=standin.BANKS, link=standin.LINK)
    figure = show(pynq.Overlay(str(path), device=fpgaclass.card.VirtualCard(7)))
    for word in ("host", "PCIe 3.0 x16", "modelled", "bank0", "bank1", "16 GiB", "krnl_rtl_1", "krnl_rtl_2"):
        assert word in _words(figure)
        assert word in figure.alt_text or word in ("16 GiB", "krnl_rtl_2", "host")
    assert "0x800000" in _words(figure)
    assert "200 MHz" in _words(figure)
    assert "krnl_rtl_1 has fifo_in in bank0, fifo_out in bank1." in figure.alt_text
    assert "<img alt=" in figure._repr_mimebundle_()["text/html"]


def test_a_board_is_drawn_with_its_dma(standin: Any, tmp_path: Path) -> None:
    """On a board the DMA is what moves data; it is drawn once, though it has two names."""
    bank = fpgaclass.card.Bank("PSDDR", 0x10000000, 1 << 28, "DDR4")
    link = fpgaclass.card.Link("AXI DMA", 4e8, 4e8, 10e-6, 0.2e-6, 0.0)
    path = fpgaclass.card.write_bit(tmp_path / "s.bit", standin.stream_design(), banks=[bank], link=link)
    figure = show(pynq.Overlay(str(path), device=fpgaclass.card.VirtualZynq(7)))
    assert "mm2s in PSDDR, s2mm in PSDDR" in figure.alt_text
    assert "hier_0/axi_dma_0 streams to and from hier_0/krnl_stream_0." in figure.alt_text
    assert _words(figure).count("axi_dma_0") == 1
    assert "processing_system" not in _words(figure)


def test_many_units_do_not_cross(standin: Any, tmp_path: Path) -> None:
    """In the order of their addresses, not of their names, with level lines to the one bank."""
    design = standin.sum_design(instances=12)
    path = fpgaclass.card.write_xclbin(tmp_path / "s.xclbin", design, banks=standin.BANKS, link=standin.LINK)
    figure = show(pynq.Overlay(str(path), device=fpgaclass.card.VirtualCard(6)))
    spots = [figure.alt_text.index(f"krnl_rtl_{number} has") for number in range(1, 13)]
    assert spots == sorted(spots)
    lines = [
        (text.xyann[1], text.xy[1]) for text in figure.axes[0].texts if getattr(text, "arrowprops", None)
    ]
    assert len(lines) == 2 + 2 * 12
    assert all(start == end for start, end in lines)


def test_what_is_no_overlay_is_refused() -> None:
    """The message says what to give."""
    with pytest.raises(InvalidInputError, match="overlay"):
        show("muon.xclbin")
