"""The 27 features: layout, grid, signs, and the standardising that is part of a model's contract."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpgaclass import muon
from fpgaclass.core import InvalidInputError
from fpgaclass.muon.inputs import PAIRS, dphi_steps

X_OF = {name: k for k, name in enumerate(muon.FEATURE_NAMES)}


def test_the_layout_is_the_published_one() -> None:
    """n_stubs, then groups of four in station order, then six pairs; firmware is wired by these positions."""
    groups = ("station", "wheel", "sector", "phi_b", "high_quality")
    expected = ["n_stubs", *(f"{g}_{s}" for g in groups for s in (1, 2, 3, 4))]
    expected += ["dphi_12", "dphi_13", "dphi_14", "dphi_23", "dphi_24", "dphi_34"]
    assert list(muon.FEATURE_NAMES) == expected
    assert len(expected) == 27


def test_features_say_what_the_stubs_say(sample: muon.Muons) -> None:
    """Column by column, from the arrays."""
    x = muon.features(sample)
    assert x.shape == (len(sample), 27)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[:, 0], sample.n_stubs)
    for s in range(4):
        v = sample.valid[:, s]
        np.testing.assert_array_equal(x[:, X_OF[f"station_{s + 1}"]], np.where(v, s + 1, 0))
        np.testing.assert_array_equal(x[:, X_OF[f"wheel_{s + 1}"]], sample.wheel[:, s])
        np.testing.assert_array_equal(x[:, X_OF[f"sector_{s + 1}"]], sample.sector[:, s])
        np.testing.assert_array_equal(x[:, X_OF[f"phi_b_{s + 1}"]], sample.stub_phi_b[:, s] / 512)
        np.testing.assert_array_equal(x[:, X_OF[f"high_quality_{s + 1}"]], sample.quality[:, s] >= 4)


def test_differences_are_right_across_sectors(sample: muon.Muons) -> None:
    """A muon that crosses from sector 12 to 1 has no bending of two pi.

    Tolerance: the sector's width is rounded to a whole step, 0.34 of one.
    """
    x, phi = muon.features(sample), sample.global_phi()
    crossing = 0
    for inner, outer in PAIRS:
        both = sample.valid[:, inner] & sample.valid[:, outer]
        d = (phi[both, inner] - phi[both, outer] + math.pi) % (2 * math.pi) - math.pi
        column = x[:, X_OF[f"dphi_{inner + 1}{outer + 1}"]]
        np.testing.assert_allclose(column[both], d, atol=0.4 / 4096)
        assert np.all(column[~both] == 0)
        crossing += int((sample.sector[both, inner] != sample.sector[both, outer]).sum())
    assert crossing > 1000, "the sample must have muons that cross"


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), spectrum=st.sampled_from(sorted(muon.SPECTRA)))
def test_every_feature_lies_on_its_grid_and_in_its_range(seed: int, spectrum: str) -> None:
    """Firmware reads these numbers as integers; one off the grid would be rounded there and not here."""
    x = muon.features(muon.simulate(5000, seed, spectrum, eta_max=1.0)).astype(float)
    for k, feature in enumerate(muon.FEATURES):
        steps = x[:, k] / feature.step
        np.testing.assert_array_equal(steps, np.rint(steps), err_msg=feature.name)
        assert x[:, k].min() >= feature.low, feature.name
        assert x[:, k].max() <= feature.high, feature.name


def test_standardised_features_fit_eleven_bits(sample: muon.Muons) -> None:
    """``ap_fixed<11,4>``: multiples of 1/128 from -8 up to 8; and of about unit size."""
    z = muon.standardise(muon.features(sample)).astype(float)
    np.testing.assert_array_equal(z * 128, np.rint(z * 128))
    assert z.min() >= -8
    assert z.max() < 8
    assert np.all(np.abs(z.mean(axis=0)) < 1)
    assert np.all((z.std(axis=0) > 0.1) & (z.std(axis=0) < 2))
    for f in muon.FEATURES:
        assert math.log2(f.scale).is_integer(), "a multiplication in firmware would cost DSPs"
        for end in (f.low, f.high):
            assert -8 <= (end - f.offset) * f.scale < 8, f.name


def test_signed_differences_tell_the_charges_apart() -> None:
    """mu+ bends one way, mu- the other; with |dphi| only phi_b knows."""
    plus, minus = (muon.gun(10.0, 0.1, np.linspace(0, 6, 4000), q, seed=1) for q in (1, -1))
    column = X_OF["dphi_12"]
    plus, minus = (m[m.valid[:, 0] & m.valid[:, 1]] for m in (plus, minus))
    signed = [np.median(muon.features(m)[:, column]) for m in (plus, minus)]
    assert signed[0] > 0.01
    assert signed[1] < -0.01
    unsigned = muon.features(minus, signed=False)
    assert np.median(unsigned[:, column]) > 0.01
    np.testing.assert_array_equal(
        unsigned, np.where(np.arange(27) >= 21, abs(muon.features(minus)), unsigned)
    )


def test_steps_and_features_agree(sample: muon.Muons) -> None:
    """The table is addressed by steps and the network sees radians: one must be the other."""
    steps, both = dphi_steps(sample)
    inside = np.abs(steps) < 500  # the outer pairs saturate at 511
    np.testing.assert_array_equal(muon.features(sample)[:, 21:][inside], (steps / 4096)[inside])
    assert np.all(steps[~both] == 0)


def test_wrong_inputs_are_refused() -> None:
    """26 columns, or a NaN, come from a slip that training would hide."""
    with pytest.raises(InvalidInputError, match=r"\(5, 26\), expected \(n, 27\)"):
        muon.standardise(np.zeros((5, 26)))
    with pytest.raises(InvalidInputError, match="NaN"):
        muon.standardise(np.full((1, 27), np.nan))


def test_targets_go_there_and_back() -> None:
    """The network learns ln(pT / 20 GeV); a relative error must come back as it went."""
    pt = np.geomspace(1, 900, 100)
    np.testing.assert_allclose(muon.from_target(muon.to_target(pt)), pt, rtol=1e-5)
    assert muon.to_target(20.0) == 0
    assert muon.from_target(np.zeros((5, 1))).shape == (5,)
    assert muon.from_target(np.array([1e9]))[0] == 1000
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InvalidInputError, match="positive and finite"):
            muon.to_target([10.0, bad])
