"""Verbs of a clone: what a benchmark measured is not lost because another fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fpgaclass.cli import clone
from fpgaclass.core import FpgaClassError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with two benchmarks, one of which fails."""
    benchmarks = tmp_path / "tests" / "benchmarks"
    benchmarks.mkdir(parents=True)
    row = {"name": "a.rate", "ours": 3.0, "peer": None, "ratio": None, "unit": "/s", "how": "measured [here]"}
    (benchmarks / "a_good.py").write_text(f"def rows():\n    return [{row!r}]\n")
    (benchmarks / "a_bad.py").write_text("def rows():\n    raise ZeroDivisionError('no clock')\n")
    monkeypatch.setattr(clone, "ROOT", tmp_path)
    return tmp_path


def test_a_benchmark_that_fails_keeps_the_rows_of_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They took minutes; the one that failed is named, with its traceback."""
    with pytest.raises(FpgaClassError, match="failed: a_bad"):
        clone.run_benchmarks()
    assert [row["name"] for row in json.loads((folder / "build" / "bench.json").read_text())] == ["a.rate"]
    shown = capsys.readouterr()
    assert "measured [here]" in shown.out, "square brackets are no markup"
    assert "no clock" in shown.err


@pytest.mark.usefixtures("folder")
def test_one_benchmark_alone() -> None:
    """By a part of its name; a name that fits none gives those there are."""
    assert [row["ours"] for row in clone.run_benchmarks("good")] == [3.0]
    with pytest.raises(FpgaClassError, match="no benchmark"):
        clone.run_benchmarks("cloud")
