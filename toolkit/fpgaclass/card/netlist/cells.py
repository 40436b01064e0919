"""What each cell of a word-level netlist computes, as an expression on Python's integers.

The cells are those of yosys' internal library (its manual, chapter "Internal cell library"). Values are
unsigned integers of their width; ``x`` and ``z`` count as 0, as in a simulator that starts from zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fpgaclass.core import BuildError

IGNORED = {"$scopeinfo", "$check", "$print", "$assert", "$assume", "$cover"}
REGISTERS = {"$dff", "$dffe", "$sdff", "$sdffe", "$sdffce"}


@dataclass(frozen=True)
class Operand:
    """An input of a cell: its expression, its bits, and whether they are a signed number."""

    text: str
    width: int
    is_signed: bool = False

    @property
    def value(self) -> str:
        """The expression as the number it means."""
        if not self.is_signed:
            return self.text
        sign = 1 << (self.width - 1)
        return f"(({self.text} ^ {sign}) - {sign})"

    @property
    def ones(self) -> int:
        """All bits set."""
        return (1 << self.width) - 1


def _binary(operator: str) -> Callable[[dict[str, Operand]], str]:
    return lambda port: f"{port['A'].value} {operator} {port['B'].value}"


def _truth(operator: str) -> Callable[[dict[str, Operand]], str]:
    return lambda port: f"1 if {port['A'].text} {operator} {port['B'].text} else 0"


def _compare(operator: str) -> Callable[[dict[str, Operand]], str]:
    return lambda port: f"1 if {port['A'].value} {operator} {port['B'].value} else 0"


# Each gives a value that is then cut to the width of Y.
_OPERATORS: dict[str, Callable[[dict[str, Operand]], str]] = {
    "$add": _binary("+"),
    "$sub": _binary("-"),
    "$mul": _binary("*"),
    "$and": _binary("&"),
    "$or": _binary("|"),
    "$xor": _binary("^"),
    "$xnor": lambda port: f"~({port['A'].value} ^ {port['B'].value})",
    "$not": lambda port: f"~{port['A'].value}",
    "$neg": lambda port: f"-{port['A'].value}",
    "$pos": lambda port: port["A"].value,
}
# Each gives 0 or 1, or a value that is narrow enough already.
_PREDICATES: dict[str, Callable[[dict[str, Operand]], str]] = {
    "$logic_not": lambda port: f"0 if {port['A'].text} else 1",
    "$logic_and": _truth("and"),
    "$logic_or": _truth("or"),
    "$reduce_bool": lambda port: f"1 if {port['A'].text} else 0",
    "$reduce_or": lambda port: f"1 if {port['A'].text} else 0",
    "$reduce_and": lambda port: f"1 if {port['A'].text} == {port['A'].ones} else 0",
    "$reduce_xor": lambda port: f"({port['A'].text}).bit_count() & 1",
    "$reduce_xnor": lambda port: f"({port['A'].text}).bit_count() & 1 ^ 1",
    "$eq": _compare("=="),
    "$eqx": _compare("=="),
    "$ne": _compare("!="),
    "$nex": _compare("!="),
    "$lt": _compare("<"),
    "$le": _compare("<="),
    "$gt": _compare(">"),
    "$ge": _compare(">="),
    "$mux": lambda port: f"{port['B'].text} if {port['S'].text} else {port['A'].text}",
}


def compute(kind: str, port: Mapping[str, Operand], width: int) -> str:
    """Return an expression for the output Y of a cell.

    Args:
        kind: the cell's type, such as ``"$add"``.
        port: its inputs by name.
        width: bits of Y.

    Raises:
        BuildError: a cell that is not known here.
    """
    ports = dict(port)
    ones = (1 << width) - 1
    if kind in _PREDICATES:
        return _PREDICATES[kind](ports)
    if kind in _OPERATORS:
        return f"({_OPERATORS[kind](ports)}) & {ones}"
    if kind in ("$shl", "$sshl"):
        return f"({ports['A'].value} << {ports['B'].text}) & {ones} if {ports['B'].text} < {width} else 0"
    if kind == "$shr":
        return f"({ports['A'].text} >> {ports['B'].text}) & {ones}"
    if kind == "$sshr":
        return f"({ports['A'].value} >> {ports['B'].text}) & {ones}"
    if kind in ("$shift", "$shiftx"):
        return _shift(ports["A"], ports["B"], width)
    if kind == "$pmux":
        return _choose(ports["A"], ports["B"], ports["S"], width)
    raise BuildError(f"the netlist has a cell {kind}, which the simulator in Python does not know")


def _shift(a: Operand, b: Operand, width: int) -> str:
    """Shift right by a number that may be negative."""
    ones = (1 << width) - 1
    right = f"({a.value} >> {b.value}) & {ones}"
    if not b.is_signed:
        return right
    left = f"({a.value} << -{b.value}) & {ones} if -{b.value} < {width} else 0"
    return f"{right} if {b.value} >= 0 else {left}"


def _choose(default: Operand, choices: Operand, select: Operand, width: int) -> str:
    """Take the choice whose bit of ``select`` is set; the lowest, where the RTL promises only one."""
    ones = (1 << width) - 1
    lowest = f"({select.text} & -{select.text}).bit_length() - 1"
    return f"({choices.text} >> ({lowest}) * {width}) & {ones} if {select.text} else {default.text}"


def contents(name: str, about: Mapping[str, int], cells: Iterable[Mapping[str, Any]]) -> list[int]:
    """Return the words that a memory begins with; ``about`` has its size, width and first address."""
    words, width = [0] * about["size"], about["width"]
    for cell in cells:
        if cell["type"] not in ("$meminit", "$meminit_v2"):
            continue
        ports = cell["connections"]
        if cell["parameters"]["MEMID"].removeprefix("\\").strip() != name:
            continue
        data = "".join("1" if bit == "1" else "0" for bit in reversed(ports["DATA"]))
        address = number("".join(str(bit) for bit in reversed(ports["ADDR"])))
        for offset in range(len(data) // width):
            word = data[len(data) - (offset + 1) * width : len(data) - offset * width]
            words[address - about.get("start_offset", 0) + offset] = int(word, 2)
    return words


def slice_of(variable: str, low: int, count: int, width: int, to: int) -> str:
    """Return ``count`` bits of a variable of ``width`` bits from bit ``low`` on, moved to bit ``to``."""
    text = variable if low == 0 else f"{variable} >> {low}"
    if low + count < width:
        text = f"({text}) & {(1 << count) - 1}" if low else f"{text} & {(1 << count) - 1}"
    if to:
        return f"({text}) << {to}"
    return text if text == variable else f"({text})"


def number(bits: str | int) -> int:
    """Return a parameter of yosys' JSON, in which numbers are texts of bits."""
    text = str(bits)
    return int("".join("1" if bit == "1" else "0" for bit in text) or "0", 2)
