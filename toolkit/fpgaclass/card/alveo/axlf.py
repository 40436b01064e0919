"""The xclbin container (axlf, "xclbin2"): a header, a table of sections, the sections.

Field layouts are those of ``xclbin.h`` of the Xilinx runtime; sections are kept as bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from fpgaclass.core import CardError

BITSTREAM = 0
EMBEDDED_METADATA = 2
MEM_TOPOLOGY = 6
CONNECTIVITY = 7
IP_LAYOUT = 8
CLOCK_FREQ_TOPOLOGY = 11
BUILD_METADATA = 14
USER_METADATA = 16

_MAGIC = b"xclbin2\0"
_TOP = struct.Struct("<8si28s256sQ")
_HEADER = struct.Struct("<QQQHBBHH16s64s16s16sI4x")
_SECTION = struct.Struct("<I16s4xQQ")
_TABLE = _TOP.size + _HEADER.size
_MOST_SECTIONS = 64


@dataclass(frozen=True)
class Section:
    """One section: its kind (``axlf_section_kind``), its name, its bytes."""

    kind: int
    name: str
    data: bytes


@dataclass(frozen=True)
class Container:
    """A parsed xclbin.

    Attributes:
        platform: vendor, board, name and version, such as ``"xilinx:u250:virtual:1.0"``.
        sections: in the order of the table.
        last_at: offset of the last section's bytes.
    """

    platform: str
    sections: tuple[Section, ...]
    last_at: int

    def find(self, kind: int) -> bytes | None:
        """Return the bytes of the first section of a kind."""
        return next((section.data for section in self.sections if section.kind == kind), None)


def text_field(text: str, size: int) -> bytes:
    """Return text as a zero-ended field of that many bytes."""
    data = text.encode()
    if len(data) >= size:
        raise CardError(f"{text!r} does not fit a field of {size} bytes of an xclbin")
    return data.ljust(size, b"\0")


def pack(platform: str, uuid: bytes, sections: Sequence[Section]) -> bytes:
    """Return an xclbin; times are zero, so that the same input gives the same bytes."""
    start = -(-(_TABLE + _SECTION.size * len(sections)) // 8) * 8
    table, body = b"", b""
    for section in sections:
        name = text_field(section.name, 16)
        table += _SECTION.pack(section.kind, name, start + len(body), len(section.data))
        body += section.data + bytes(-len(section.data) % 8)
    top = _TOP.pack(_MAGIC, -1, b"\xff" * 28, b"\xff" * 256, 0)
    header = _HEADER.pack(
        start + len(body),
        0,
        0,
        0,
        2,
        13,
        0,
        0,
        bytes(16),
        text_field(platform, 64),
        uuid,
        bytes(16),
        len(sections),
    )
    return (top + header + table).ljust(start, b"\0") + body


def parse(data: bytes, where: str) -> Container:
    """Read an xclbin and check that every section lies inside it.

    Raises:
        CardError: it is something else, or cut short, or its table points outside.
    """
    if data[: len(_MAGIC)] != _MAGIC:
        raise CardError("this is not an xclbin: its first bytes are not 'xclbin2'", where=where)
    if len(data) < _TABLE:
        raise _corrupt("it ends within its header", where)
    length, *_, platform, _uuid, _debug, count = _HEADER.unpack_from(data, _TOP.size)
    if length != len(data):
        raise _corrupt(f"it has {len(data):,} bytes and its header says {length:,}", where)
    if not 0 < count <= _MOST_SECTIONS or _TABLE + count * _SECTION.size > len(data):
        raise _corrupt(f"its header says {count} sections", where)
    sections = []
    offset = 0
    for i in range(count):
        kind, name, offset, size = _SECTION.unpack_from(data, _TABLE + i * _SECTION.size)
        if offset + size > len(data):
            raise _corrupt(f"section {i} (kind {kind}) points beyond its end", where)
        sections.append(Section(kind, _text(name), data[offset : offset + size]))
    return Container(_text(platform), tuple(sections), offset)


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("ascii", "replace")


def _corrupt(why: str, where: str) -> CardError:
    return CardError(
        f"the xclbin is cut short or corrupt: {why}", where=where, next_step="build or copy it again"
    )
