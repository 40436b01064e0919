"""What a trigger makes of pT: the turn-on of a threshold, and the rate that is left.

Thresholds are named by where they are 90 % efficient: a trigger "at 22 GeV" keeps 90 % of the muons of
22 GeV. So the cut on the assigned pT lies below the name, the more so the worse the resolution; and two
algorithms can only be compared at the same name, never at the same cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaclass.core import InvalidInputError
from fpgaclass.muon._checks import check_edges, check_pair, check_threshold, check_weight
from fpgaclass.muon.muons import Muons
from fpgaclass.muon.performance import clopper_pearson
from fpgaclass.muon.spectra import SPECTRA

_Doubles = NDArray[np.float64]

TURN_ON_BINS = tuple(float(pt) for pt in (*range(0, 10, 2), *range(10, 40), *range(40, 62, 2)))
"""Bin edges in GeV: fine around the usual thresholds."""
_AROUND = 0.03  # muons within 3 % of the threshold decide where the cut lies
_FEWEST = 50  # of them


@dataclass(frozen=True)
class TurnOn:
    """Efficiency of one threshold against true pT, in k bins; NaN where a bin is empty.

    Attributes:
        threshold: GeV, where the efficiency is ``plateau``: the name of the trigger.
        cut: GeV, the cut on the assigned pT that makes it so.
        plateau: efficiency at the threshold, usually 0.9.
        edges: (k + 1,) float64, GeV.
        passed: (k,) int64, muons with pT_reco >= cut.
        total: (k,) int64, muons.
        efficiency: (k,) float64.
        low, high: (k,) float64, Clopper-Pearson interval (68.3 %).
    """

    threshold: float
    cut: float
    plateau: float
    edges: _Doubles
    passed: NDArray[np.int64]
    total: NDArray[np.int64]
    efficiency: _Doubles
    low: _Doubles
    high: _Doubles

    @property
    def centres(self) -> _Doubles:
        """(k,) float64, middle of each bin in GeV."""
        return (self.edges[:-1] + self.edges[1:]) / 2

    def point(self, efficiency: float = 0.9) -> float:
        """Return the pT in GeV where the curve first reaches an efficiency, between bins by a line.

        Raises:
            InvalidInputError: the curve never crosses it.
        """
        there = self.total > 0
        x, y = self.centres[there], self.efficiency[there]
        above = np.flatnonzero((y[1:] >= efficiency) & (y[:-1] < efficiency))
        if not len(above):
            raise InvalidInputError(
                f"the turn-on does not cross {efficiency:g}", where=f"{x[0]:g} to {x[-1]:g} GeV"
            )
        i = int(above[0])
        return float(x[i] + (efficiency - y[i]) / (y[i + 1] - y[i]) * (x[i + 1] - x[i]))


@dataclass(frozen=True)
class Rate:
    """Share of all weighted muons that a threshold accepts, at k thresholds.

    Attributes:
        thresholds: (k,) float64, GeV, each where the trigger is ``plateau`` efficient.
        cuts: (k,) float64, GeV, the cuts on the assigned pT.
        rate: (k,) float64, accepted weight over all weight. Relative: times the rate of all muons it is Hz.
        error: (k,) float64, statistical error of it.
        ideal: (k,) float64, the rate of a perfect measurement (of muons above the threshold).
        plateau: efficiency at the threshold.
    """

    thresholds: _Doubles
    cuts: _Doubles
    rate: _Doubles
    error: _Doubles
    ideal: _Doubles
    plateau: float


def cut_at(pt_true: Any, pt_reco: Any, threshold: float, plateau: float = 0.9) -> float:
    """Return the cut on pT_reco (GeV) that keeps ``plateau`` of the muons whose true pT is the threshold.

    It is the quantile 1 - plateau of pT_reco / pT, times the threshold, for the muons within 3 % of it.

    Raises:
        InvalidInputError: fewer than 50 muons lie within 3 % of the threshold, or arguments do not fit.
    """
    truth, reco = check_pair(pt_true, pt_reco)
    threshold = check_threshold(threshold)
    if not 0 < plateau < 1:
        raise InvalidInputError(f"plateau is {plateau!r}; it must lie between 0 and 1")
    near = np.abs(truth / threshold - 1) < _AROUND
    if near.sum() < _FEWEST:
        raise InvalidInputError(
            f"only {near.sum()} muons lie within 3 % of {threshold:g} GeV, and a cut needs {_FEWEST}",
            next_step="use more muons, or a pt_range around the threshold",
        )
    # The lower order statistic: at least the plateau passes, also when a table repeats its values.
    return float(threshold * np.quantile(reco[near] / truth[near], 1 - plateau, method="lower"))


def turn_on(
    pt_true: Any,
    pt_reco: Any,
    threshold: float = 22.0,
    *,
    bins: Any = TURN_ON_BINS,
    plateau: float = 0.9,
    cut: float | None = None,
) -> TurnOn:
    """Measure the efficiency of a threshold against true pT.

    Args:
        pt_true: (n,) true pT in GeV.
        pt_reco: (n,) or (n, 1) assigned pT in GeV.
        threshold: GeV, where the efficiency is to be ``plateau``.
        bins: (k + 1,) rising edges of true pT in GeV.
        plateau: efficiency at the threshold.
        cut: GeV; a cut found on another sample, instead of finding it on this one with ``cut_at``.

    Raises:
        InvalidInputError: arguments do not fit, or too few muons lie near the threshold to find the cut.

    Example:
        >>> from fpgaclass.muon import DeltaPhiTable, simulate
        >>> table = DeltaPhiTable.fit(simulate(100_000, seed=1, spectrum="log_pt"))
        >>> muons = simulate(100_000, seed=2, spectrum="log_pt").with_stubs(2)
        >>> curve = turn_on(muons.pt, table.predict(muons), threshold=22)
        >>> 21 < curve.point(0.9) < 23
        True
    """
    truth, reco = check_pair(pt_true, pt_reco)
    edges = check_edges("bins", bins)
    if cut is None:
        cut = cut_at(truth, reco, threshold, plateau)
    total, _ = np.histogram(truth, edges)
    passed, _ = np.histogram(truth[reco >= check_threshold(cut)], edges)
    low, high = clopper_pearson(passed, total)
    efficiency = np.where(total > 0, passed / np.maximum(total, 1), np.nan)
    return TurnOn(check_threshold(threshold), cut, plateau, edges, passed, total, efficiency, low, high)


def minimum_bias_weight(muons: Muons) -> _Doubles:
    """Return the weights that make a sample's pT spectrum that of minimum-bias collisions.

    The weight is the ratio of the two densities dN/dpT, scaled to a mean of one. Use a sample drawn from
    ``log_pt``: it has muons at every scale, and the weights vary least where the rate is made.

    Returns:
        (n,) float64.

    Raises:
        InvalidInputError: muons of a particle gun, whose spectrum is not known.
    """
    if muons.spectrum not in SPECTRA:
        raise InvalidInputError(
            f"muons of spectrum {muons.spectrum!r} have no known density",
            next_step='use simulate(..., spectrum="log_pt")',
        )
    pt = muons.pt.astype(np.float64)
    weight = SPECTRA["minimum_bias"].density(pt) / SPECTRA[muons.spectrum].density(pt)
    return np.asarray(weight / weight.mean())


def rate(
    pt_true: Any,
    pt_reco: Any,
    thresholds: float | Sequence[float] = (5, 7, 10, 14, 18, 22, 25, 30, 40, 50),
    weight: Any = None,
    *,
    plateau: float = 0.9,
) -> Rate:
    """Measure the relative rate of a single-muon trigger against its threshold.

    R(T) is the weight of the muons with pT_reco >= c(T) over all weight, with the cut c(T) that is
    ``plateau`` efficient at T. Most of it are softer muons measured too high: this is what a good
    resolution buys.

    Args:
        pt_true: (n,) true pT in GeV.
        pt_reco: (n,) or (n, 1) assigned pT in GeV.
        thresholds: GeV, one or several.
        weight: (n,) weights, usually ``minimum_bias_weight(muons)``; None weighs all muons alike.
        plateau: efficiency at the threshold.

    Raises:
        InvalidInputError: arguments do not fit, or too few muons lie near a threshold.
    """
    truth, reco = check_pair(pt_true, pt_reco)
    weights = check_weight(weight, len(truth))
    weights = weights / weights.sum()
    at = np.array([check_threshold(float(t)) for t in np.atleast_1d(np.asarray(thresholds, np.float64))])
    cuts = np.array([cut_at(truth, reco, float(t), plateau) for t in at])
    accepted = [np.where(reco >= c, weights, 0.0) for c in cuts]
    return Rate(
        at,
        cuts,
        np.array([w.sum() for w in accepted]),
        np.array([np.sqrt((w * w).sum()) for w in accepted]),
        np.array([weights[truth >= t].sum() for t in at]),
        plateau,
    )
