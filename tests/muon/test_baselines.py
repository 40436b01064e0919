"""The table and the fit: what they reach, their symmetry, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaclass import muon
from fpgaclass.core import InvalidInputError

# sigma68 of (pT_reco - pT) / pT in the bins of PT_BINS.
TABLE_REACHES = (0.127, 0.115, 0.119, 0.129, 0.147, 0.168)
FIT_REACHES = (0.074, 0.089, 0.105, 0.119, 0.137, 0.145)


def test_the_table_reaches_its_known_resolution(table: muon.DeltaPhiTable, sample: muon.Muons) -> None:
    """The labs' thresholds are set against these numbers.

    Tolerance 0.006: three statistical errors of the worst bin (0.002), as test and training both vary.
    """
    r = muon.resolution(sample.pt, table.predict(sample))
    np.testing.assert_allclose(r.sigma68, TABLE_REACHES, atol=0.006)
    assert np.all(np.abs(r.bias) < 0.02)


def test_the_fit_reaches_its_known_resolution(fit: muon.LikelihoodFit, sample: muon.Muons) -> None:
    """It uses all stubs and their correlations: the goal for a network. Tolerance as for the table."""
    r = muon.resolution(sample.pt, fit.predict(sample))
    np.testing.assert_allclose(r.sigma68, FIT_REACHES, atol=0.006)
    assert np.all(np.abs(r.bias) < 0.025)


def test_the_table_falls_with_the_bending(table: muon.DeltaPhiTable) -> None:
    """More bending, less momentum: a table that rises makes a threshold that lets soft muons in."""
    assert table.tables.shape == (6, 1024)
    assert np.all(np.diff(table.tables, axis=1) <= 0)
    assert np.all((table.tables > 2) & (table.tables < 210))


def test_the_table_survives_wrong_stubs_in_its_training() -> None:
    """In a falling spectrum the straightest stubs are soft muons' wrong ones; they must not set the table."""
    table = muon.DeltaPhiTable.fit(muon.simulate(200_000, seed=4, spectrum="inverse_pt"))
    sample = muon.simulate(30_000, seed=5, spectrum="log_pt").with_stubs(2)
    assert muon.resolution(sample.pt, table.predict(sample), (10, 40)).sigma68[0] < 0.125


def test_the_fit_knows_the_charge(fit: muon.LikelihoodFit, sample: muon.Muons) -> None:
    """Curvature carries the sign; below 30 GeV it is wrong in less than 2 % (wrong stubs)."""
    soft = sample[sample.pt < 30]
    assert np.mean(np.sign(fit.curvature(soft)) == soft.charge) > 0.98
    np.testing.assert_allclose(fit.nodes, -fit.nodes[::-1], atol=1e-12)
    np.testing.assert_allclose(fit.mean, -fit.mean[::-1], atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(fit.covariance)
    assert eigenvalues.min() > 0, "a covariance has no negative direction"


@pytest.mark.parametrize("name", ["table", "fit"])
def test_a_muon_without_two_stubs_has_no_pt(name: str, request: pytest.FixtureRequest) -> None:
    """NaN says so, and the metrics refuse it, instead of a number that looks like one."""
    baseline = request.getfixturevalue(name)
    muons = muon.simulate(20_000, seed=9)
    pt = baseline.predict(muons)
    assert pt.shape == (20_000,)
    np.testing.assert_array_equal(np.isnan(pt), muons.n_stubs < 2)
    assert np.nanmin(pt) >= 2
    assert np.nanmax(pt) <= 1000


@pytest.mark.parametrize("name", ["table", "fit"])
def test_charges_get_the_same_pt(name: str, request: pytest.FixtureRequest, sample: muon.Muons) -> None:
    """A difference of the biases beyond 2 % would be a charge the trigger prefers."""
    pt = request.getfixturevalue(name).predict(sample)
    plus = sample.charge > 0
    bias = [muon.resolution(sample.pt[k], pt[k], (10, 40)).bias[0] for k in (plus, ~plus)]
    assert abs(bias[0] - bias[1]) < 0.01


def test_too_few_muons_are_refused() -> None:
    """A median of three muons is noise; the message says how many it takes."""
    few = muon.simulate(80, seed=1)
    with pytest.raises(InvalidInputError, match=r"MB\d and MB\d, and a median needs 60"):
        muon.DeltaPhiTable.fit(few)
    with pytest.raises(InvalidInputError, match="too few for 147 covariances"):
        muon.LikelihoodFit.fit(few)
