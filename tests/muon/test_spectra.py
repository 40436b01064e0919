"""The spectra: what is drawn follows the density that the weights use."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaclass import muon
from fpgaclass.core import InvalidInputError
from fpgaclass.muon.spectra import spectrum_of

LOW, HIGH = 3.0, 200.0


@pytest.mark.parametrize("name", sorted(muon.SPECTRA))
def test_samples_follow_their_density(name: str) -> None:
    """Weights divide by the density; if sampling disagreed, every rate would be wrong.

    The largest distance of the cumulative distributions (Kolmogorov) of 100,000 draws exceeds 0.006 in
    less than one of 500 samples.
    """
    spectrum = muon.SPECTRA[name]
    pt = np.sort(spectrum.sample(np.random.default_rng(1).random(100_000, dtype=np.float32), LOW, HIGH))
    grid = np.geomspace(LOW, HIGH, 20_001)
    density = spectrum.density(grid)
    cumulative = np.concatenate(([0.0], np.cumsum(np.diff(grid) * (density[1:] + density[:-1]) / 2)))
    expected = np.interp(pt, grid, cumulative / cumulative[-1])
    assert np.abs(expected - np.linspace(0, 1, len(pt))).max() < 0.006
    assert pt[0] >= LOW * (1 - 1e-6)
    assert pt[-1] <= HIGH * (1 + 1e-6)


def test_the_minimum_bias_spectrum_falls_as_it_should() -> None:
    """The rate's log-normal, by hand from its formula: from 5 to 20 GeV it falls by some hundred."""
    density = muon.SPECTRA["minimum_bias"].density(np.array([5.0, 20.0]))
    expected = np.exp(((np.log10(20) + 0.725) ** 2 - (np.log10(5) + 0.725) ** 2) / (2 * 0.4333**2))
    assert density[0] / density[1] == pytest.approx(expected)
    assert 40 < expected < 300


@pytest.mark.parametrize("name", ["flatt", "", None, 3, ["flat"]])
def test_an_unknown_spectrum_lists_those_there_are(name: object) -> None:
    """A typo is answered with the right spelling."""
    with pytest.raises(InvalidInputError, match="'flat', 'inverse_pt', 'log_pt', 'minimum_bias'"):
        spectrum_of(name)  # type: ignore[arg-type]
