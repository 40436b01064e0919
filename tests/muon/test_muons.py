"""The arrays of a sample: selecting, units, read-only, digest."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from fpgaclass import muon
from fpgaclass.core import InvalidInputError

MUONS = muon.simulate(5000, seed=2, spectrum="log_pt")
DTYPES = {
    "pt": "f4",
    "eta": "f4",
    "phi": "f4",
    "charge": "i1",
    "stub_phi": "i2",
    "stub_phi_b": "i2",
    "quality": "i1",
    "sector": "i1",
    "wheel": "i1",
    "valid": "?",
}


def test_types_and_shapes_are_those_promised() -> None:
    """Students and firmware count on them."""
    assert {f.name for f in fields(muon.Muons)} == {*DTYPES, "spectrum", "pt_range"}
    for name, dtype in DTYPES.items():
        array = getattr(MUONS, name)
        assert array.dtype == np.dtype(dtype), name
        per_muon = name in ("pt", "eta", "phi", "charge")
        assert array.shape == ((5000,) if per_muon else (5000, 4)), name


def test_selections_keep_rows_together() -> None:
    """A truth that slips by a row against its stubs trains a network on noise."""
    rows = np.array([7, 3, 4000])
    for which in (rows, np.isin(np.arange(5000), rows), slice(10, 20), 12, -1):
        chosen = MUONS[which]
        expected = np.atleast_1d(np.arange(5000)[which])
        np.testing.assert_array_equal(chosen.pt, MUONS.pt[expected])
        np.testing.assert_array_equal(chosen.stub_phi, MUONS.stub_phi[expected])
    assert MUONS[5:10].spectrum == "log_pt"


def test_stubs_are_counted() -> None:
    """Two stubs are what a bending needs."""
    chosen = MUONS.with_stubs(2)
    assert 0.8 * len(MUONS) < len(chosen) < len(MUONS)
    assert chosen.n_stubs.min() == 2
    assert len(MUONS.with_stubs(0)) == len(MUONS)
    for impossible in (-1, 5):
        with pytest.raises(InvalidInputError, match="0 to 4"):
            MUONS.with_stubs(impossible)


def test_angles_in_radians_follow_the_integers() -> None:
    """The steps are 1/4096 and 1/512 rad; sector 1 is centred on zero."""
    phi, phi_b = MUONS.global_phi(), MUONS.phi_b()
    assert np.all(np.isnan(phi) == ~MUONS.valid)
    assert np.all(np.isnan(phi_b) == ~MUONS.valid)
    i, s = np.argwhere(MUONS.valid)[17]
    expected = MUONS.stub_phi[i, s] / 4096 + (MUONS.sector[i, s] - 1) * np.pi / 6
    assert phi[i, s] == pytest.approx(expected)
    assert phi_b[i, s] == MUONS.stub_phi_b[i, s] / 512


def test_stubs_lie_near_the_muon() -> None:
    """At high pT a stub's azimuth is the vertex's, to the bending of a few hundredths of a radian."""
    hard = MUONS[MUONS.pt > 100].with_stubs(1)
    off = (hard.global_phi() - hard.phi[:, None] + np.pi) % (2 * np.pi) - np.pi
    assert np.nanquantile(np.abs(off), 0.95) < 0.03


def test_the_arrays_cannot_be_changed() -> None:
    """A sample is a fact: a cell run twice must not see another."""
    with pytest.raises(ValueError, match="read-only"):
        MUONS.pt[0] = 1.0


def test_the_digest_sees_every_array() -> None:
    """Otherwise bit-identity would be a claim about some of them."""
    for name in DTYPES:
        changed = getattr(MUONS, name).copy()
        changed[0] = ~changed[0] if changed.dtype == bool else changed[0] + 1
        assert replace(MUONS, **{name: changed}).digest() != MUONS.digest(), name


def test_wrong_shapes_are_refused() -> None:
    """The message says which array, and both shapes."""
    with pytest.raises(InvalidInputError, match=r"Muons.wheel has shape \(5000, 3\), expected \(5000, 4\)"):
        replace(MUONS, wheel=MUONS.wheel[:, :3].copy())
    with pytest.raises(InvalidInputError, match="mask"):
        MUONS[np.ones(3, bool)]
