"""The muon reference: nearly as good as in floating point, in the cells and the time that a trigger has."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

import pytest

from fpgaclass.core import load_file
from fpgaclass.firmware import Budget, build, grid, load_board, search
from fpgaclass.firmware.sweep.point import estimate

RECIPE = Path(__file__).parents[2] / "docs" / "examples" / "muon_reference.py"
# da4ml's estimate is 5 to 8 % below yosys' count of these networks, which must be within 10,000 (below).
BUDGET = Budget(lut=9_400, latency_ns=50)


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    """The recipe as users run it."""
    return load_file("muon_reference", RECIPE)


def test_the_recipe_at_a_tenth_of_its_length(recipe: ModuleType) -> None:
    """Too short for its promise; but it trains, is fast enough, and is no worse than it should be."""
    model = recipe.train(beta=4e-6, muons=20_000, epochs=(5, 6, 3, 5))
    lut, stages = estimate(model, load_board("u250"))
    assert 2_000 < lut < 15_000
    assert stages * 5.0 < 50
    reached = recipe.sigma68(model, seed=1004, muons=20_000)
    print(f"sigma68 {reached:.4f} (simulated) with {lut:,} LUT (estimate)")
    assert 0.09 < reached < 0.2


@pytest.mark.proof
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_muon_reference_keeps_its_resolution(recipe: ModuleType, tmp_path: Path, seed: int) -> None:
    """sigma68 within 5 % of a floating-point network of the same shape that was trained as long.

    Each seed has its own muons, weights and order. The epoch is chosen on one sample and the result is taken
    on another, since the best of noisy scores is too good. The look-up tables are counted by yosys,
    which finds more than da4ml's estimate.
    """
    found = search(
        recipe.train, grid(beta=[1.2e-6], seed=[seed]), recipe.score, folder=tmp_path, budget=BUDGET
    )
    best = found.best()
    model = best.model()
    reached = recipe.sigma68(model, recipe.RESULT)
    floating = recipe.sigma68(recipe.reference(seed), recipe.RESULT)
    report = build(model, board="u250", name="muon_pt").report
    print(
        f"{found}\nsigma68 at 10 to 40 GeV (simulated), seed {seed}: quantised {reached:.4f}, floating point "
        f"trained as long {floating:.4f}, ratio {reached / floating:.3f}\n{report}"
    )
    assert reached <= 1.05 * floating
    assert report.network.lut <= 10_000
    assert report.latency_ns < 50
    assert math.isfinite(best.score)
