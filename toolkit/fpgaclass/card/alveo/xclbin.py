"""Virtual xclbins: what ``pynq.Overlay`` opens, with RTL where a bitstream would be.

pynq (and AMD's own runtime) parse them as any other; only the platform's name and a mark in the user metadata
say that they hold no silicon. The mark carries a digest of all that comes before it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fpgaclass.card.alveo import axlf, sections
from fpgaclass.card.design import Bank, KernelDesign, Link
from fpgaclass.card.payload import pack_design, parse_json, to_json, unpack_design, write_whole
from fpgaclass.core import CardError, InvalidInputError, WrongCardError, digest_of

_MARK = "fpgaclass virtual xclbin 1"


class VirtualXclbin(NamedTuple):
    """What a virtual xclbin holds."""

    design: KernelDesign
    link: Link
    banks: tuple[Bank, ...]
    platform: str


def write_xclbin(
    path: str | Path,
    design: KernelDesign,
    *,
    banks: Sequence[Bank],
    link: Link,
    platform: str = "xilinx:u250:virtual:1.0",
    part: str = "virtexuplus:xcu250:figd2104:-2L:e",
) -> Path:
    """Write a kernel as an xclbin for virtual cards.

    The file appears whole or not at all, and the same input gives the same bytes.

    Args:
        path: where to; its folder must exist.
        design: the kernel; its pointer arguments name banks of ``banks``.
        banks: of the card, in its order.
        link: constants of the modelled link.
        platform: ``vendor:board:virtual:version``; ``virtual`` is what tells it from a real one.
        part: of the FPGA that it stands for.

    Returns:
        The path.

    Raises:
        InvalidInputError: a bank that does not exist, or a platform that is not marked as virtual.

    Example:
        >>> write_xclbin("muon.xclbin", design, banks=banks, link=link)  # doctest: +SKIP
        PosixPath('muon.xclbin')
    """
    path = Path(path)
    if len(platform.split(":")) != 4 or platform.split(":")[2] != "virtual":
        raise InvalidInputError(f"platform {platform!r} is not of the form vendor:board:virtual:version")
    if design.interface != "memory":
        raise InvalidInputError(f"kernel {design.name} has streams, which an Alveo card has no DMA for")
    tags = [bank.tag for bank in banks]
    for argument in design.arguments:
        if argument.bank is not None and argument.bank not in tags:
            raise InvalidInputError(f"argument {argument.name} is in bank {argument.bank}, not one of {tags}")
    payload = pack_design(design, banks, link)
    parts = [
        axlf.Section(axlf.BITSTREAM, "virtual", payload),
        axlf.Section(axlf.EMBEDDED_METADATA, "xml", sections.metadata(design, platform, part)),
        axlf.Section(axlf.MEM_TOPOLOGY, "mem_topology", sections.memories(design, banks)),
        axlf.Section(axlf.IP_LAYOUT, "ip_layout", sections.instances(design)),
        axlf.Section(axlf.CONNECTIVITY, "connectivity", sections.connections(design, tags)),
        axlf.Section(axlf.CLOCK_FREQ_TOPOLOGY, "clocks", sections.clocks(design)),
        axlf.Section(axlf.BUILD_METADATA, "build", to_json({"build_metadata": {"packaged_by": _MARK}})),
    ]
    uuid = bytes.fromhex(digest_of(platform, part, payload))[:16]
    unsealed = axlf.pack(platform, uuid, [*parts, _seal("0" * 64)])
    digest = digest_of(unsealed[: axlf.parse(unsealed, str(path)).last_at])
    write_whole(path, axlf.pack(platform, uuid, [*parts, _seal(digest)]))
    return path


def read_design(path: str | Path) -> VirtualXclbin:
    """Read a virtual xclbin back.

    Raises:
        WrongCardError: it is for a real card.
        CardError: there is no such file, it is not an xclbin, or it is cut short or corrupt.
    """
    where = str(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise CardError(f"the xclbin cannot be read: {error.strerror}", where=where) from error
    container = axlf.parse(data, where)
    seal = parse_json(container.find(axlf.USER_METADATA))
    if seal.get("mark") != _MARK:
        if ":virtual:" in container.platform:
            raise _corrupt("its mark is missing", where)
        raise WrongCardError(
            f"this xclbin is for a real card ({container.platform or 'unnamed'}), and this card is virtual",
            where=where,
            next_step="load it where such a card is, or build it again with toolchain='open'",
        )
    if seal.get("sha256") != digest_of(data[: container.last_at]):
        raise _corrupt("its digest does not match", where)
    payload = container.find(axlf.BITSTREAM)
    try:
        return VirtualXclbin(*unpack_design(payload or b""), container.platform)
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise _corrupt(f"its kernel cannot be read ({error})", where) from error


def _corrupt(why: str, where: str) -> CardError:
    return CardError(f"the virtual xclbin is corrupt: {why}", where=where, next_step="build or copy it again")


def _seal(digest: str) -> axlf.Section:
    return axlf.Section(axlf.USER_METADATA, "fpgaclass", to_json({"mark": _MARK, "sha256": digest}))
