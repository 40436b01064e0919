"""Cycles are those that a plain Verilator test bench of somebody else's would count, to the cycle."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import (
    KernelDesign,
    KernelSimulator,
    StreamSimulator,
    compile_kernel,
    find_compiler,
    find_verilator,
)
from fpgaclass.core import run_tool

_PLAIN = Path(__file__).parent / "plain"
_MACROS = ("-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE=0", "-DVM_TRACE_FST=0",
           "-DVM_TRACE_VCD=0", "-DVM_TRACE_SAIF=0")  # fmt: skip


def _plain_bench(design: KernelDesign, bench: str, folder: Path) -> Path:
    """Compile a design with Verilator's default settings and a test bench; return the program."""
    verilator, compiler = find_verilator(), find_compiler()
    for name, text in design.sources.items():
        (folder / name).write_text(text)
    files = [name for name in design.sources if name.endswith(".sv")]
    command = [str(verilator.command), "--cc", "--public-flat-rw", "-Wno-fatal", "-Wno-lint", "-Wno-style"]
    command += ["-I.", "--Mdir", "made", "--top-module", design.name, *files]
    run_tool(command, cwd=folder, env={"VERILATOR_ROOT": str(verilator.root)})
    include = verilator.root / "include"
    sources = [*sorted((folder / "made").glob("*.cpp")), _PLAIN / bench]
    sources += [include / name for name in ("verilated.cpp", "verilated_threads.cpp")]
    (folder / "all.cpp").write_text("".join(f'#include "{path}"\n' for path in sources[:-2]))
    flags = ["-std=c++20", "-O0", "-w", *_MACROS, "-Imade", f"-I{include}", f"-I{include}/vltstd", "-pthread"]
    run_tool(
        [*compiler.command, *flags, "all.cpp", *map(str, sources[-2:]), "-o", "bench"],
        cwd=folder,
    )
    return folder / "bench"


def _cycles(program: Path, *arguments: int) -> int:
    command = [str(program), *map(str, arguments)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="module")
def memory_bench(standin: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The summing kernel on a memory of its own."""
    return _plain_bench(standin.sum_design(), "memory.cpp", tmp_path_factory.mktemp("memory"))


@pytest.mark.parametrize(
    ("n_in", "n_out"), [(32, 1), (32 * 777, 777), (32 * 5000, 5000), (32 * 9, 4), (0, 0)]
)
def test_a_cards_cycles(standin: Any, memory_bench: Path, n_in: int, n_out: int) -> None:
    """From ap_start to ap_done; a cycle too many or too few would be in every figure that we show."""
    simulator = KernelSimulator(compile_kernel(standin.sum_design()))
    simulator.map(0x1000, np.zeros(1 << 19, np.uint8))
    simulator.map(0x100000, np.zeros(1 << 16, np.uint8))
    for offset, value in ((0x10, 0x1000), (0x1C, 0x100000), (0x28, n_in), (0x30, n_out), (0, 1)):
        simulator.write(offset, value)
    assert simulator.run() == _cycles(memory_bench, n_in, n_out)


@pytest.fixture(scope="module")
def stream_bench(standin: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The summing stream kernel between two ends that never wait."""
    return _plain_bench(standin.stream_design(), "stream.cpp", tmp_path_factory.mktemp("stream"))


@pytest.mark.parametrize("size", [64, 64 * 777, 64 * 5000 + 4, 32])
def test_a_boards_cycles(standin: Any, stream_bench: Path, size: int) -> None:
    """From the first word that the DMA offers to the last result that it takes."""
    simulator = StreamSimulator(compile_kernel(standin.stream_design()))
    simulator.map(0x1000, np.zeros(1 << 19, np.uint8))
    simulator.map(0x100000, np.zeros(1 << 16, np.uint8))
    simulator.transfer(0x1000, size, 0x100000, 1 << 15)
    assert simulator.cycles == _cycles(stream_bench, size)
