"""Simulate muons in the barrel: draw them, take them through the detector, digitise their stubs.

Muons are worked in chunks that stay in the processor's cache. Each chunk has its own random stream, derived
from the seed and the chunk's number, and is always drawn whole; so the first k muons of a larger sample are
the sample of k muons.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from fpgaclass.core import InvalidInputError
from fpgaclass.muon._exact import Floats, hyperbolic_sine
from fpgaclass.muon.detector import (
    BARREL,
    HIGH_QUALITY,
    N_SECTORS,
    N_STATIONS,
    PHI_B_STEPS,
    PHI_STEPS,
    SECTOR_WIDTH,
    Detector,
)
from fpgaclass.muon.muons import Array, Muons
from fpgaclass.muon.spectra import spectrum_of
from fpgaclass.muon.transport import Passage, propagate

_F = np.float32
_CHUNK = 16384
MAX_ETA = 1.2
"""Largest pseudorapidity that reaches the barrel's inner station."""
_MAX_PT = 10_000.0
_LOW_QUALITIES = (2, 3)
_SHARE_OF_2 = 0.56  # among low quality
_SHARE_OF_4_5 = (0.03, 0.27)  # among high quality: below the first 4, below the second 5, else 6
_WRONG_PHI = 5e-3  # rad, scale of the Laplace distribution of a wrong stub's phi
_WRONG_PHI_B = 0.06  # rad


def simulate(
    n: int,
    seed: int,
    spectrum: str = "flat",
    *,
    pt_range: tuple[float, float] = (3.0, 200.0),
    eta_max: float = 0.83,
    detector: Detector = BARREL,
) -> Muons:
    """Simulate n muons, half of each charge, uniform in eta and phi.

    Args:
        n: how many, at least 1. Muons that fire no station are among them.
        seed: non-negative integer. The same seed gives the same muons on any machine with this numpy, and
            a smaller n gives the first of them.
        spectrum: ``"flat"``, ``"inverse_pt"``, ``"log_pt"`` or ``"minimum_bias"``; see ``SPECTRA``.
        pt_range: lowest and highest pT in GeV. Below 3 GeV hardly a muon reaches a station.
        eta_max: largest |eta|, up to 1.2; the default keeps clear of the overlap with the endcaps.
        detector: geometry, field, material and response.

    Returns:
        Muons, of length n. Their source is *simulated*; the module ``detector`` says how well.

    Raises:
        InvalidInputError: an argument is out of range; the message says which and why.

    Example:
        >>> muons = simulate(10_000, seed=1, spectrum="log_pt")
        >>> muons.stub_phi.shape
        (10000, 4)
        >>> usable = muons.with_stubs(2)
    """
    n, seed = _whole("n", n, 1), _whole("seed", seed, 0)
    shape = spectrum_of(spectrum)
    low, high = _check_range(pt_range)
    if not (math.isfinite(eta_max) and 0 < eta_max <= MAX_ETA):
        raise InvalidInputError(f"eta_max is {eta_max!r}; the barrel covers 0 < |eta| <= {MAX_ETA}")
    result = _Columns(n)
    for rows, rng in _chunks(n, seed):
        pt = shape.sample(rng.random(_CHUNK, dtype=_F), low, high)
        eta = (rng.random(_CHUNK, dtype=_F) * _F(2) - _F(1)) * _F(eta_max)
        phi = rng.random(_CHUNK, dtype=_F) * _F(2 * math.pi)
        charge = np.where(rng.random(_CHUNK, dtype=_F) < _F(0.5), _F(1), _F(-1))
        result.fill(rows, _chunk(pt, eta, phi, charge, detector, rng))
    return result.muons(spectrum, (low, high))


def gun(pt: Any, eta: Any, phi: Any, charge: Any, seed: int, *, detector: Detector = BARREL) -> Muons:
    """Simulate muons of given kinematics, as a particle gun shoots them.

    Args:
        pt: GeV; this and the next three are numbers or (n,) arrays and are broadcast together.
        eta: pseudorapidity, |eta| <= 1.2.
        phi: azimuth at the vertex in rad; it is taken modulo 2 pi.
        charge: +1 or -1.
        seed: non-negative integer.
        detector: geometry, field, material and response.

    Returns:
        Muons with ``spectrum == "gun"``.

    Raises:
        InvalidInputError: shapes that do not fit, or a number out of range.

    Example:
        >>> import numpy as np
        >>> shots = gun(np.full(1000, 20.0), eta=0.4, phi=0.1, charge=-1, seed=1)
        >>> round(float(np.nanmedian(shots.phi_b()[:, 0])), 2)
        0.08
    """
    seed = _whole("seed", seed, 0)
    try:
        given = np.broadcast_arrays(*(np.atleast_1d(np.asarray(x, _F)) for x in (pt, eta, phi, charge)))
    except ValueError as reason:
        raise InvalidInputError(f"pt, eta, phi and charge do not fit together: {reason}") from None
    if given[0].ndim != 1 or not given[0].size:
        raise InvalidInputError(f"the kinematics have shape {given[0].shape}, expected (n,) with n >= 1")
    if not (np.all(given[0] > 0) and np.all(given[0] <= _MAX_PT)):
        raise InvalidInputError(f"each pt must be above 0 and at most {_MAX_PT:g} GeV")
    if not np.all(np.abs(given[1]) <= _F(MAX_ETA)):
        raise InvalidInputError(f"each eta must be within +-{MAX_ETA}, which the barrel covers")
    if not np.all(np.isfinite(given[2])):
        raise InvalidInputError("each phi must be a finite number")
    if not np.all(np.abs(given[3]) == 1):
        raise InvalidInputError("each charge must be +1 or -1")
    result = _Columns(len(given[0]))
    for rows, rng in _chunks(len(given[0]), seed):
        padding = (0, _CHUNK - (rows.stop - rows.start))
        k_pt, k_eta, k_phi, k_charge = (np.pad(x[rows], padding, mode="edge") for x in given)
        result.fill(rows, _chunk(k_pt, k_eta, k_phi % _F(2 * math.pi), k_charge, detector, rng))
    return result.muons("gun", (float(given[0].min()), float(given[0].max())))


class _Columns:
    """The arrays of a ``Muons``, filled chunk by chunk."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.arrays: dict[str, Array] = {}

    def fill(self, rows: slice, chunk: dict[str, Array]) -> None:
        for name, part in chunk.items():
            if name not in self.arrays:
                self.arrays[name] = np.empty((self.n, *part.shape[1:]), part.dtype)
            self.arrays[name][rows] = part[: rows.stop - rows.start]

    def muons(self, spectrum: str, pt_range: tuple[float, float]) -> Muons:
        return Muons(**self.arrays, spectrum=spectrum, pt_range=pt_range)


def _chunks(n: int, seed: int) -> Iterator[tuple[slice, np.random.Generator]]:
    for number, start in enumerate(range(0, n, _CHUNK)):
        stream = np.random.SeedSequence(seed, spawn_key=(number,))
        yield slice(start, min(start + _CHUNK, n)), np.random.Generator(np.random.SFC64(stream))


def _chunk(
    pt: Floats, eta: Floats, phi: Floats, charge: Floats, detector: Detector, rng: np.random.Generator
) -> dict[str, Array]:
    z0 = rng.standard_normal(len(pt), dtype=_F) * _F(detector.vertex_sigma_z)
    passage = propagate(pt, eta, phi, charge, z0, detector.stations, detector, rng)
    stubs = _digitise(passage, pt, eta, z0, detector, rng)
    return {"pt": pt, "eta": eta, "phi": phi, "charge": charge.astype(np.int8), **stubs}


def _digitise(
    passage: Passage, pt: Floats, eta: Floats, z0: Floats, detector: Detector, rng: np.random.Generator
) -> dict[str, Array]:
    """What the electronics report. Works station by station in (4, n), returns (n, 4)."""
    shape = passage.phi.shape
    sinh = hyperbolic_sine(eta)
    z = z0 + np.array(detector.stations, _F)[:, None] * sinh
    sector = np.rint(passage.phi * _F(1 / SECTOR_WIDTH))
    local = passage.phi - sector * _F(SECTOR_WIDTH)
    wheel, valid = _acceptance(z, local, detector)
    valid &= passage.alive
    valid &= rng.random(shape, dtype=_F) < _per_station(detector.efficiency)

    low = rng.random(shape, dtype=_F) < _per_station(detector.low_quality)
    quality = _quality(low, rng.random(shape, dtype=_F))
    normal = rng.standard_normal((2, *shape), dtype=_F)
    phi_b = passage.beta
    local += normal[0] * np.where(low, _F(detector.phi_sigma[1]), _F(detector.phi_sigma[0]))
    phi_b += normal[1] * np.where(low, _F(detector.phi_b_sigma[1]), _F(detector.phi_b_sigma[0]))

    # A shower or a delta ray beside the track pulls the stub off; harder muons radiate more.
    momentum = np.minimum(pt * np.sqrt(_F(1) + sinh * sinh), _F(300))
    constant, slope = detector.wrong_stub
    wrong = rng.random(shape, dtype=_F) < _F(constant) + _F(slope) * momentum
    k = int(wrong.sum())
    local[wrong] += rng.laplace(0, _WRONG_PHI, k).astype(_F)
    phi_b[wrong] += rng.standard_normal(k, dtype=_F) * _F(_WRONG_PHI_B)
    quality[wrong] = rng.choice(np.array((*_LOW_QUALITIES, HIGH_QUALITY), np.int8), k)

    steps_phi = np.rint(local * _F(PHI_STEPS))
    steps_phi_b = np.rint(phi_b * _F(PHI_B_STEPS))
    steps_phi_b = np.minimum(np.maximum(steps_phi_b, _F(-PHI_B_STEPS)), _F(PHI_B_STEPS - 1))
    quality[~valid] = -1
    return {
        "stub_phi": (steps_phi * valid).astype(np.int16).T,
        "stub_phi_b": (steps_phi_b * valid).astype(np.int16).T,
        "quality": quality.T,
        "sector": ((sector.astype(np.int8) % np.int8(N_SECTORS) + np.int8(1)) * valid).astype(np.int8).T,
        "wheel": (wheel * valid).astype(np.int8).T,
        "valid": valid.T,
    }


def _acceptance(z: Floats, local: Floats, detector: Detector) -> tuple[Array, Array]:
    """(4, n) wheel number -2 to 2, and whether the muon hits a chamber."""
    centres = np.array(detector.wheel_centres, _F)
    spacing = (centres[-1] - centres[0]) / _F(len(centres) - 1)
    nearest = np.minimum(np.maximum(np.rint((z - centres[0]) / spacing), _F(0)), _F(len(centres) - 1))
    index = nearest.astype(np.int8)
    valid = np.abs(z - centres[index]) < _F(detector.wheel_half_length)
    for station, (centre, half_width) in enumerate(detector.cracks):
        if half_width:
            off = local[station] - _F(centre)
            off -= _F(SECTOR_WIDTH) * np.rint(off * _F(1 / SECTOR_WIDTH))
            valid[station] &= np.abs(off) > _F(half_width)
    return index - np.int8(len(centres) // 2), valid


def _quality(low: Array, u: Floats) -> Array:
    """(4, n) int8 quality codes with the shares of the CMS trigger primitives."""
    for_low = np.int8(3) - (u < _F(_SHARE_OF_2))
    for_high = np.int8(6) - (u < _F(_SHARE_OF_4_5[1])) - (u < _F(_SHARE_OF_4_5[0]))
    return np.where(low, for_low, for_high).astype(np.int8)


def _per_station(values: tuple[float, ...]) -> Floats:
    return np.array(values, _F).reshape(N_STATIONS, 1)


def _whole(name: str, value: Any, minimum: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InvalidInputError(f"{name} is {value!r}; it must be a whole number")
    if value < minimum:
        raise InvalidInputError(f"{name} is {value}; it must be at least {minimum}")
    return int(value)


def _check_range(pt_range: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = (float(x) for x in pt_range)
    except (TypeError, ValueError):
        raise InvalidInputError(f"pt_range is {pt_range!r}; give (lowest, highest) in GeV") from None
    if not 0 < low < high <= _MAX_PT:
        raise InvalidInputError(
            f"pt_range is ({low:g}, {high:g}); it needs 0 < lowest < highest <= {_MAX_PT:g} GeV"
        )
    return low, high
