"""RTL becomes a library, once."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.card import KernelDesign, KernelSimulator, compile_kernel
from fpgaclass.card.simulation import compilation
from fpgaclass.core import BuildError, InvalidInputError


@pytest.fixture
def own_cache(moody_library: Path, tmp_path: Path) -> Path:
    """A cache with nothing in it but Verilator's runtime, which takes seconds to compile."""
    for runtime in moody_library.parents[1].glob("runtime-*"):
        shutil.copytree(runtime, tmp_path / "kernels" / runtime.name)
    return tmp_path


def test_a_kernel_compiles_once(standin: Any, sum_library: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Opening an overlay a second time must not cost the seconds of a compiler."""
    stamp = sum_library.stat().st_mtime_ns
    capfd.readouterr()
    assert compile_kernel(standin.sum_design(instances=2)) == sum_library
    assert sum_library.stat().st_mtime_ns == stamp
    assert capfd.readouterr().err == "", "nothing is done, so nothing is shown"


def test_a_deleted_library_is_made_again(standin: Any, own_cache: Path, monkeypatch: Any) -> None:
    """The error about a bad library says to delete it: that must then be enough."""
    monkeypatch.setenv("FPGACLASS_CACHE", str(own_cache))
    library = compile_kernel(standin.moody_design())
    library.unlink()
    assert compile_kernel(standin.moody_design()) == library
    KernelSimulator(library)


def test_another_test_bench_is_another_library(
    standin: Any, own_cache: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """What was compiled with the bench of an older version must not be run by a newer one."""
    monkeypatch.setenv("FPGACLASS_CACHE", str(own_cache))
    before = compile_kernel(standin.moody_design())
    harness = shutil.copytree(compilation._HARNESS, tmp_path / "harness")
    (harness / "bench.hpp").write_text((harness / "bench.hpp").read_text() + "\n")
    monkeypatch.setattr(compilation, "_HARNESS", harness)
    assert compile_kernel(standin.moody_design()) != before


def test_a_compilation_shows_its_stage(
    standin: Any, own_cache: Path, monkeypatch: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Seconds of silence look like a hang."""
    monkeypatch.setenv("FPGACLASS_CACHE", str(own_cache))
    compile_kernel(standin.moody_design())
    assert "simulator of moody" in capfd.readouterr().err


def test_broken_rtl_is_reported_by_its_first_error(standin: Any, monkeypatch: Any, own_cache: Path) -> None:
    """The message of the tool, not "file not found" three stages later; and nothing half-made stays."""
    monkeypatch.setenv("FPGACLASS_CACHE", str(own_cache))
    design: KernelDesign = standin.sum_design()
    broken = design.sources["event_core.sv"].replace("assign event_out", "asign event_out")
    design = dataclasses.replace(design, sources={**design.sources, "event_core.sv": broken})
    with pytest.raises(BuildError, match=r"event_core\.sv"):
        compile_kernel(design)
    left = [path.name for path in (own_cache / "kernels").iterdir()]
    assert all(name.startswith("runtime-") for name in left)


def test_a_kernel_without_its_nets_is_refused(standin: Any) -> None:
    """Cycles are counted from ap_start and ap_done; a top module without them cannot be timed."""
    design: KernelDesign = standin.moody_design()
    renamed = {name: text.replace("ap_done", "finished") for name, text in design.sources.items()}
    with pytest.raises(BuildError, match="ap_done"):
        compile_kernel(dataclasses.replace(design, sources=renamed))


def test_a_name_that_verilator_would_mangle_is_refused(standin: Any) -> None:
    """A double underscore becomes something else in C++ names."""
    with pytest.raises(InvalidInputError, match="underscore"):
        compile_kernel(dataclasses.replace(standin.moody_design(), name="my__kernel"))


def test_two_processes_compile_the_same_kernel_at_once(own_cache: Path) -> None:
    """Thirty students open the same overlay in the same minute on one machine."""
    script = (
        "import pathlib, sys\n"
        "from fpgaclass.card import compile_kernel\n"
        "from fpgaclass.core import load_file\n"
        "standin = load_file('standin', pathlib.Path(sys.argv[1]))\n"
        "print(compile_kernel(standin.moody_design()))\n"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parent / "standin.py")]
    environment = {**os.environ, "FPGACLASS_CACHE": str(own_cache)}
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate(timeout=300)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(printed) == 1
    KernelSimulator(Path(printed.pop()))
    assert not [path for path in (own_cache / "kernels").iterdir() if path.name.startswith(".")]
