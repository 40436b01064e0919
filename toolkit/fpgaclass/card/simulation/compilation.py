"""A design's RTL becomes a shared library that runs it clock by clock."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fpgaclass.card.design import KernelDesign
from fpgaclass.card.simulation.toolchain import Verilator, find_compiler, find_verilator, version_of
from fpgaclass.core import (
    InvalidInputError,
    atomic_directory,
    cache_directory,
    digest_of,
    run_tool,
    stage,
    together,
)

LIBRARY = "kernel.so"
_HARNESS = Path(__file__).parent / "harness"
_VERILATE = (
    "--cc", "--prefix", "Vkernel", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing",
    "--output-split", "10000", "--output-split-cfuncs", "500", "-Wno-fatal", "-Wno-lint", "-Wno-style",
)  # fmt: skip
_MACROS = (
    "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE=0", "-DVM_TRACE_FST=0",
    "-DVM_TRACE_VCD=0", "-DVM_TRACE_SAIF=0", "-DVL_USER_FATAL", "-DVL_USER_STOP", "-DVL_USER_FINISH",
)  # fmt: skip
_FLAGS = ("-std=c++20", "-fPIC", "-fno-sanitize=all", "-fvisibility=hidden", "-w", *_MACROS)
_BOUNDS = ("ap_start", "ap_done")
_UNIT_BYTES = 400_000
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")


def compile_kernel(design: KernelDesign) -> Path:
    """Verilate a kernel and return the path of its simulator library.

    The library is kept under the digest of the RTL, the test bench and the versions of the tools, so that
    the same kernel compiles once. Two processes may compile the same kernel at once.

    Raises:
        ToolMissingError: there is no Verilator or no C++ compiler.
        BuildError: the RTL or what became of it does not compile; the message has the first error.
    """
    if "__" in design.name:
        raise InvalidInputError(f"kernel name {design.name!r} has a double underscore")
    verilator, compiler = find_verilator(), find_compiler()
    tools = (verilator.version, " ".join(compiler.command), version_of(compiler.command))
    digest = digest_of(design.digest, *_harness(design), *_VERILATE, *_FLAGS, *tools)
    target = cache_directory("kernels") / digest
    if not (target / LIBRARY).is_file():
        if target.is_dir() and not (target / LIBRARY).is_file():
            shutil.rmtree(target, ignore_errors=True)  # someone deleted the library, not the folder
        with (
            stage(f"simulator of {design.name}", f"Verilator, {compiler.name}"),
            atomic_directory(target) as out,
        ):
            runtime = _runtime(verilator, compiler.command, digest_of(*_FLAGS, *tools))
            work = out / "work"
            _verilate(design, verilator, work)
            objects = _compile(_units(work, design), verilator, compiler.command, work, _bounds(design))
            link = [*compiler.command, "-shared", *map(str, (*objects, *runtime)), "-o", str(out / LIBRARY)]
            run_tool(link, cwd=work)
            shutil.rmtree(work)
    return target / LIBRARY


def _harness(design: KernelDesign) -> tuple[Path, ...]:
    """Return the bench for the kernel's ports, and what it includes."""
    return _HARNESS / f"{design.interface}.cpp", *sorted(_HARNESS.glob("*.hpp"))


def _bounds(design: KernelDesign) -> tuple[str, ...]:
    return tuple(f"-D{net.upper()}={design.name}__DOT__{net}" for net in _BOUNDS)


def _verilate(design: KernelDesign, verilator: Verilator, work: Path) -> None:
    work.mkdir()
    for name, text in design.sources.items():
        (work / name).write_text(text)
    nets = "".join(
        f'public_flat_rd -module "{design.name}" -var "{net}"\n' for net in ("ap_start", "ap_done")
    )
    (work / "nets.vlt").write_text(f"`verilator_config\n{nets}")
    compiled = [name for name in sorted(design.sources) if name.endswith((".v", ".sv"))]
    command = [str(verilator.command), *_VERILATE, "--top-module", design.name, "-I.", "--Mdir", "."]
    run_tool(
        [*command, "nets.vlt", *compiled],
        cwd=work,
        env={"VERILATOR_ROOT": str(verilator.root)},
        log=work / "verilator.log",
    )


def _units(work: Path, design: KernelDesign) -> list[Path]:
    """Gather what Verilator wrote into few files: each that is compiled alone reads a second of headers."""
    once = [path for path in sorted(work.glob("Vkernel*.cpp")) if _runs_once(path)]
    often = [path for path in sorted(work.glob("Vkernel*.cpp")) if path not in once]
    groups: list[list[Path]] = [[_harness(design)[0]]]
    size = 0
    for path in often:
        size += path.stat().st_size
        if size > _UNIT_BYTES:
            groups.append([])
            size = path.stat().st_size
        groups[-1].append(path)
    units = []
    for name, group in [*((f"often{i}", group) for i, group in enumerate(groups)), ("once", once)]:
        units.append(work / f"{name}.cpp")
        units[-1].write_text("".join(f'#include "{path}"\n' for path in group))
    return units


def _runs_once(path: Path) -> bool:
    return "__Slow" in path.name or path.name.endswith(("__Syms.cpp", "__Dpi.cpp"))


def _runtime(verilator: Verilator, compiler: Sequence[str], digest: str) -> list[Path]:
    """Return the objects of Verilator's own runtime, compiled once for each compiler."""
    target = cache_directory("kernels") / f"runtime-{digest[:16]}"
    if not target.is_dir():
        with atomic_directory(target) as out:
            _compile([verilator.root / "include" / name for name in _RUNTIME], verilator, compiler, out)
    return [target / Path(name).with_suffix(".o") for name in _RUNTIME]


def _compile(
    sources: Sequence[Path],
    verilator: Verilator,
    compiler: Sequence[str],
    work: Path,
    macros: Sequence[str] = (),
) -> list[Path]:
    includes = [
        f"-I{folder}" for folder in (work, verilator.root / "include", verilator.root / "include/vltstd")
    ]

    def compile_one(source: Path) -> Path:
        result = work / source.with_suffix(".o").name
        # What runs once costs more to optimise than it gives back. The rest is straight-line code in small
        # functions: -O2 takes longer and makes it no faster.
        level = "-O0" if source.name == "once.cpp" else "-O1"
        files = ("-c", str(source), "-o", str(result))
        run_tool([*compiler, *_FLAGS, level, *macros, *includes, *files], cwd=work)
        return result

    return list(together(*(partial(compile_one, source) for source in sources)))
