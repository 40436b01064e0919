r"""A muon's way through field and iron, in the plane across the beam.

The state at radius r is the direction's azimuth ``psi`` and ``s = sin(beta)``, with beta the angle between
the direction and the radius. At a station beta *is* the bending angle phi_b, and the muon's azimuth is
``phi = psi - beta``. In a uniform axial field of B tesla a muon of charge q and transverse momentum pT
(GeV) has the curvature

.. math:: \kappa = -0.2998\, q B / p_T \quad [1/\mathrm{m}]

and moves on a circle. With ``a = r cos(beta)`` and ``b = r sin(beta)``, the vertex as seen from the muon
along and across its direction, a step of any length inside a zone is exact::

    b1 = b0 + kappa (r1^2 - r0^2) / 2
    sin(psi1 - psi0) = kappa (a1 (1 - kappa b0) - a0 (1 - kappa b1)) / (1 - 2 kappa b1 + kappa^2 r1^2)

The first follows from db/ds = kappa a and dr/ds = a / r; the second because (kappa a, 1 - kappa b) turns
with the muon. Without field psi and b stay. Absorbers take energy (minimum ionising, with the relativistic
rise and a fluctuating tail) and scatter the direction by Highland's formula (Particle Data Group, passage
of particles through matter)::

    sigma = 13.6 MeV / (beta c p) * sqrt(x / X0) * (1 + 0.038 ln(x / X0))

Everything is float32 and works on whole arrays, one element a muon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpgaclass.core import InvalidInputError
from fpgaclass.muon._exact import Floats, arcsine, cosine, hyperbolic_sine, logarithm, sine, small_arcsine
from fpgaclass.muon.detector import BARREL, CURVATURE_CONSTANT, Absorber, Detector, FieldZone

_F = np.float32
_MAX_SINE = _F(0.98)  # beyond it a muon runs along the shell: it curls up or is lost
_LONG_STEP = 0.5  # m
_MAX_SCATTER = _F(0.5)  # rad, where the small-angle formula has long stopped meaning anything
_MIN_MOMENTUM = _F(0.35)  # GeV; below it a muon stops in the next centimetres
_RISE = _F(0.085)  # relativistic rise of the loss per unit of ln(p / 0.5 GeV)
_LANDAU = _F(0.08)  # width of the loss' exponential tail, relative to the mean
_HIGHLAND = 13.6e-3  # GeV


@dataclass(frozen=True)
class Passage:
    """Where muons cross the recorded radii.

    Attributes:
        phi: (k, n) float32, azimuth in rad at each of the k radii.
        beta: (k, n) float32, angle between direction and radius in rad: phi_b if there is a station.
        alive: (k, n) bool, whether the muon got there.
    """

    phi: Floats
    beta: Floats
    alive: np.ndarray[tuple[int, int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Trajectory:
    """The ideal path of one muon: mean energy loss, no scattering.

    Attributes:
        r: (k,) float64, radii in m.
        phi: (k,) float64, azimuth at each radius in rad; NaN from where the muon curled up or stopped.
        beta: (k,) float64, angle between direction and radius in rad (phi_b at a station); NaN likewise.
    """

    r: np.ndarray[tuple[int], np.dtype[np.float64]]
    phi: np.ndarray[tuple[int], np.dtype[np.float64]]
    beta: np.ndarray[tuple[int], np.dtype[np.float64]]

    @property
    def x(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """(k,) float64, metres."""
        return self.r * np.cos(self.phi)

    @property
    def y(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """(k,) float64, metres."""
        return self.r * np.sin(self.phi)


class _Beam:
    """The muons on their way: state at one radius, changed in place."""

    def __init__(self, pt: Floats, eta: Floats, phi: Floats, charge: Floats, z0: Floats, detector: Detector):
        self.sinh = hyperbolic_sine(eta)
        self.cosh = np.sqrt(_F(1) + self.sinh * self.sinh)
        self.log_cosh = logarithm(self.cosh)
        self.root_cosh = np.sqrt(self.cosh)
        self.charge_factor = _F(-CURVATURE_CONSTANT) * charge * self.cosh
        self.p = pt * self.cosh
        self.curvature = self.charge_factor / self.p  # per tesla, 1/m
        self.z0 = z0
        self.detector = detector
        self.r = 0.0
        self.psi = phi.copy()
        self.a = np.zeros_like(pt)
        self.b = np.zeros_like(pt)
        self.s = np.zeros_like(pt)
        self.alive = np.ones(len(pt), bool)

    def in_central_wheel(self, r: float) -> Floats:
        """1 for muons inside the central wheel at this radius, else 0."""
        return (np.abs(self.z0 + _F(r) * self.sinh) < _F(self.detector.central_wheel)).astype(_F)

    def _move(self, r: float) -> None:
        self.r = r
        s = self.b * _F(1 / r)
        self.s = np.minimum(np.maximum(s, -_MAX_SINE), _MAX_SINE)
        self.alive &= self.s == s
        self.a = _F(r) * np.sqrt(_F(1) - self.s * self.s)

    def drift(self, r: float) -> None:
        """Go straight to radius r."""
        self._move(r)

    def bend(self, r: float, zone: FieldZone) -> None:
        """Go to radius r inside one field zone, on a circle."""
        if zone.outer_wheels is None:
            kappa = self.curvature * _F(zone.tesla)
        else:
            tesla = _F(zone.outer_wheels) + _F(zone.tesla - zone.outer_wheels) * self.in_central_wheel(r)
            kappa = self.curvature * tesla
        # Only the long steps inside the solenoid turn a muon by more than the short series takes.
        turned = arcsine if r - self.r > _LONG_STEP else small_arcsine
        a, lean = self.a, _F(1) - kappa * self.b
        self.b = self.b + kappa * _F(0.5 * (r * r - self.r * self.r))
        self._move(r)
        new_lean = _F(1) - kappa * self.b
        along = kappa * self.a
        turn = kappa * (self.a * lean - a * new_lean) / (along * along + new_lean * new_lean)
        self.psi += turned(turn)

    def cross(self, absorber: Absorber, rng: np.random.Generator | None) -> None:
        """Lose energy and scatter in an absorber; without ``rng`` lose the mean energy only."""
        detector = self.detector
        here = self.in_central_wheel(self.r) if absorber.central_wheel_only else None
        rise = _F(1) + _RISE * logarithm(np.maximum(_F(2) * self.p, _F(1)))
        loss = _F(absorber.mip_loss * detector.energy_loss) * self.cosh * rise
        if rng is not None:
            fluctuation = rng.standard_exponential(len(self.p), dtype=_F)
            loss *= (_F(1) - _LANDAU) + _LANDAU * fluctuation
        if here is not None:
            loss *= here
        self.p = self.p - loss
        self.alive &= self.p > _MIN_MOMENTUM
        self.p = np.maximum(self.p, _MIN_MOMENTUM)
        self.curvature = self.charge_factor / self.p
        if rng is not None:
            self._scatter(absorber, here, rng)

    def _scatter(self, absorber: Absorber, here: Floats | None, rng: np.random.Generator) -> None:
        x0 = absorber.radiation_lengths
        width = _F(self.detector.scattering * _HIGHLAND * math.sqrt(x0)) * self.root_cosh
        width *= _F(1 + 0.038 * math.log(x0)) + _F(0.038) * self.log_cosh
        # Seen from above, the scattering angle of the space track grows by 1 / sin(theta) = cosh(eta).
        angle = rng.standard_normal(len(self.p), dtype=_F) * width * self.cosh / self.p
        angle = np.minimum(np.maximum(angle, -_MAX_SCATTER), _MAX_SCATTER)
        if here is not None:
            angle *= here
        self.psi += angle
        self.b = self.b * cosine(angle) + self.a * sine(angle)
        self._move(self.r)


def propagate(
    pt: Floats,
    eta: Floats,
    phi: Floats,
    charge: Floats,
    z0: Floats,
    radii: Sequence[float],
    detector: Detector = BARREL,
    rng: np.random.Generator | None = None,
) -> Passage:
    """Take muons from the vertex outwards and record them at some radii.

    Args:
        pt: (n,) float32, GeV.
        eta: (n,) float32.
        phi: (n,) float32, azimuth at the vertex in rad.
        charge: (n,) float32, +1 or -1.
        z0: (n,) float32, position of the vertex along the beam in m.
        radii: rising radii in m, k of them.
        detector: geometry, field and material.
        rng: makes the scattering and the fluctuations; None gives the ideal path.

    Returns:
        Passage of shape (k, n).
    """
    beam = _Beam(pt, eta, phi, charge, z0, detector)
    shape = (len(radii), len(pt))
    passage = Passage(np.empty(shape, _F), np.empty(shape, _F), np.empty(shape, bool))
    absorbers = sorted(detector.absorbers, key=lambda a: a.radius)
    stops = {*radii, *(a.radius for a in absorbers)}
    stops.update(r for zone in detector.zones for r in (zone.r_in, zone.r_out) if 0 < r < max(radii))
    recorded = 0
    for r in sorted(stops):
        zone = next((z for z in detector.zones if z.r_in <= beam.r < z.r_out), None)
        if zone is None:
            beam.drift(r)
        else:
            beam.bend(r, zone)
        for absorber in absorbers:
            if absorber.radius == r:
                beam.cross(absorber, rng)
        if recorded < len(radii) and r == radii[recorded]:
            passage.beta[recorded] = arcsine(beam.s)
            passage.phi[recorded] = beam.psi - passage.beta[recorded]
            passage.alive[recorded] = beam.alive
            recorded += 1
        if recorded == len(radii):
            break
    return passage


def trajectory(
    pt: float,
    charge: int = 1,
    phi: float = 0.0,
    eta: float = 0.0,
    *,
    r_max: float = 7.5,
    points: int = 300,
    detector: Detector = BARREL,
) -> Trajectory:
    """Follow one ideal muon: mean energy loss, no scattering.

    Args:
        pt: transverse momentum in GeV.
        charge: +1 or -1.
        phi: azimuth at the vertex in rad.
        eta: pseudorapidity, |eta| <= 1.2.
        r_max: how far out, in m.
        points: how many points, evenly spaced in r from r_max / points to r_max.
        detector: geometry, field and material.

    Raises:
        InvalidInputError: pt is not positive, charge not +-1, or too few points.

    Example:
        >>> path = trajectory(20.0, charge=-1, r_max=4.2, points=42)
        >>> round(float(path.beta[-1]), 3)  # phi_b at MB1, rad
        0.071
    """
    if not (math.isfinite(pt) and pt > 0):
        raise InvalidInputError(f"pt is {pt!r}; it must be a positive number of GeV")
    if charge not in (-1, 1):
        raise InvalidInputError(f"charge is {charge!r}; a muon has +1 or -1")
    if not abs(eta) <= 1.2:
        raise InvalidInputError(f"eta is {eta!r}; the barrel covers |eta| <= 1.2")
    if points < 2 or not r_max > 0:
        raise InvalidInputError("a path needs at least two points and a positive r_max")
    radii = [r_max * (i + 1) / points for i in range(points)]
    one = np.ones(1, _F)
    passage = propagate(
        one * _F(pt), one * _F(eta), one * _F(phi), one * _F(charge), one * _F(0), radii, detector
    )
    lost = ~passage.alive[:, 0]
    r, path, beta = np.array(radii), passage.phi[:, 0].astype(float), passage.beta[:, 0].astype(float)
    return Trajectory(r, np.where(lost, np.nan, path), np.where(lost, np.nan, beta))
