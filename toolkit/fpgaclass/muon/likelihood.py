"""A global fit: the most likely curvature given all stubs, with the correlations of multiple scattering.

It uses everything the stubs say and is what a table or a network should be compared with. It is also far
too much arithmetic for a trigger.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaclass.core import InvalidInputError
from fpgaclass.muon.detector import HIGH_QUALITY, N_STATIONS, PHI_B_STEPS, PHI_STEPS
from fpgaclass.muon.inputs import PAIRS, dphi_steps
from fpgaclass.muon.muons import Muons

_Doubles = NDArray[np.float64]
_PARAMETERS = len(PAIRS) + N_STATIONS  # six dphi, four phi_b
_NODES = 73  # on each side of zero
_POWER = 1.7  # nodes lie closer near zero, where a pT bin is narrow in curvature
_WINDOW = (0.08, 0.003)  # muons around a node: relative, and at least so many 1/GeV
_FEWEST = 400  # muons a node's covariance needs
_CORE = 3.5  # standard deviations (by the median of the distances); wrong stubs are outside
_SHARPEST = (0.1 / PHI_STEPS) ** 2  # rad^2, the smallest variance a covariance may have
_PT_LIMITS = (2.0, 1000.0)  # GeV, where a fit saturates


@dataclass(frozen=True)
class LikelihoodFit:
    """pT by maximum likelihood over the curvature t = charge / pT.

    At each node t the six dphi and four phi_b have a mean and a covariance, found from training muons
    around it. A muon's pT is where the Gaussian likelihood of what it left in the detector is largest,
    between the nodes by a parabola. It uses the dphi of neighbouring stubs and the phi_b of high-quality
    stubs.

    Attributes:
        nodes: (147,) float64, charge / pT in 1/GeV, rising.
        mean: (147, 10) float64, mean of (dphi x 6, phi_b x 4) in rad at each node.
        covariance: (147, 10, 10) float64, rad^2.

    Example:
        >>> from fpgaclass.muon import simulate
        >>> fit = LikelihoodFit.fit(simulate(200_000, seed=1, spectrum="inverse_pt"))
        >>> pt = fit.predict(simulate(1000, seed=2).with_stubs(2))
    """

    nodes: _Doubles
    mean: _Doubles
    covariance: _Doubles

    @classmethod
    def fit(cls, muons: Muons) -> LikelihoodFit:
        """Learn means and covariances from muons of known charge and pT.

        Args:
            muons: 100,000 or more, of spectrum ``inverse_pt`` or ``log_pt``, so that each curvature is there.

        Raises:
            InvalidInputError: too few muons for a covariance.
        """
        values, there = _observables(muons)
        if len(muons) < 20 * _FEWEST:
            raise InvalidInputError(
                f"{len(muons)} muons are too few for {2 * _NODES + 1} covariances",
                next_step=f"fit with at least {20 * _FEWEST}, better 200,000",
            )
        # In a mirror mu- is mu+: it doubles the statistics, makes the fit symmetric and bridges zero.
        t = np.concatenate((muons.charge / muons.pt.astype(float), -muons.charge / muons.pt.astype(float)))
        values = np.where(there, values, np.nan)
        values = np.concatenate((values, -values))
        order = np.argsort(t, kind="stable")
        t, values = t[order], values[order]
        side = np.linspace(0, 1, _NODES + 1) ** _POWER * t[-1]
        mean = np.zeros((_NODES + 1, _PARAMETERS))
        covariance = np.empty((_NODES + 1, _PARAMETERS, _PARAMETERS))
        for j, node in enumerate(side):
            start, stop = _window(t, node)
            mean[j], covariance[j] = _core(t[start:stop] - node, values[start:stop])
        mean[0] = 0.0
        nodes = np.concatenate((-side[:0:-1], side))
        return cls(
            nodes,
            np.concatenate((-mean[:0:-1], mean)),
            np.concatenate((covariance[:0:-1], covariance)),
        )

    def predict(self, muons: Muons) -> NDArray[np.float32]:
        """Return pT in GeV, (n,) float32, 2 to 1000; NaN for a muon with fewer than two stubs."""
        curvature = np.abs(self.curvature(muons))
        low, high = _PT_LIMITS
        return (1 / np.clip(curvature, 1 / high, 1 / low)).astype(np.float32)

    def curvature(self, muons: Muons) -> _Doubles:
        """Return charge / pT in 1/GeV, (n,) float64; NaN for a muon with fewer than two stubs."""
        values, usable = _observables(muons)
        result = np.full(len(muons), np.nan)
        # Muons with the same stubs share the same inverse covariances.
        code = usable @ (1 << np.arange(_PARAMETERS))
        for pattern in np.unique(code):
            rows = np.flatnonzero(code == pattern)
            columns = _columns(muons.valid[rows[0]], usable[rows[0]])
            if muons.valid[rows[0]].sum() >= 2:
                result[rows] = self._most_likely(values[rows][:, columns], columns)
        return result

    def _most_likely(self, values: _Doubles, columns: list[int]) -> _Doubles:
        """Scan -2 ln L over the nodes, as one product of matrices, and refine its minimum."""
        mean = self.mean[:, columns]
        inverse = np.linalg.inv(self.covariance[:, columns][:, :, columns])
        _, log_determinant = np.linalg.slogdet(inverse)
        pulled = np.einsum("jab,jb->ja", inverse, mean)
        constant = np.einsum("ja,ja->j", pulled, mean) - log_determinant
        pairs = list(itertools.combinations_with_replacement(range(len(columns)), 2))
        a, b = (np.array(index) for index in zip(*pairs, strict=True))
        weight = inverse[:, a, b] * np.where(a == b, 1, 2)
        chi2 = (values[:, a] * values[:, b]) @ weight.T - 2 * values @ pulled.T + constant
        best = np.clip(chi2.argmin(axis=1), 1, len(self.nodes) - 2)
        rows = np.arange(len(values))
        around = [(self.nodes[best + i], chi2[rows, best + i]) for i in (-1, 0, 1)]
        return _parabola(*around)


def _observables(muons: Muons) -> tuple[_Doubles, NDArray[np.bool_]]:
    """(n, 10) dphi and phi_b in rad, 0 where missing, and which can be used: phi_b of high quality only."""
    steps, both = dphi_steps(muons)
    good = muons.valid & (muons.quality >= HIGH_QUALITY)
    values = np.concatenate((steps / PHI_STEPS, muons.stub_phi_b / PHI_B_STEPS), axis=1)
    return values, np.concatenate((both, good), axis=1)


def _columns(valid: NDArray[np.bool_], usable: NDArray[np.bool_]) -> list[int]:
    """Independent observables: dphi between neighbouring stubs, and the good phi_b."""
    stations = np.flatnonzero(valid).tolist()
    dphi = [PAIRS.index(pair) for pair in itertools.pairwise(stations)]
    return dphi + [len(PAIRS) + s for s in range(N_STATIONS) if usable[len(PAIRS) + s]]


def _window(t: _Doubles, node: float) -> tuple[int, int]:
    """Return the rows of the (sorted) muons around a node, more of them if they are few."""
    half = max(_WINDOW[0] * node, _WINDOW[1])
    start, stop = np.searchsorted(t, (node - half, node + half))
    if stop - start < _FEWEST:
        start = int(np.clip(np.searchsorted(t, node) - _FEWEST // 2, 0, len(t) - _FEWEST))
        stop = start + _FEWEST
    return int(start), int(stop)


def _core(offset: _Doubles, values: _Doubles) -> tuple[_Doubles, _Doubles]:
    """Mean at the node and covariance, from a straight line in curvature through the trimmed core."""
    mean = np.zeros(_PARAMETERS)
    rest = np.full_like(values, np.nan)
    for k in range(_PARAMETERS):
        x, y = offset, values[:, k]
        keep = np.isfinite(y)
        if keep.sum() < 20:
            continue
        for _ in range(3):
            level, slope = _line(x[keep], y[keep])
            distance = np.abs(y - (level + slope * x))
            keep = distance <= _CORE * 1.4826 * np.median(distance[keep])
        mean[k] = level
        rest[:, k] = np.where(keep, y - (level + slope * x), np.nan)
    there = np.isfinite(rest)
    filled = np.where(there, rest, 0.0)
    counts = there.T.astype(float) @ there
    covariance = (filled.T @ filled) / np.maximum(counts, 1)
    # What was never seen there (an outer station below its reach) is unknown within 0.1 rad.
    unknown = np.flatnonzero(counts.diagonal() < 20)
    covariance[unknown, unknown] = 1e-2
    # Each pair of columns was averaged over its own muons, and dphi_13 is dphi_12 + dphi_23: nothing keeps
    # such a matrix positive. No direction is known better than a tenth of a step of phi.
    spread, axes = np.linalg.eigh(covariance * (1 + 0.02 * np.eye(_PARAMETERS)))
    return mean, (axes * np.maximum(spread, _SHARPEST)) @ axes.T


def _line(x: _Doubles, y: _Doubles) -> tuple[float, float]:
    """Intercept and slope by least squares."""
    x_mean, y_mean = x.mean(), y.mean()
    slope = float(((x - x_mean) @ (y - y_mean)) / ((x - x_mean) @ (x - x_mean)))
    return float(y_mean - slope * x_mean), slope


def _parabola(*points: tuple[Any, Any]) -> _Doubles:
    """Minimum of the parabola through three points of unequal spacing, kept between the outer two."""
    (x0, y0), (x1, y1), (x2, y2) = points
    left, right = (x1 - x0) * (y1 - y2), (x1 - x2) * (y1 - y0)
    numerator, denominator = (x1 - x0) * left - (x1 - x2) * right, left - right
    flat = np.abs(denominator) < 1e-30
    x = x1 - 0.5 * np.where(flat, 0.0, numerator / np.where(flat, 1.0, denominator))
    return np.asarray(np.clip(x, x0, x2))
