"""The barrel muon detector: every number of geometry, field, material and response, in one place.

The picture is a CMS-like barrel in the plane across the beam: a 3.81 T solenoid with tracker and
calorimeters inside, then four muon stations MB1 to MB4 between the iron of the return yoke. A
station measures a *stub*: the azimuth ``phi`` and the bending angle ``phi_b`` of the track's direction
against the radial direction.

Where the numbers come from:

- station radii, wheel and sector layout, and the step sizes (1/4096 rad, 1/512 rad) are those of the CMS
  barrel trigger primitives;
- radiation lengths and minimum-ionising losses are those of lead tungstate, brass, the coil and iron
  (Particle Data Group tables) for the CMS thicknesses;
- the **field in the yoke, the scale of the energy loss and of the scattering, the resolutions, the
  efficiencies and the rate of wrong stubs are effective**: they were fitted so that the medians and widths
  of 2000 muons of the full CMS simulation come out. They are not measurements of anything by themselves.

What to expect of it: medians follow the full simulation, the number of stations a muon fires agrees to a
few per cent, the bending between MB1 and MB2 to 5 % (below 5 GeV it is too large), and widths to 10-30 %,
with lighter tails. Resolutions found here are therefore **optimistic by 10-30 %**. Not simulated: noise
stubs without a muon, the overlap with the endcaps, the finer steps of the phase-2 electronics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

N_STATIONS = 4
"""Stations of the barrel, MB1 (innermost) to MB4."""
STATION_NAMES = ("MB1", "MB2", "MB3", "MB4")
N_SECTORS = 12
"""Sectors of 30 degrees; sector 1 is centred on phi = 0."""
SECTOR_WIDTH = 2 * math.pi / N_SECTORS
"""Radians."""
CURVATURE_CONSTANT = 0.299792458
"""pT [GeV] = CURVATURE_CONSTANT * B [T] * R [m] for unit charge (the speed of light in these units)."""
PHI_STEPS = 4096
"""Steps of a stub's phi in a radian: one step is 1/4096 rad."""
PHI_B_STEPS = 512
"""Steps of a stub's phi_b in a radian: one step is 1/512 rad, ten bits, so -1 to 511/512 rad."""
HIGH_QUALITY = 4
"""A stub of quality >= 4 has hits in both phi superlayers of its chamber, so phi_b is good."""


@dataclass(frozen=True)
class FieldZone:
    """A cylindrical shell with one axial field.

    Attributes:
        name: for plots and messages.
        r_in, r_out: radii in m.
        tesla: axial field in T; the solenoid is positive, the return flux negative.
        outer_wheels: field in T outside the central wheel where it differs, else None.
    """

    name: str
    r_in: float
    r_out: float
    tesla: float
    outer_wheels: float | None = None


@dataclass(frozen=True)
class Absorber:
    """Material that a muon crosses, taken as one thin layer in the middle of its thickness.

    Attributes:
        name: for plots and messages.
        r_in, r_out: radii in m; energy is lost and the direction scattered at the mean radius.
        radiation_lengths: thickness in X0 at normal incidence.
        mip_loss: energy loss of a minimum-ionising muon in GeV at normal incidence.
        central_wheel_only: true for the tail catcher, which only the central wheel has.
    """

    name: str
    r_in: float
    r_out: float
    radiation_lengths: float
    mip_loss: float
    central_wheel_only: bool = False

    @property
    def radius(self) -> float:
        """Mean radius in m."""
        return (self.r_in + self.r_out) / 2


_IRON_X0 = 0.01757  # m
_IRON_LOSS = 1.14  # GeV per m, minimum ionising


def _iron(name: str, r_in: float, r_out: float, central_wheel_only: bool = False) -> Absorber:
    thick = r_out - r_in
    return Absorber(name, r_in, r_out, thick / _IRON_X0, thick * _IRON_LOSS, central_wheel_only)


def _degrees(*pairs: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    return tuple((math.radians(a), math.radians(b)) for a, b in pairs)


@dataclass(frozen=True)
class Detector:
    """Geometry, field, material and response of the barrel; ``BARREL`` is the one of the course.

    Make a variant with ``dataclasses.replace``, for example to see what multiple scattering costs.

    Attributes:
        stations: radii of MB1 to MB4 in m.
        zones: magnetic field, from the inside out; no field between zones.
        absorbers: material, from the inside out.
        wheel_centres: z of the five wheels' centres in m.
        wheel_half_length: half the length of a chamber along z in m; beyond it is a gap.
        central_wheel: |z| in m up to which a muon crosses the tail catcher.
        cracks: per station, azimuth of the crack from the sector's centre and its half width, in rad.
        scattering: factor on the Highland width (0 turns multiple scattering off).
        energy_loss: factor on the energy loss (0 turns it off).
        vertex_sigma_z: spread of the collision point along the beam in m.
        phi_sigma: resolution of phi in rad before digitising, for (high, low) quality.
        phi_b_sigma: resolution of phi_b in rad before digitising, for (high, low) quality.
        efficiency: chance of a stub inside the acceptance, per station.
        low_quality: chance that a stub is of low quality (2 or 3), per station.
        wrong_stub: chance that a stub is spoiled by a shower or delta ray: a constant, and a slope per GeV.

    Example:
        >>> from dataclasses import replace
        >>> from fpgaclass.muon import BARREL, simulate
        >>> straight = simulate(1000, seed=1, detector=replace(BARREL, scattering=0.0))
    """

    stations: tuple[float, float, float, float] = (4.20, 4.97, 6.01, 7.05)
    zones: tuple[FieldZone, ...] = (
        # The coil ends at 3.2 m; the effective 3.31 m stands for the flux in the cold mass.
        FieldZone("solenoid", 0.00, 3.31, 3.81),
        FieldZone("gap", 3.45, 3.82, -0.30),
        FieldZone("tail catcher", 3.82, 4.02, -1.70, outer_wheels=-0.30),
        FieldZone("gap", 4.02, 4.20, -0.30),
        FieldZone("yoke 1", 4.56, 4.855, -2.60),
        FieldZone("yoke 2", 5.25, 5.88, -1.23),
        FieldZone("yoke 3", 6.29, 6.92, -1.20),
    )
    absorbers: tuple[Absorber, ...] = (
        # The tracker's single X0 is nothing beside the calorimeters' 82 and is left out.
        Absorber("ECAL", 1.29, 1.75, 25.8, 0.26),
        Absorber("HCAL", 1.75, 2.86, 56.0, 1.05),
        Absorber("coil", 3.31, 3.59, 9.0, 0.30),
        _iron("tail catcher", 3.82, 4.02, central_wheel_only=True),
        _iron("yoke 1", 4.56, 4.855),
        # A yoke ring of 63 cm scatters in two halves, so that the lever arm inside it counts.
        _iron("yoke 2", 5.25, 5.565),
        _iron("yoke 2", 5.565, 5.88),
        _iron("yoke 3", 6.29, 6.605),
        _iron("yoke 3", 6.605, 6.92),
    )
    wheel_centres: tuple[float, ...] = (-5.342, -2.686, 0.0, 2.686, 5.342)
    wheel_half_length: float = 1.20
    central_wheel: float = 1.27
    cracks: tuple[tuple[float, float], ...] = _degrees((-10.5, 1.55), (14.3, 1.30), (-14.2, 1.35), (0.0, 0.0))
    scattering: float = 1.10
    energy_loss: float = 1.19
    vertex_sigma_z: float = 0.045
    phi_sigma: tuple[float, float] = (0.13e-3, 0.30e-3)
    phi_b_sigma: tuple[float, float] = (3.1e-3, 44e-3)
    efficiency: tuple[float, float, float, float] = (0.945, 0.945, 0.945, 0.88)
    low_quality: tuple[float, float, float, float] = (0.19, 0.20, 0.175, 0.19)
    wrong_stub: tuple[float, float] = (0.018, 1.5e-4)


BARREL = Detector()
"""The detector of the course."""
