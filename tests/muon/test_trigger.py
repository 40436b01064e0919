"""Turn-on and rate: a perfect measurement has known answers, and a smeared one known inequalities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from fpgaclass import muon
from fpgaclass.core import InvalidInputError

RANDOM = np.random.default_rng(7)
TRUTH = np.exp(RANDOM.uniform(math.log(3), math.log(200), 300_000))
SMEARED = TRUTH * (1 + 0.1 * RANDOM.standard_normal(TRUTH.size))


def test_a_perfect_measurement_has_a_step() -> None:
    """All above, none below; the cut lies at the threshold, up to the 3 % that decide it."""
    curve = muon.turn_on(TRUTH, TRUTH, 22.0, bins=(10, 20, 21, 23, 24, 40))
    assert curve.cut == pytest.approx(22.0, rel=1e-6)
    assert curve.efficiency[[0, 1, 3, 4]].tolist() == [0, 0, 1, 1]
    assert curve.low[0] == 0
    assert 0 < curve.high[0] < 0.01


def test_a_gaussian_turn_on_is_an_error_function() -> None:
    """Ten per cent of resolution: the cut for 90 % at 22 GeV is 22 (1 - 0.1 * 1.28), and the curve follows.

    Tolerance 0.04: four statistical errors of a bin of 1 GeV (some 3000 muons).
    """
    curve = muon.turn_on(TRUTH, SMEARED, 22.0)
    assert curve.cut == pytest.approx(22 * (1 - 0.1 * norm.ppf(0.9)), rel=0.01)
    expected = norm.sf((curve.cut / curve.centres - 1) / 0.1)
    near = (curve.centres > 12) & (curve.centres < 40)
    np.testing.assert_allclose(curve.efficiency[near], expected[near], atol=0.04)
    assert curve.point(0.9) == pytest.approx(22.0, abs=0.4)
    assert curve.point(0.5) == pytest.approx(curve.cut, abs=0.4)


def test_a_cut_found_elsewhere_can_be_used() -> None:
    """An honest turn-on takes its cut from another sample than it is drawn with."""
    curve = muon.turn_on(TRUTH, SMEARED, 22.0, cut=30.0)
    assert curve.cut == 30.0
    assert curve.point(0.5) == pytest.approx(30.0, abs=0.5)
    with pytest.raises(InvalidInputError, match=r"does not cross 0\.9"):
        muon.turn_on(TRUTH, SMEARED, 22.0, cut=500.0).point(0.9)


def test_counts_add_up() -> None:
    """Every muon within the edges is counted once."""
    curve = muon.turn_on(TRUTH, SMEARED, 22.0)
    inside = (curve.edges[0] <= TRUTH) & (curve.edges[-1] >= TRUTH)
    assert curve.total.sum() == inside.sum()
    assert curve.passed.sum() == (SMEARED[inside] >= curve.cut).sum()
    assert np.isnan(curve.efficiency[0]), "below 2 GeV there is no muon"


def test_weights_turn_one_spectrum_into_another() -> None:
    """Weighted log_pt and flat samples must agree with a sample drawn from minimum bias itself.

    Shares above 5, 10 and 20 GeV; tolerance: 10 % or 0.002, from 400 muons above 20 GeV in the direct one.
    """
    direct = muon.simulate(200_000, 1, "minimum_bias")
    for spectrum in ("log_pt", "flat", "inverse_pt"):
        other = muon.simulate(200_000, 2, spectrum)
        weight = muon.minimum_bias_weight(other)
        assert weight.mean() == pytest.approx(1)
        for pt in (5, 10, 20):
            share = weight[other.pt > pt].sum() / weight.sum()
            assert share == pytest.approx(np.mean(direct.pt > pt), rel=0.1, abs=0.002)
    assert np.all(muon.minimum_bias_weight(direct) == 1)


def test_a_gun_has_no_rate() -> None:
    """Its muons were chosen by hand."""
    with pytest.raises(InvalidInputError, match="no known density"):
        muon.minimum_bias_weight(muon.gun([10.0], 0.1, 0.0, 1, seed=1))


def test_the_rate_of_a_perfect_measurement_is_what_lies_above() -> None:
    """Only the muons near the threshold are blurred by the 3 % window."""
    weight = TRUTH**-2.0
    r = muon.rate(TRUTH, TRUTH, (5, 10, 20, 40), weight)
    expected = [weight[t <= TRUTH].sum() / weight.sum() for t in (5, 10, 20, 40)]
    np.testing.assert_allclose(r.ideal, expected)
    assert muon.rate(TRUTH, TRUTH, 20, weight).rate.tolist() == [r.rate[2]], "one threshold, without brackets"
    np.testing.assert_allclose(r.rate, expected, rtol=0.01)
    assert np.all(r.error < 0.05 * r.rate)


def test_a_worse_resolution_costs_rate() -> None:
    """Soft muons measured too high are most of a trigger's rate: this is why anyone wants a network."""
    weight = TRUTH**-3.0
    worse = TRUTH * (1 + 0.2 * RANDOM.standard_normal(TRUTH.size))
    better = muon.rate(TRUTH, SMEARED, (10, 20, 30), weight)
    assert np.all(muon.rate(TRUTH, worse, (10, 20, 30), weight).rate > 1.3 * better.rate)
    assert np.all(better.rate > better.ideal)
    assert np.all(np.diff(better.rate) < 0)


def test_a_better_algorithm_has_the_lower_rate(
    table: muon.DeltaPhiTable, fit: muon.LikelihoodFit, sample: muon.Muons
) -> None:
    """On simulated muons, at 22 GeV: the fit accepts less than 0.6 of what the table accepts."""
    weight = muon.minimum_bias_weight(sample)
    rates = [muon.rate(sample.pt, b.predict(sample), (22,), weight).rate[0] for b in (table, fit)]
    assert rates[1] < 0.6 * rates[0]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: muon.turn_on(TRUTH, SMEARED[:-1]), "pt_reco"),
        (lambda: muon.turn_on(TRUTH, SMEARED, -3.0), "threshold"),
        (lambda: muon.turn_on(TRUTH, SMEARED, math.nan), "threshold"),
        (lambda: muon.turn_on(TRUTH, SMEARED, plateau=1.5), "plateau"),
        (lambda: muon.turn_on(TRUTH, SMEARED, 22, bins=(3, 3)), "rising"),
        (lambda: muon.turn_on(TRUTH, SMEARED, 500.0), "within 3 % of 500 GeV"),
        (lambda: muon.rate(TRUTH, SMEARED, (20,), np.ones(3)), "weight has 3"),
        (lambda: muon.rate(TRUTH, SMEARED, (20,), -TRUTH), "negative"),
        (lambda: muon.rate(TRUTH, SMEARED, (20,), np.full(TRUTH.size, np.nan)), "weight holds"),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, reason: str) -> None:
    """Each message names the argument."""
    with pytest.raises(InvalidInputError, match=reason):
        call()
