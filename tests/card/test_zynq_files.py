"""Bit files and hardware handoffs for virtual boards: what pynq's own parsers see in them."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.card import Bank, Link, read_design, write_bit, write_xclbin
from fpgaclass.core import CardError, InvalidInputError, WrongCardError

LINK = Link("AXI DMA", 4e8, 4e8, 10e-6, 0.2e-6, 0.0)
BANK = Bank("PSDDR", 0x10000000, 1 << 28, "DDR4")
ULTRASCALE = {"platform": "xilinx:kv260:virtual:1.0", "part": "xck26-sfvc784-2LV-c"}


def _write(folder: Path, design: Any, **others: Any) -> Path:
    return write_bit(folder / "kernel.bit", design, **{"banks": [BANK], "link": LINK, **others})


def _parsed(path: Path) -> Any:
    pytest.importorskip("pynq")
    from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
    from pynqmetadata.frontends import Metadata

    return RuntimeMetadataParser(Metadata(input=path.with_suffix(".hwh")))


def test_what_is_written_is_read(standin: Any, tmp_path: Path) -> None:
    """The kernel must come back as it was, and the bytes must not depend on when they were written."""
    design = standin.stream_design(instances=3)
    path = _write(tmp_path, design)
    first = path.read_bytes(), path.with_suffix(".hwh").read_bytes()
    again = read_design(path)
    assert again.design == design
    assert (again.link, again.banks) == (LINK, (BANK,))
    _write(tmp_path, design)
    assert (path.read_bytes(), path.with_suffix(".hwh").read_bytes()) == first


def test_pynq_reads_the_header(standin: Any, tmp_path: Path) -> None:
    """The header is that of Vivado's bit files; tools that only look at it must not stumble."""
    pytest.importorskip("pynq")
    from pynq.pl_server.embedded_device import bit2bin, parse_bit_header

    data = _write(tmp_path, standin.stream_design()).read_bytes()
    header = parse_bit_header(data)
    assert (header["design"], header["part"]) == ("krnl_stream", "xc7z020clg400-1")
    assert "virtual" in header["version"]
    assert b"\x66\x55\x99\xaa" not in bit2bin(data), "the sync word of a bitstream"


@pytest.mark.parametrize(
    ("others", "processor", "dma"),
    [({}, "processing_system7_0", 0x40400000), (ULTRASCALE, "zynq_ultra_ps_e_0", 0xA0000000)],
)
def test_pynq_reads_the_handoff(
    standin: Any, tmp_path: Path, others: dict[str, str], processor: str, dma: int
) -> None:
    """Names, addresses, registers, parameters and interrupts: all that pynq's drivers build on."""
    parser = _parsed(_write(tmp_path, standin.stream_design(instances=2, beat=8), **others))
    assert parser.ps_name == processor
    assert set(parser.hierarchy_dict) == {"hier_0", "hier_1"}
    entry = parser.ip_dict["hier_1/axi_dma_0"]
    assert entry["type"] == "xilinx.com:ip:axi_dma:7.1"
    assert (entry["phys_addr"], entry["addr_range"]) == (dma + 0x10000, 0x10000)
    assert entry["parameters"]["c_sg_length_width"] == "26"
    assert entry["parameters"]["c_m_axi_mm2s_data_width"] == "64"
    assert entry["registers"]["S2MM_DMASR"]["address_offset"] == 0x34
    assert entry["registers"]["S2MM_DMASR"]["fields"]["IOC_Irq"]["bit_offset"] == 12
    assert {name: pin["index"] for name, pin in entry["interrupts"].items()} == {
        "mm2s_introut": 2,
        "s2mm_introut": 3,
    }
    assert parser.ip_dict["hier_0/krnl_stream_0"]["registers"]["events"]["address_offset"] == 0x10
    assert list(parser.interrupt_controllers) == ["axi_intc_0"]


def test_the_handoff_travels_as_json(standin: Any, tmp_path: Path) -> None:
    """pynqmetadata exports and imports designs; a handoff that is not whole would not survive it."""
    pytest.importorskip("pynq")
    from pynqmetadata.frontends import Metadata

    path = _write(tmp_path, standin.stream_design())
    exported = tmp_path / "design.json"
    first = Metadata(input=path.with_suffix(".hwh"))
    first.export(str(exported))
    again = Metadata(input=exported)
    assert set(again.blocks) == set(first.blocks)


def test_a_real_bit_file_is_refused(standin: Any, tmp_path: Path) -> None:
    """The line must say that the file is for a real board, not that it is corrupt."""
    path = _write(tmp_path, standin.stream_design())
    ours = path.read_bytes()
    real = ours[: ours.index(b"fpgaclass virtual bit") - 4]
    stream = b"\xff" * 32 + bytes.fromhex("aa995566") + bytes(1000)
    path.write_bytes(real + struct.pack(">I", len(stream)) + stream)
    with pytest.raises(WrongCardError, match=r"for a real board \(part xc7z020clg400-1\)"):
        read_design(path)
    path.write_bytes(b"not a bit file")
    with pytest.raises(CardError, match="not a bit file"):
        read_design(path)
    path.write_bytes(ours)
    path.with_suffix(".hwh").unlink()
    with pytest.raises(CardError, match="hwh file cannot be read"):
        read_design(path)


def test_a_real_board_refuses_ours(standin: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """pynq on a board reads the file for its configuration logic: there our line must come first."""
    pytest.importorskip("pynq")
    from pynq.pl_server import embedded_device

    from fpgaclass.card.zynq import guard

    monkeypatch.setattr(embedded_device, "_bitstream_handlers", dict(embedded_device._bitstream_handlers))
    path = _write(tmp_path, standin.stream_design())
    for _ in range(2):
        guard.ensure_guarded()
    with pytest.raises(WrongCardError, match="this board is real"):
        embedded_device._get_bitstream_handler(str(path)).get_bin_data()
    real = tmp_path / "real.bit"
    ours = path.read_bytes()
    real.write_bytes(ours[: ours.index(b"fpgaclass virtual bit") - 4] + struct.pack(">I", 8) + bytes(8))
    assert embedded_device._get_bitstream_handler(str(real)).get_bin_data() == bytes(8)


def test_what_cannot_be_written_is_refused(standin: Any, tmp_path: Path) -> None:
    """Each refusal comes before a file appears."""
    design = standin.stream_design()
    wrong = [
        {"part": "xcu250-figd2104-2L-e"},
        {"platform": "tul:pynq-z2:real:1.0"},
        {"banks": [BANK, BANK]},
    ]
    for others in wrong:
        with pytest.raises(InvalidInputError):
            _write(tmp_path, design, **others)
    with pytest.raises(InvalidInputError, match="no streams"):
        _write(tmp_path, standin.sum_design())
    with pytest.raises(InvalidInputError, match="streams of 4 or 8"):
        _write(tmp_path, dataclasses.replace(design, about={"beat_bytes": 16}))
    with pytest.raises(InvalidInputError, match=r"\.bit"):
        write_bit(tmp_path / "kernel.bin", design, banks=[BANK], link=LINK)
    with pytest.raises(InvalidInputError, match="has streams"):
        write_xclbin(tmp_path / "kernel.xclbin", design, banks=standin.BANKS, link=standin.LINK)
    assert not list(tmp_path.iterdir())
