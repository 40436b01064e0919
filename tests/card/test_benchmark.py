"""The benchmark's rows are what the table needs, and keep what the course promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaclass.core import load_file

pytest.importorskip("pynq")
pytest.importorskip("hls4ml")
PATH = Path(__file__).parent.parent / "benchmarks" / "card.py"


def test_the_rows_keep_the_promises() -> None:
    """Cycles do not depend on the machine, so a change that costs one is seen here; speed is far above."""
    benchmark = load_file("benchmark_card", PATH)
    rows = {row["name"]: row for row in benchmark.rows(repeats=1, muons=False)}
    kernels = {"kernel.cycles_4096", "kernel.cycles_per_event_65536", "card.events_per_s"}
    assert set(rows) == kernels | {"card.python_over_cpp", "card.import"}
    assert rows["kernel.cycles_4096"]["ours"] <= 4096 + 300
    assert rows["kernel.cycles_per_event_65536"]["ours"] <= 1.1
    assert rows["card.events_per_s"]["ours"] > 500_000
    assert all(rows[name]["ratio"] > 10 for name in kernels)
    card_import = rows["card.import"]
    assert card_import["ours"] - card_import["peer"] < 0.3, "beyond pynq itself"
    assert "the same predictions" in rows["card.python_over_cpp"]["how"]
    assert rows["card.python_over_cpp"]["ours"] > rows["card.python_over_cpp"]["peer"]
