"""The pT spectra that muons can be drawn from, and the weight that turns one into another.

A network learns what it is shown. Muons in nature fall steeply with pT, so a sample drawn as nature draws
them has almost nothing above 20 GeV; a sample flat in pT has almost nothing below. ``log_pt`` shows every
scale equally and is the usual choice for training; rates are then found by weighting.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgaclass.core import InvalidInputError
from fpgaclass.muon._exact import Floats, exponential

_F = np.float32
_Doubles = NDArray[np.float64]

# Centre and width in log10(pT / GeV) of the log-normal that CMS uses for the rate of prompt and decay
# muons in minimum-bias collisions (vxMuRate of CMSSW).
_MINIMUM_BIAS_CENTRE = -0.725
_MINIMUM_BIAS_WIDTH = 0.4333


@dataclass(frozen=True)
class Spectrum:
    """A shape of dN/dpT.

    Attributes:
        name: what ``simulate(spectrum=...)`` takes.
        meaning: one line for people.
        density: dN/dpT, up to a factor, of pT in GeV (float64 array).
        sample: (uniform numbers in [0, 1), lowest pT, highest pT) -> pT in GeV, float32.
    """

    name: str
    meaning: str
    density: Callable[[_Doubles], _Doubles]
    sample: Callable[[Floats, float, float], Floats]


def _minimum_bias(pt: _Doubles) -> _Doubles:
    x = (np.log10(pt) - _MINIMUM_BIAS_CENTRE) / _MINIMUM_BIAS_WIDTH
    return np.asarray(np.exp(-0.5 * x * x))


def _sample_minimum_bias(u: Floats, low: float, high: float) -> Floats:
    """Invert the cumulative distribution, tabulated in steps of log10 pT."""
    steps = np.linspace(math.log10(low), math.log10(high), 4001)
    per_decade = _minimum_bias(10**steps) * 10**steps
    cumulative = np.concatenate(([0.0], np.cumsum(0.5 * (per_decade[1:] + per_decade[:-1]))))
    x = np.interp(u, cumulative / cumulative[-1], steps).astype(_F)
    return exponential(x * _F(math.log(10)))


def _sample_inverse(u: Floats, low: float, high: float) -> Floats:
    return _F(1) / (_F(1 / high) + _F(1 / low - 1 / high) * u)


def _sample_log(u: Floats, low: float, high: float) -> Floats:
    return _F(low) * exponential(u * _F(math.log(high / low)))


SPECTRA: dict[str, Spectrum] = {
    s.name: s
    for s in (
        Spectrum("flat", "flat in pT", np.ones_like, lambda u, low, high: _F(low) + _F(high - low) * u),
        Spectrum("inverse_pt", "flat in 1/pT, that is, in curvature", lambda pt: pt**-2, _sample_inverse),
        Spectrum("log_pt", "flat in log pT: every scale alike", lambda pt: 1 / pt, _sample_log),
        Spectrum(
            "minimum_bias", "as in minimum-bias collisions, falling", _minimum_bias, _sample_minimum_bias
        ),
    )
}
"""The spectra by name."""


def spectrum_of(name: str) -> Spectrum:
    """Return a spectrum by its name.

    Raises:
        InvalidInputError: no such spectrum; the message lists those there are.
    """
    try:
        return SPECTRA[name]
    except (KeyError, TypeError):
        known = ", ".join(repr(known) for known in SPECTRA)
        raise InvalidInputError(f"unknown spectrum {name!r}", next_step=f"choose one of {known}") from None
