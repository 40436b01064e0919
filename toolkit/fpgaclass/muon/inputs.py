"""The 27 numbers a pT regressor sees, on the grid of the trigger's own integers.

Layout, in station order (four numbers a group, MB1 to MB4; six pairs for ``dphi``)::

    n_stubs | station x 4 | wheel x 4 | sector x 4 | phi_b x 4 | high_quality x 4 | dphi x 6

A missing station has zeros everywhere, and so have the pairs it would be part of.

**Signed or unsigned.** The published versions of this regressor use the absolute value of dphi. That is
safe only when the training sample holds both charges: a network trained on positive muons alone with
|dphi| learns one sign of phi_b and gives the other charge more than twice its pT. The default here is
signed; ``signed=False`` gives the published choice.

**The grid.** Every feature is a whole multiple of its step (``Feature.step``), and the step is a power of
two, so that firmware gets it without rounding. Between sectors dphi needs the sector's width in steps,
2144.66; it is rounded to the integer 2145, as an adder in firmware would (a third of a step, 0.08 mrad).

**Standardising.** Networks train badly on numbers of very different size (the resolution at 30-40 GeV
doubles). ``standardise`` shifts each feature by a constant on its grid and multiplies it by a power of two:
in firmware that is a wire and at most an adder, and the result is still exact. It is part of the input
contract of a model: who trains on standardised features must feed standardised features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaclass.core import InvalidInputError
from fpgaclass.muon.detector import HIGH_QUALITY, N_SECTORS, N_STATIONS, PHI_B_STEPS, PHI_STEPS, SECTOR_WIDTH
from fpgaclass.muon.muons import Muons

PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""Pairs of stations (counted from 0) in the order of the dphi features."""
REFERENCE_PT = 20.0
"""GeV; the pT whose training target is zero."""
_SECTOR_STEPS = round(SECTOR_WIDTH * PHI_STEPS)


@dataclass(frozen=True)
class Feature:
    """One input of the regressor.

    Attributes:
        name: such as ``"phi_b_1"`` (station 1) or ``"dphi_12"`` (MB1 minus MB2).
        unit: ``"rad"`` or ``""``.
        step: least significant bit; every value is a whole multiple of it.
        low, high: smallest and largest value; what lies outside saturates.
        offset, scale: ``standardise`` gives (value - offset) * scale; scale is a power of two.
    """

    name: str
    unit: str
    step: float
    low: float
    high: float
    offset: float
    scale: float


def _group(name: str, step: float, low: float, high: float, offset: float, scale: float) -> list[Feature]:
    unit = "rad" if name == "phi_b" else ""
    stations = range(1, N_STATIONS + 1)
    return [Feature(f"{name}_{s}", unit, step, low, high, offset, scale) for s in stations]


def _dphi(inner: int, outer: int) -> Feature:
    # Seen from MB1 the differences are twice those among the outer stations: 0.19 rad at 3 GeV, and 0.10.
    scale = 32 if inner == 0 else 64
    limit = 8 / scale - 1 / PHI_STEPS
    return Feature(f"dphi_{inner + 1}{outer + 1}", "rad", 1 / PHI_STEPS, -limit, limit, 0, scale)


FEATURES: tuple[Feature, ...] = (
    Feature("n_stubs", "", 1, 0, 4, 3, 1),
    *_group("station", 1, 0, 4, 2, 0.5),
    *_group("wheel", 1, -2, 2, 0, 0.5),
    *_group("sector", 1, 0, 12, 6, 0.25),
    *_group("phi_b", 1 / PHI_B_STEPS, -1, 1 - 1 / PHI_B_STEPS, 0, 8),
    *_group("high_quality", 1, 0, 1, 0, 1),
    *(_dphi(inner, outer) for inner, outer in PAIRS),
)
"""The inputs in order: name, unit, step, range, and how they are standardised."""
FEATURE_NAMES: tuple[str, ...] = tuple(f.name for f in FEATURES)
"""Names of the 27 features in order."""
_OFFSET = np.array([f.offset for f in FEATURES], np.float32)
_SCALE = np.array([f.scale for f in FEATURES], np.float32)
_DPHI_LIMITS = np.array([f.high for f in FEATURES[-len(PAIRS) :]])


def dphi_steps(muons: Muons) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return the signed azimuth differences of the six pairs in integer steps.

    Args:
        muons: n muons.

    Returns:
        (n, 6) int32 in steps of 1/4096 rad, inner minus outer station, 0 where a stub is missing; and
        (n, 6) bool, whether both stubs are there.
    """
    inner, outer = (list(stations) for stations in zip(*PAIRS, strict=True))
    both = muons.valid[:, inner] & muons.valid[:, outer]
    sectors = muons.sector[:, inner].astype(np.int32) - muons.sector[:, outer]
    sectors = (sectors + N_SECTORS // 2) % N_SECTORS - N_SECTORS // 2
    steps = muons.stub_phi[:, inner].astype(np.int32) - muons.stub_phi[:, outer] + sectors * _SECTOR_STEPS
    return np.where(both, steps, 0), both


def features(muons: Muons, *, signed: bool = True) -> NDArray[np.float32]:
    """Return the 27 features of each muon, in physical units.

    Args:
        muons: n muons; those with fewer than two stubs carry little (see ``Muons.with_stubs``).
        signed: keep the sign of dphi; False gives |dphi|, with the trap that the module describes.

    Returns:
        (n, 27) float32: counts and numbers without unit, angles in rad. Columns as ``FEATURE_NAMES``.

    Example:
        >>> from fpgaclass.muon import simulate
        >>> features(simulate(1000, seed=1)).shape
        (1000, 27)
    """
    steps, _ = dphi_steps(muons)
    dphi = np.clip(steps / PHI_STEPS, -_DPHI_LIMITS, _DPHI_LIMITS)
    if not signed:
        dphi = np.abs(dphi)
    valid = muons.valid
    columns = (
        muons.n_stubs[:, None],
        valid * np.arange(1, N_STATIONS + 1),
        muons.wheel,
        muons.sector,
        muons.stub_phi_b / PHI_B_STEPS,
        muons.quality >= HIGH_QUALITY,
        dphi,
    )
    return np.concatenate(columns, axis=1, dtype=np.float32, casting="unsafe")


def standardise(x: NDArray[Any]) -> NDArray[np.float32]:
    """Bring features to about unit size: (x - offset) * scale, exact in fixed point.

    Args:
        x: (n, 27) features in physical units, from ``features``.

    Returns:
        (n, 27) float32, whole multiples of 1/128 between -8 and 8, so that 11 bits hold each
        of them exactly: ``ap_fixed<11,4>``.

    Raises:
        InvalidInputError: the shape is not (n, 27), or a value is not finite.
    """
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != len(FEATURES):
        raise InvalidInputError(f"features have shape {x.shape}, expected (n, {len(FEATURES)})")
    if not np.all(np.isfinite(x)):
        raise InvalidInputError("features hold NaN or infinity; take them from features(muons)")
    return (x.astype(np.float32) - _OFFSET) * _SCALE


def to_target(pt: Any) -> NDArray[np.float32]:
    """Return the training target ln(pT / 20 GeV): an error of it is a relative error of pT.

    Training on pT itself with a squared error makes 10 GeV at 100 GeV cost as much as 10 GeV at 10 GeV, and
    the trigger's region around 20 GeV is lost.

    Raises:
        InvalidInputError: a pT is not positive and finite.
    """
    pt = np.asarray(pt, np.float64)
    if not np.all(np.isfinite(pt) & (pt > 0)):
        raise InvalidInputError("each pT must be positive and finite to have a logarithm")
    return np.asarray(np.log(pt / REFERENCE_PT), np.float32)


def from_target(target: Any, *, largest: float = 1000.0) -> NDArray[np.float32]:
    """Return pT in GeV of a target or of a model's output; shape (n, 1) becomes (n,).

    Args:
        target: (n,) or (n, 1), ln(pT / 20 GeV).
        largest: GeV at which pT saturates, so that an untrained model gives no infinity.
    """
    target = np.asarray(target, np.float64)
    if target.ndim == 2 and target.shape[1] == 1:
        target = target[:, 0]
    highest = math.log(largest / REFERENCE_PT)
    return np.asarray(REFERENCE_PT * np.exp(np.minimum(target, highest)), np.float32)
