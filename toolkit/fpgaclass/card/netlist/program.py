"""A design's RTL as a function in Python that computes one clock: for machines without a C++ compiler.

yosys reads the Verilog and gives its word-level netlist; each cell becomes an expression on integers, in an
order in which what a cell needs is there before it. It takes seconds where a C++ compiler takes minutes, and
runs some thousand clocks a second where Verilator's code runs some million.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from fpgaclass.card.design import KernelDesign
from fpgaclass.card.netlist.cells import IGNORED, REGISTERS, Operand, compute, contents, number, slice_of
from fpgaclass.card.simulation.toolchain import find_yosys, version_of
from fpgaclass.core import BuildError, atomic_directory, cache_directory, digest_of, run_tool, stage

PROGRAM = "kernel.py"
_CLOCK, _BOUNDS = "ap_clk", ("ap_start", "ap_done")
_PASSES = "proc; flatten; opt_expr; opt_clean"
_NETWORK = "core."  # the instance in the shell, below which there are hundreds of nets
_Bit = int | str


def compile_netlist(design: KernelDesign, *, watched: bool = False) -> Path:
    """Write a kernel as a Python program, kept under the digest of all that it is made of; return its path.

    Args:
        design: the kernel.
        watched: show the named nets of the top two levels too, for waveforms.

    Raises:
        ToolMissingError: there is no yosys.
        BuildError: yosys cannot read the RTL, or it has what the simulator in Python does not know.
    """
    yosys = find_yosys()
    here = [Path(__file__), Path(__file__).with_name("cells.py")]
    digest = digest_of(
        design.digest, str(watched), *here, _PASSES, " ".join(yosys.command), version_of(yosys.command)
    )
    target = cache_directory("netlists") / digest
    if not (target / PROGRAM).is_file():
        with stage(f"simulator of {design.name} in Python", yosys.name), atomic_directory(target) as out:
            for name, text in design.sources.items():
                (out / name).write_text(text)
            files = " ".join(name for name in sorted(design.sources) if name.endswith((".v", ".sv")))
            kept = " ".join(f"{design.name}/w:{net}" for net in _BOUNDS)
            script = f"read_verilog -sv -defer {files}; hierarchy -top {design.name}; "
            script += f"setattr -set keep 1 {kept}; {_PASSES}; "
            command = [*yosys.command, "-q", "-p", f"{script} write_json netlist.json"]
            run_tool(command, cwd=out, log=out / "yosys.log", timeout=3600)
            module = json.loads((out / "netlist.json").read_text())["modules"][design.name]
            (out / PROGRAM).write_text(Program(module, watched=watched).text())
            for name in (*design.sources, "netlist.json"):
                (out / name).unlink()
    return target / PROGRAM


class Program:
    """The text of the function, as it grows.

    Args:
        module: the flattened top module, as in yosys' JSON.
        watched: also show the named nets of the top two levels.
    """

    def __init__(self, module: Mapping[str, Any], *, watched: bool = False) -> None:
        self._watched = watched
        self._cells = {name: cell for name, cell in module["cells"].items() if cell["type"] not in IGNORED}
        self._memories: Mapping[str, Mapping[str, int]] = module.get("memories", {})
        self._ports: Mapping[str, Mapping[str, Any]] = module["ports"]
        self._nets: Mapping[str, Mapping[str, Any]] = module["netnames"]
        self._source: dict[_Bit, tuple[str, int, int]] = {}  # bit -> variable, offset in it, its width
        self._slices: dict[tuple[_Bit, ...], str] = {}
        self._lines: list[str] = []

    def text(self) -> str:
        """Return the program: ``INPUTS``, ``OUTPUTS`` and ``make()``, which gives ``state`` and ``clock``."""
        inputs = [name for name, port in self._ports.items() if port["direction"] == "input"]
        inputs.remove(_CLOCK)
        outputs = [name for name, port in self._ports.items() if port["direction"] == "output"]
        self._clock_bit = self._ports[_CLOCK]["bits"][0]
        for position, name in enumerate(inputs):
            self._define(self._ports[name]["bits"], f"i{position}")
        registers = [cell for cell in self._cells.values() if cell["type"] in REGISTERS]
        for position, cell in enumerate(registers):
            self._define(cell["connections"]["Q"], f"r{position}")
        for position, name in enumerate(self._in_order()):
            self._compute(f"w{position}", self._cells[name])
        shown = [self._read(self._ports[name]["bits"]) for name in outputs]
        for name in self._inner() if self._watched else ():
            outputs.append(name)
            shown.append(self._read(self._net(name)))
        shown += [self._read(self._net(name)) for name in _BOUNDS]
        following = [self._next(position, cell) for position, cell in enumerate(registers)]
        writes = [line for cell in self._cells.values() for line in self._write(cell)]
        starts = [self._initial(cell["connections"]["Q"]) for cell in registers]
        head = [
            f"INPUTS = {tuple(inputs)!r}",
            f"OUTPUTS = {(*outputs, *_BOUNDS)!r}",
            f"WIDTHS = { {name: len(self._net(name)) for name in (*inputs, *outputs, *_BOUNDS)}!r}",
            "",
            "def make():",
            *(f"    {self._memory(name)} = {self._contents(name)!r}" for name in self._memories),
            "    def clock(state, inputs):",
            *([f"        {_tuple('r', len(registers))} = state"] if registers else []),
            *([f"        {_tuple('i', len(inputs))} = inputs"] if inputs else []),
        ]
        body = [f"        {line}" for line in self._lines]
        tail = [
            f"        shown = ({', '.join(shown)},)",
            f"        state = ({''.join(f'{value}, ' for value in following)})",
        ]
        tail += [f"        {line}" for line in writes]
        tail += ["        return shown, state", f"    return {tuple(starts)!r}, clock", ""]
        return "\n".join([*head, *body, *tail])

    def _define(self, bits: Sequence[_Bit], variable: str) -> None:
        for offset, bit in enumerate(bits):
            self._source[bit] = (variable, offset, len(bits))

    def _net(self, name: str) -> list[_Bit]:
        if name not in self._nets:
            raise BuildError(f"the top module has no net {name}, from which cycles are counted")
        return list(self._nets[name]["bits"])

    def _inner(self) -> list[str]:
        """Return the named nets of the top, its modules and their blocks, but not the network's own."""
        return [
            name
            for name, net in sorted(self._nets.items())
            if not net["hide_name"]
            and name not in (*self._ports, *_BOUNDS)
            and name.count(".") < (2 if name.startswith(_NETWORK) else 3)
            and "[" not in name
            and any(bit in self._source for bit in net["bits"])
        ]

    def _in_order(self) -> list[str]:
        """Return the cells that compute something, each after those whose outputs it needs."""
        made: dict[_Bit, str] = {}
        for name, cell in self._cells.items():
            if cell["type"] not in REGISTERS:
                for port, direction in cell["port_directions"].items():
                    if direction == "output":
                        made |= dict.fromkeys(cell["connections"][port], name)
        graph = {
            name: {
                made[bit]
                for port, direction in self._cells[name]["port_directions"].items()
                if direction == "input"
                for bit in self._cells[name]["connections"][port]
                if bit in made
            }
            for name in set(made.values())
        }
        try:
            return list(TopologicalSorter(dict(sorted(graph.items()))).static_order())
        except CycleError as loop:
            what = "the netlist has a loop of logic, which the simulator in Python cannot settle"
            raise BuildError(what, where=str(loop.args[1][0])) from loop

    def _compute(self, variable: str, cell: Mapping[str, Any]) -> None:
        kind, connections = cell["type"], cell["connections"]
        if kind in ("$memrd", "$memrd_v2"):
            if number(cell["parameters"]["CLK_ENABLE"]):
                raise BuildError("the netlist has a clocked memory port, unknown to the simulator in Python")
            name = cell["parameters"]["MEMID"].removeprefix("\\").strip()
            first = self._memories[name].get("start_offset", 0)
            address = f"{self._read(connections['ADDR'])} - {first}"
            memory = self._memory(name)
            size = self._memories[name]["size"]
            self._lines.append(f"a = {address}")
            self._lines.append(f"{variable} = {memory}[a] if 0 <= a < {size} else 0")
            self._define(connections["DATA"], variable)
            return
        signed = {port: bool(number(cell["parameters"].get(f"{port}_SIGNED", "0"))) for port in "AB"}
        if kind not in ("$shl", "$shr", "$sshl", "$sshr", "$shift", "$shiftx") and "B" in connections:
            signed = dict.fromkeys("AB", all(signed.values()))  # Verilog extends signs where both have one
        operands = {
            port: Operand(self._read(bits), len(bits), signed.get(port, False))
            for port, bits in connections.items()
            if port != "Y"
        }
        self._lines.append(f"{variable} = {compute(kind, operands, len(connections['Y']))}")
        self._define(connections["Y"], variable)

    def _next(self, position: int, cell: Mapping[str, Any]) -> str:
        """Return a register's value after the clock's edge."""
        kind, ports, parameters = cell["type"], cell["connections"], cell["parameters"]
        if ports["CLK"] != [self._clock_bit] or not number(parameters["CLK_POLARITY"]):
            raise BuildError(f"a register is not clocked by the rising edge of {_CLOCK}")
        value = self._read(ports["D"])
        held = self._condition(ports["EN"], parameters["EN_POLARITY"]) if "EN" in ports else ""
        enabled = f"({value} if {held} else r{position})" if held else value
        if kind in ("$dff", "$dffe"):
            return enabled
        reset = self._condition(ports["SRST"], parameters["SRST_POLARITY"])
        start = number(parameters["SRST_VALUE"])
        if kind == "$sdffce":
            return f"(({start} if {reset} else {value}) if {held} else r{position})"
        return f"({start} if {reset} else {enabled})"

    def _condition(self, bits: Sequence[_Bit], polarity: str) -> str:
        return self._read(bits) if number(polarity) else f"not {self._read(bits)}"

    def _write(self, cell: Mapping[str, Any]) -> list[str]:
        if cell["type"] not in ("$memwr", "$memwr_v2"):
            return []
        ports = cell["connections"]
        name = cell["parameters"]["MEMID"].removeprefix("\\").strip()
        about, memory = self._memories[name], self._memory(name)
        width = len(ports["DATA"])
        ones = (1 << width) - 1
        known = len(self._lines)
        enable, data = self._read(ports["EN"]), self._read(ports["DATA"])
        address = self._read(ports["ADDR"])
        made = self._lines[known:]
        del self._lines[known:]
        first = about.get("start_offset", 0)
        return [
            *made,
            f"if {enable} and 0 <= {address} - {first} < {about['size']}:",
            f"    {memory}[{address} - {first}] = "
            f"{memory}[{address} - {first}] & ({enable} ^ {ones}) | {data} & {enable}",
        ]

    def _memory(self, name: str) -> str:
        return f"m{sorted(self._memories).index(name)}"

    def _contents(self, name: str) -> list[int]:
        return contents(name, self._memories[name], self._cells.values())

    def _initial(self, bits: Sequence[_Bit]) -> int:
        values: dict[_Bit, str] = {}
        for net in self._nets.values():
            start = net.get("attributes", {}).get("init")
            if start:
                values |= dict(zip(net["bits"], reversed(start), strict=False))
        return sum(int(values.get(bit) == "1") << position for position, bit in enumerate(bits))

    def _read(self, bits: Sequence[_Bit]) -> str:
        """Return a variable or a number that has these bits; a line is added for what is not one yet."""
        key = tuple(bits)
        if key not in self._slices:
            text = " | ".join(self._runs(key)) or "0"
            if not text.isalnum():
                self._lines.append(f"s{len(self._slices)} = {text}")
                text = f"s{len(self._slices)}"
            self._slices[key] = text
        return self._slices[key]

    def _runs(self, bits: tuple[_Bit, ...]) -> list[str]:
        """Cut bits into stretches of one variable, of one repeated bit, and constants."""
        constant, parts, at = 0, [], 0
        while at < len(bits):
            source = self._source.get(bits[at])
            if source is None:
                constant |= (bits[at] == "1") << at
                at += 1
                continue
            variable, low, width = source
            end = at + 1
            while end < len(bits) and bits[end] == bits[at]:
                end += 1
            if end - at > 1:
                bit = f"({variable} >> {low} & 1)" if width > 1 else variable
                parts.append(f"{bit} * {((1 << (end - at)) - 1) << at}")
                at = end
                continue
            while end < len(bits) and self._source.get(bits[end]) == (variable, low + end - at, width):
                end += 1
            parts.append(slice_of(variable, low, end - at, width, at))
            at = end
        return [*parts, *([str(constant)] if constant else [])]


def _tuple(letter: str, count: int) -> str:
    return f"({''.join(f'{letter}{i}, ' for i in range(count))})"
