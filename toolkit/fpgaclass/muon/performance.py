"""How well pT is measured: core, bias and tails of (pT_reco - pT) / pT, in bins of true pT."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaclass.core import InvalidInputError
from fpgaclass.muon._checks import check_edges, check_pair

_Doubles = NDArray[np.float64]

PT_BINS = (5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0)
"""Bin edges in GeV in which resolutions are usually compared."""
_ONE_SIGMA = 0.6826894921370859  # share of a Gaussian within one standard deviation
_LOW, _MIDDLE, _HIGH = (1 - _ONE_SIGMA) / 2, 0.5, (1 + _ONE_SIGMA) / 2
_FEWEST = 10  # muons in a bin below which no width is given


@dataclass(frozen=True)
class Resolution:
    """Resolution in k bins of true pT; NaN where a bin holds fewer than ten muons.

    Attributes:
        edges: (k + 1,) float64, GeV.
        count: (k,) int64, muons in each bin.
        sigma68: (k,) float64, half the width of the central 68.3 % of (pT_reco - pT) / pT.
        sigma68_error: (k,) float64, its statistical error.
        bias: (k,) float64, median of (pT_reco - pT) / pT.
        bias_error: (k,) float64, its statistical error.
        tail: (k,) float64, fraction of muons farther than ``tail_beyond`` from the truth.
        tail_low, tail_high: (k,) float64, Clopper-Pearson interval of the tail (68.3 %).
        tail_beyond: the relative distance that counts as tail.
    """

    edges: _Doubles
    count: NDArray[np.int64]
    sigma68: _Doubles
    sigma68_error: _Doubles
    bias: _Doubles
    bias_error: _Doubles
    tail: _Doubles
    tail_low: _Doubles
    tail_high: _Doubles
    tail_beyond: float

    @property
    def centres(self) -> _Doubles:
        """(k,) float64, geometric middle of each bin in GeV (arithmetic if a bin starts at 0)."""
        low, high = self.edges[:-1], self.edges[1:]
        return np.where(low > 0, np.sqrt(np.abs(low * high)), (low + high) / 2)

    def __str__(self) -> str:
        lines = ["  pT (GeV)      muons  sigma68           bias              tail"]
        for k in range(len(self.count)):
            lines.append(
                f"{self.edges[k]:5.0f} -{self.edges[k + 1]:5.0f} {self.count[k]:9d}"
                f"  {self.sigma68[k]:.3f} +- {self.sigma68_error[k]:.3f}"
                f"  {self.bias[k]:+.3f} +- {self.bias_error[k]:.3f}  {self.tail[k]:.4f}"
            )
        return "\n".join(lines)


def resolution(pt_true: Any, pt_reco: Any, bins: Any = PT_BINS, *, tail_beyond: float = 0.5) -> Resolution:
    """Measure the resolution of a pT assignment in bins of true pT.

    sigma68 is half the distance between the quantiles at 15.9 % and 84.1 %: the standard deviation of
    a Gaussian, and deaf to tails, which are counted on their own. Errors come from the order statistics: a
    quantile p of n numbers lies between the quantiles p +- sqrt(p (1 - p) / n).

    Args:
        pt_true: (n,) true pT in GeV, positive.
        pt_reco: (n,) or (n, 1) assigned pT in GeV.
        bins: (k + 1,) rising edges in GeV; muons outside are left out.
        tail_beyond: relative distance from the truth beyond which a muon counts as tail.

    Raises:
        InvalidInputError: shapes that differ, NaN, edges that do not rise.

    Example:
        >>> import numpy as np
        >>> pt = np.full(100_000, 20.0)
        >>> smeared = pt * np.random.default_rng(1).normal(1.0, 0.1, pt.size)
        >>> print(f"{resolution(pt, smeared, bins=(10, 30)).sigma68[0]:.2f}")
        0.10
    """
    truth, reco = check_pair(pt_true, pt_reco)
    edges = check_edges("bins", bins)
    if not (math.isfinite(tail_beyond) and tail_beyond > 0):
        raise InvalidInputError(f"tail_beyond is {tail_beyond!r}; it must be positive")
    residual = (reco - truth) / truth
    where = np.digitize(truth, edges) - 1
    rows = [_in_one_bin(residual[where == k], tail_beyond) for k in range(len(edges) - 1)]
    count, width, width_error, bias, bias_error, tail, low, high = np.array(rows, dtype=float).T
    n = count.astype(np.int64)
    return Resolution(edges, n, width, width_error, bias, bias_error, tail, low, high, float(tail_beyond))


def clopper_pearson(passed: Any, total: Any, level: float = _ONE_SIGMA) -> tuple[_Doubles, _Doubles]:
    """Return the Clopper-Pearson interval of an efficiency.

    The classical interval that covers at least ``level`` for any true efficiency; it does not shrink to
    nothing when all or none pass. From quantiles of the beta distribution (Clopper and Pearson 1934).

    Args:
        passed: (k,) or a number, how many passed.
        total: of how many; where it is 0 the interval is (0, 1).
        level: coverage, by default that of one standard deviation.

    Returns:
        Lower and upper limits, float64.

    Raises:
        InvalidInputError: passed is not within 0 and total, or level not within 0 and 1.

    Example:
        >>> low, high = clopper_pearson(9, 10)
        >>> print(f"{low:.3f} {high:.3f}")
        0.706 0.983
    """
    from scipy.stats import beta

    k, n = np.asarray(passed, np.float64), np.asarray(total, np.float64)
    if not np.all((k >= 0) & (k <= n)):
        raise InvalidInputError("passed must lie between 0 and total, in each bin")
    if not 0 < level < 1:
        raise InvalidInputError(f"level is {level!r}; it must lie between 0 and 1")
    outside = (1 - level) / 2
    low = np.where(k > 0, beta.ppf(outside, np.maximum(k, 1), n - k + 1), 0.0)
    high = np.where(k < n, beta.ppf(1 - outside, k + 1, np.maximum(n - k, 1)), 1.0)
    return low, high


def _in_one_bin(residual: _Doubles, tail_beyond: float) -> tuple[float, ...]:
    n = len(residual)
    if n < _FEWEST:
        return (n, *([math.nan] * 7))
    (low, bias, high), (low_error, bias_error, high_error) = _quantiles(residual)
    # Two quantiles of one sample move together: their correlation is sqrt(p1 (1 - p2) / (p2 (1 - p1))).
    together = 2 * (_LOW / _HIGH) * low_error * high_error
    error = 0.5 * math.sqrt(max(low_error**2 + high_error**2 - together, 0.0))
    k = int((np.abs(residual) > tail_beyond).sum())
    tail_low, tail_high = clopper_pearson(k, n)
    return n, (high - low) / 2, error, bias, bias_error, k / n, float(tail_low), float(tail_high)


def _quantiles(values: _Doubles) -> tuple[list[float], list[float]]:
    """Quantiles at -1, 0 and +1 sigma and their errors."""
    p = np.array((_LOW, _MIDDLE, _HIGH))
    spread = np.sqrt(p * (1 - p) / len(values))
    at = np.quantile(values, np.concatenate((p, np.clip(p - spread, 0, 1), np.clip(p + spread, 0, 1))))
    return at[:3].tolist(), ((at[6:] - at[3:6]) / 2).tolist()
