"""Virtual bit files for Zynq boards: what ``pynq.Overlay`` opens, with RTL where a bitstream would be.

The header is a Vivado bit file's. The data hold a mark, a digest of the rest and of the handoff (hwh) beside
the file, and the packed kernel. No configuration logic takes them for a bitstream: they have no sync word.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fpgaclass.card.design import Bank, KernelDesign, Link
from fpgaclass.card.payload import pack_design, unpack_design, write_whole
from fpgaclass.card.zynq.hwh import write_hwh
from fpgaclass.core import CardError, InvalidInputError, WrongCardError, digest_of

MARK = b"fpgaclass virtual bit file 1\n\n\n\n"  # of 32 bytes
_MAGIC = bytes.fromhex("0009 0ff00ff00ff00ff000 0001")
_FIELDS = b"abcd"
_DIGEST = 64
_BEATS = (4, 8)


class VirtualBit(NamedTuple):
    """What a virtual bit file holds."""

    design: KernelDesign
    link: Link
    banks: tuple[Bank, ...]
    part: str


def write_bit(
    path: str | Path,
    design: KernelDesign,
    *,
    banks: Sequence[Bank],
    link: Link,
    platform: str = "tul:pynq-z2:virtual:1.0",
    part: str = "xc7z020clg400-1",
) -> Path:
    """Write a kernel as a bit file and a hardware handoff (hwh) beside it, for virtual Zynq boards.

    Both files appear whole or not at all, and the same input gives the same bytes.

    Args:
        path: where to, ending in ``.bit``; its folder must exist.
        design: a kernel with streams; ``about["beat_bytes"]`` is the DMA's width, 4 or 8 bytes.
        banks: the board's memory, one.
        link: constants of the modelled DMA set-up and register accesses.
        platform: ``vendor:board:virtual:version``.
        part: of the FPGA that it stands for.

    Returns:
        The path of the bit file.

    Raises:
        InvalidInputError: a kernel without streams, a part that is no Zynq, or a wrong name.

    Example:
        >>> write_bit("muon.bit", design, banks=banks, link=link)  # doctest: +SKIP
        PosixPath('muon.bit')
    """
    path = Path(path)
    if path.suffix != ".bit":
        raise InvalidInputError(f"{path.name} does not end in .bit")
    if len(platform.split(":")) != 4 or platform.split(":")[2] != "virtual":
        raise InvalidInputError(f"platform {platform!r} is not of the form vendor:board:virtual:version")
    if design.interface != "stream" or design.about.get("beat_bytes") not in _BEATS:
        raise InvalidInputError(f"kernel {design.name} has no streams of 4 or 8 bytes for a DMA to feed")
    if len(banks) != 1:
        raise InvalidInputError(f"a Zynq board has one memory, not {len(banks)} banks")
    handoff = write_hwh(design, platform, part)
    packed = pack_design(design, banks, link)
    packed += bytes(-len(packed) % 4)
    size = len(MARK) + _DIGEST + len(packed)
    header = _header(f"{design.name};Platform={platform}", part) + struct.pack(">I", size)
    write_whole(path.with_suffix(".hwh"), handoff)
    write_whole(path, header + MARK + digest_of(header, packed, handoff).encode() + packed)
    return path


def read_bit(path: str | Path) -> VirtualBit:
    """Read a virtual bit file and check the handoff beside it.

    Raises:
        WrongCardError: it is for a real board.
        CardError: a file is missing, or cut short, or corrupt, or the two do not belong together.
    """
    path = Path(path)
    whole = _read(path)
    part, data = _parse(whole, str(path))
    if not data.startswith(MARK):
        raise WrongCardError(
            f"this bit file is for a real board (part {part}), and this board is virtual",
            where=str(path),
            next_step="load it where such a board is, or build it again with toolchain='open'",
        )
    handoff = _read(path.with_suffix(".hwh"))
    body = len(MARK) + _DIGEST
    header = whole[: len(whole) - len(data)]
    if data[len(MARK) : body] != digest_of(header, data[body:], handoff).encode():
        raise _corrupt("it and the .hwh beside it are not as they were written", str(path))
    try:
        return VirtualBit(*unpack_design(data[body:]), part)
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise _corrupt(f"its kernel cannot be read ({error})", str(path)) from error


def refuse_virtual(path: str | Path) -> None:
    """Raise if a file is one of ours; called before a real board is given it.

    Raises:
        WrongCardError: it holds RTL for a virtual board.
    """
    if MARK in Path(path).read_bytes()[:4096]:
        raise WrongCardError(
            "this bit file holds RTL for a virtual board, not a bitstream, and this board is real",
            where=str(path),
            next_step="build it for this board with toolchain='vitis', where the vendor's tools are",
        )


def _header(design: str, part: str) -> bytes:
    # Of no date: the file's bytes must not tell the time.
    texts = (design, part, "1980/01/01", "00:00:00")
    fields = b"".join(
        bytes([key]) + struct.pack(">H", len(text) + 1) + text.encode() + b"\0"
        for key, text in zip(_FIELDS, texts, strict=True)
    )
    return _MAGIC + fields + b"e"


def _parse(data: bytes, where: str) -> tuple[str, bytes]:
    """Return a bit file's part and data."""
    if data[:13] != _MAGIC:
        raise CardError("this is not a bit file", where=where, next_step="give the .bit that was built")
    at, texts = 13, []
    for key in _FIELDS:
        size = int.from_bytes(data[at + 1 : at + 3], "big")
        if data[at : at + 1] != bytes([key]) or at + 3 + size > len(data):
            raise _corrupt("its header is damaged", where)
        texts.append(data[at + 3 : at + 3 + size].rstrip(b"\0"))
        at += 3 + size
    if data[at : at + 1] != b"e" or len(data) != at + 5 + int.from_bytes(data[at + 1 : at + 5], "big"):
        raise _corrupt("it is cut short, or longer than it says", where)
    return texts[1].decode(errors="replace"), data[at + 5 :]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        next_step = "keep .bit and .hwh together, under one name" if path.suffix == ".hwh" else None
        what = f"the {path.suffix[1:]} file cannot be read: {error.strerror}"
        raise CardError(what, where=str(path), next_step=next_step) from error


def _corrupt(why: str, where: str) -> CardError:
    return CardError(
        f"the bit file is corrupt: {why}", where=where, next_step="build or copy both files again"
    )
