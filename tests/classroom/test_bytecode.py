"""What students' programs import is compiled before they do."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from fpgaclass.classroom.hub.bytecode import ensure_compiled


def test_it_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty servers of a new installation would each compile two thousand modules, and keep none."""
    module = tmp_path / "of_a_lab.py"
    module.write_text("x = 1\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    modules, marker = ("not_installed", "of_a_lab"), tmp_path / "marker"
    work = ensure_compiled(modules, marker)
    assert work is not None
    work.join(30)
    assert Path(importlib.util.cache_from_source(str(module))).is_file()
    assert ensure_compiled(modules, marker) is None, "nothing is installed since"
    with marker.open("a") as cut:
        cut.write("jso")  # a hub was killed here
    work = ensure_compiled((*modules, "json"), marker)
    assert work is not None, "the rest"
    work.join(30)
    assert marker.read_text().split().count("of_a_lab") == 1
    assert "of_a_lab" not in sys.modules
