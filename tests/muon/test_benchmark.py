"""The benchmark's peer does the same physics, and its rows are what the table needs."""

from __future__ import annotations

import random
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fpgaclass import muon
from fpgaclass.core import load_file

PATH = Path(__file__).parent.parent / "benchmarks" / "muon.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """The benchmark module, as ``./fpgaclass bench`` loads it."""
    return load_file("benchmark_muon", PATH)


def test_the_peer_does_the_same_physics(benchmark: ModuleType) -> None:
    """A peer that did less would make the ratio a lie; it is also a second writing of the simulation.

    Quantiles of phi_b and dphi, per station, over muons of 10 to 30 GeV. 12,000 muons make some 3000 in
    that range, and a quantile is then good to 2 % of the distribution's width: tolerance 0.006 rad and
    0.0012 rad. Stations per muon: 0.015, three standard deviations.
    """
    random_ = random.Random(5)
    theirs = [benchmark.simulate_one(random_) for _ in range(12_000)]
    ours = muon.simulate(60_000, 6, "log_pt")
    counts = np.bincount([len(m.stubs) for m in theirs], minlength=5) / len(theirs)
    np.testing.assert_allclose(counts, np.bincount(ours.n_stubs, minlength=5) / len(ours), atol=0.015)
    ours = ours[(ours.pt > 10) & (ours.pt < 30)]
    theirs = [m for m in theirs if 10 < m.pt < 30]
    levels = (0.16, 0.5, 0.84)
    for s in range(4):
        phi_b = [-m.charge * m.stubs[s][1] / 512 for m in theirs if s in m.stubs]
        expected = -ours.charge * ours.phi_b()[:, s]
        np.testing.assert_allclose(
            np.quantile(phi_b, levels), np.nanquantile(expected, levels), atol=0.006, err_msg=f"MB{s + 1}"
        )
    both = [m for m in theirs if {0, 1} <= m.stubs.keys() and m.stubs[0][3] == m.stubs[1][3]]
    dphi = [m.charge * (m.stubs[0][0] - m.stubs[1][0]) / 4096 for m in both]
    same = ours[ours.valid[:, 0] & ours.valid[:, 1] & (ours.sector[:, 0] == ours.sector[:, 1])]
    expected = same.charge * (same.stub_phi[:, 0] - same.stub_phi[:, 1]) / 4096
    np.testing.assert_allclose(np.quantile(dphi, levels), np.quantile(expected, levels), atol=0.0012)


def test_the_rows_are_what_the_table_needs(benchmark: ModuleType) -> None:
    """``./fpgaclass bench`` writes them as they are."""
    (row,) = benchmark.rows(n_ours=20_000, n_peer=50, repeats=1)
    assert set(row) == {"name", "ours", "peer", "ratio", "unit", "how"}
    assert row["name"] == "muon.simulate"
    assert row["unit"] == "muons per CPU-second"
    assert row["ratio"] == pytest.approx(row["ours"] / row["peer"], abs=0.1)
    assert row["ours"] > row["peer"] > 0
