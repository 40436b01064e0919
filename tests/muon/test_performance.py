"""Resolution and intervals, against distributions whose answers are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, cauchy

from fpgaclass import muon
from fpgaclass.core import InvalidInputError

PT = np.full(200_000, 20.0)
RANDOM = np.random.default_rng(3)
GAUSS = PT * (1.03 + 0.1 * RANDOM.standard_normal(PT.size))


def test_a_gaussian_gives_back_its_width_and_mean() -> None:
    """sigma68 of a Gaussian is its standard deviation. Tolerance: four statistical errors of 200,000."""
    r = muon.resolution(PT, GAUSS, (10, 30))
    assert r.sigma68[0] == pytest.approx(0.1, abs=4 * 0.1 / math.sqrt(PT.size))
    assert r.bias[0] == pytest.approx(0.03, abs=4 * 1.25 * 0.1 / math.sqrt(PT.size))
    assert r.count[0] == PT.size


def test_tails_do_not_move_the_core() -> None:
    """One muon in fifty measured at 500 GeV: sigma68 hardly moves, the tail says 2 %."""
    spoiled = np.where(np.arange(PT.size) % 50 == 0, 500.0, GAUSS)
    r = muon.resolution(PT, spoiled, (10, 30))
    assert r.sigma68[0] == pytest.approx(0.1, rel=0.06)
    assert r.tail[0] == pytest.approx(0.02, abs=1e-4)
    assert r.tail_low[0] < 0.02 < r.tail_high[0]


@pytest.mark.parametrize("shape", ["gauss", "cauchy"])
def test_errors_are_those_of_repeated_experiments(shape: str) -> None:
    """The error bar must be the scatter: 400 samples of 500, also with heavy tails. Tolerance 15 %: the
    scatter of 400 is known to 3.5 %, and the error itself is an asymptotic formula."""
    draws = RANDOM.random((400, 500))
    residual = cauchy.ppf(draws) if shape == "cauchy" else RANDOM.standard_normal((400, 500))
    pt = np.full(500, 20.0)
    results = [muon.resolution(pt, pt * (1 + 0.01 * row), (10, 30)) for row in residual]
    for value, error in (("sigma68", "sigma68_error"), ("bias", "bias_error")):
        scatter = np.std([getattr(r, value)[0] for r in results])
        claimed = np.mean([getattr(r, error)[0] for r in results])
        assert claimed == pytest.approx(scatter, rel=0.15)


def test_bins_hold_what_lies_in_them() -> None:
    """Lower edge in, upper edge out; an empty bin is NaN, not zero."""
    pt = np.array([5.0] * 20 + [9.99] * 20 + [10.0] * 30)
    r = muon.resolution(pt, pt * 1.1, (5, 10, 20, 40))
    assert r.count.tolist() == [40, 30, 0]
    assert np.isnan(r.sigma68[2])
    assert np.isnan(r.tail[2])
    np.testing.assert_allclose(r.bias[:2], 0.1)
    assert "nan" in str(r)
    assert str(r).count("\n") == 3
    np.testing.assert_allclose(r.centres[1], math.sqrt(200))


def test_a_models_column_is_taken_as_it_comes() -> None:
    """Keras returns (n, 1); broadcasting that against (n,) would silently make n x n."""
    assert (
        muon.resolution(PT, GAUSS[:, None], (10, 30)).sigma68 == muon.resolution(PT, GAUSS, (10, 30)).sigma68
    )


@settings(max_examples=200, deadline=None)
@given(total=st.integers(1, 3000), data=st.data(), level=st.sampled_from([0.6826894921370859, 0.9, 0.95]))
def test_intervals_are_those_of_scipy(total: int, data: st.DataObject, level: float) -> None:
    """scipy's exact interval is an independent implementation of Clopper and Pearson's."""
    passed = data.draw(st.integers(0, total))
    low, high = muon.clopper_pearson(passed, total, level)
    exact = binomtest(passed, total).proportion_ci(level, method="exact")
    assert float(low) == pytest.approx(exact.low, abs=1e-9)
    assert float(high) == pytest.approx(exact.high, abs=1e-9)
    assert low <= passed / total <= high


def test_an_empty_bin_could_have_any_efficiency() -> None:
    """Nothing tried, nothing known."""
    low, high = muon.clopper_pearson([0, 0, 5], [0, 5, 5])
    assert (low[0], high[0]) == (0.0, 1.0)
    assert low[1] == 0.0
    assert high[2] == 1.0


@pytest.mark.parametrize(
    ("truth", "reco", "options", "reason"),
    [
        (PT[:5], PT[:4], {}, "5 muons and pt_reco 4"),
        (PT[:5], [1, 2, math.nan, 4, 5], {}, "pt_reco holds 1 NaN or infinite of 5.*with_stubs"),
        (PT[:2], [1, math.inf], {}, "pt_reco holds 1"),
        ([10.0, math.nan], PT[:2], {}, "pt_true holds 1"),
        ([10.0, 0.0], PT[:2], {}, "not positive"),
        ([], [], {}, "n >= 1"),
        (PT[:4].reshape(2, 2), PT[:4].reshape(2, 2), {}, "expected \\(n,\\)"),
        ("pt", PT[:2], {}, "not an array of numbers"),
        (PT[:2], PT[:2], {"bins": (10,)}, "bins must be"),
        (PT[:2], PT[:2], {"bins": (10, 5)}, "rising"),
        (PT[:2], PT[:2], {"bins": (10, math.nan)}, "bins holds 1 NaN"),
        (PT[:2], PT[:2], {"tail_beyond": 0}, "tail_beyond"),
    ],
)
def test_what_does_not_fit_is_refused(truth: Any, reco: Any, options: dict[str, Any], reason: str) -> None:
    """A metric that swallows NaN or broadcasts returns a number that means nothing."""
    with pytest.raises(InvalidInputError, match=reason):
        muon.resolution(truth, reco, **options)


@pytest.mark.parametrize(("passed", "total", "level"), [(5, 4, 0.68), (-1, 4, 0.68), (1, 4, 1.0), (1, 4, 68)])
def test_impossible_counts_are_refused(passed: int, total: int, level: float) -> None:
    """More passed than tried is a bug of the caller."""
    with pytest.raises(InvalidInputError):
        muon.clopper_pearson(passed, total, level)
