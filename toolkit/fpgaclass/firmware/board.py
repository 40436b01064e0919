"""Boards as data: one TOML file each, in ``boards/``."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Collection
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from fpgaclass.card import Bank, Link
from fpgaclass.card.measuring.pcie import pcie_link
from fpgaclass.core import InvalidInputError
from fpgaclass.firmware.nearest import did_you_mean

FORMS = ("alveo", "zynq", "f2", "lattice")
FAMILIES = ("ecp5", "ice40", "xc7", "xcu", "xcup")
_FOLDER = Path(__file__).parent / "boards"


@dataclass(frozen=True)
class Resources:
    """What a device has, or what a design needs: counts of each kind of cell.

    ``lut`` counts the family's own look-up tables (six inputs for Xilinx, four for Lattice), ``bram`` its own
    memory blocks (``Board.bram_kbit``).
    """

    lut: int
    ff: int
    dsp: int
    bram: int


@dataclass(frozen=True)
class Board:
    """A board: its device, memories and link.

    Attributes:
        name: the key used in ``build(board=...)``.
        form: how software reaches it: ``"alveo"`` (PCIe, xclbin), ``"zynq"`` (bit and hwh beside an Arm),
            ``"f2"`` (AWS image) or ``"lattice"`` (a bitstream; no host).
        part: the vendor's part number.
        family: yosys' name of the device family.
        platform: vendor, board, shell and version, as a virtual xclbin or bit file names it.
        vendor: the vendor's name for it: the Vitis platform of a card, the board part of a Zynq board.
        clock_mhz: the kernel's clock, MHz; an estimate until a vendor tool has closed timing.
        adder_level_ns: time taken for one level of LUT and carry chain, ns; an estimate.
        words: what a stream of a Zynq board carries: ``"float"``, as hls4ml's own boards do by default, or
            ``"fixed"``, the core's own integers.
        lut_ratio: look-up tables of this family for one of da4ml's estimate, which are of six inputs.
        bram_kbit: size of one block of memory, kbit.
        resources: what the device has.
        banks: its memories, the first one is the default; none without a host.
        link: the modelled link between host and board, or None without a host.
    """

    name: str
    title: str
    form: str
    part: str
    family: str
    platform: str
    clock_mhz: float
    adder_level_ns: float
    bram_kbit: int
    resources: Resources
    banks: tuple[Bank, ...]
    link: Link | None
    vendor: str = ""
    lut_ratio: float = 1.0
    words: str = "fixed"

    @property
    def levels_per_clock(self) -> int:
        """Adder levels that fit in one clock period (estimate)."""
        return max(1, int(1e3 / self.clock_mhz / self.adder_level_ns))


def board_names() -> list[str]:
    """List the boards that ship with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load_board(board: str | Path | Board) -> Board:
    """Read a board by name (``"u250"``, capitals or not) or from a TOML file of your own.

    Raises:
        InvalidInputError: no such board, or a key is missing or wrong.
    """
    if isinstance(board, Board):
        return board
    if not isinstance(board, (str, Path)):
        raise InvalidInputError(
            f"a {type(board).__name__} is no board", next_step="give a name such as 'u250', or a TOML file"
        )
    own, known = str(board).endswith(".toml"), board_names()
    if not own and str(board).casefold() not in known:
        # "Alveo U250" and the platform's name have the board's in them.
        within = [one for one in known if one in re.split(r"[\s_]+", str(board).casefold())]
        close = did_you_mean(within[0] if len(within) == 1 else board, known)
        raise InvalidInputError(
            f"no board {str(board)!r}",
            where=str(_FOLDER),
            next_step=close or f"use one of {', '.join(known)}, or a TOML file of yours",
        )
    path = Path(board) if own else _FOLDER / f"{str(board).casefold()}.toml"
    if not path.is_file():
        raise InvalidInputError("there is no such board file", where=str(path), next_step="give its path")
    try:
        return _parse(tomllib.loads(path.read_text()))
    except (TypeError, ValueError, OSError) as bad:  # TOML's, Unicode's and ours are of the second
        raise InvalidInputError(
            f"the board file is not right: {getattr(bad, 'what', bad)}",
            where=str(path),
            next_step=f"compare with {_FOLDER / 'u250.toml'}",
        ) from bad


def _parse(data: dict[str, Any]) -> Board:
    rest = {key: value for key, value in data.items() if key not in ("resources", "banks", "link")}
    _check_keys(data, Board, "the file", {"banks", "link"})
    _check_keys(data["resources"], Resources, "[resources]")
    for bank in data.get("banks", ()):
        _check_keys(bank, Bank, "[[banks]]")
    resources = Resources(**data["resources"])
    banks = tuple(Bank(**bank) for bank in data.get("banks", ()))
    link = _link(data["link"]) if "link" in data else None
    data = rest
    if data["form"] not in FORMS:
        raise TypeError(f"form {data['form']!r} is not one of {', '.join(FORMS)}")
    if data.get("words", "fixed") not in (("fixed", "float") if data["form"] == "zynq" else ("fixed",)):
        raise TypeError("words are 'fixed', or 'float' on a board of form 'zynq'")
    if data["form"] != "lattice" and not (banks and link):
        raise TypeError(f"a board of form {data['form']!r} has banks and a link")
    if data["form"] == "alveo" and not data.get("vendor"):
        raise TypeError("a board of form 'alveo' has a Vitis platform, `vendor`")
    board = Board(**data, resources=resources, banks=banks, link=link)
    _check_numbers(board)
    return board


def _check_keys(data: Any, kind: type[Any], where: str, may_lack: Collection[str] = ()) -> None:
    """Refuse a key that is not known, or one that is missing, before a class does in Python's words."""
    if not isinstance(data, dict):
        raise TypeError(f"{where} is {data!r}, no table")
    known = {one.name: one.default is MISSING and one.name not in may_lack for one in fields(kind)}
    for key in data:
        if key not in known:
            raise TypeError(f"{where} has a key {key!r}: {did_you_mean(key, known) or 'there is none such'}")
    for name, needed in known.items():
        if needed and name not in data:
            raise TypeError(f"{where} has no {name!r}")


def _check_numbers(board: Board) -> None:
    """Refuse what would only fail in the middle of a build, as a division by zero or a board too small."""
    if board.family not in FAMILIES:
        raise TypeError(f"family {board.family!r} is not one of {', '.join(FAMILIES)}")
    for name in ("clock_mhz", "adder_level_ns", "bram_kbit", "lut_ratio"):
        value = getattr(board, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise TypeError(f"{name} is {value!r}, not a number above zero")
    for name, count in asdict(board.resources).items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise TypeError(f"resources.{name} is {count!r}, not a count")


def _link(data: dict[str, Any]) -> Link:
    if "pcie_generation" in data:
        return pcie_link(**data)
    _check_keys(data, Link, "[link]")
    return Link(**data)
