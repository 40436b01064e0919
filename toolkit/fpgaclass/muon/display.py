"""The event display: one muon, seen along the beam."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaclass.core import InvalidInputError
from fpgaclass.muon.detector import (
    BARREL,
    HIGH_QUALITY,
    N_SECTORS,
    N_STATIONS,
    SECTOR_WIDTH,
    STATION_NAMES,
    Detector,
)
from fpgaclass.muon.muons import Muons
from fpgaclass.muon.plots import COLOURS, subplots
from fpgaclass.muon.transport import Trajectory, trajectory

if TYPE_CHECKING:
    from fpgaclass.core.figure import DescribedFigure

_TRACK, _HIGH, _LOW = COLOURS[0], COLOURS[1], COLOURS[4]
_SHADES = {"solenoid": "#cfe3f3", "yoke": "#d9d2c5"}
_LABEL: dict[str, Any] = {"fontsize": 8, "bbox": {"fc": "white", "ec": "none", "pad": 0.8, "alpha": 0.8}}
_STUB_LENGTH = 0.55  # m in r, of the segment that shows a stub's direction


def plot_event(muons: Muons, index: int = 0, *, detector: Detector = BARREL) -> DescribedFigure:
    """Draw one muon in the r-phi view: field, stations, the ideal track and the stubs it left.

    On the left the whole barrel, looking along the beam. On the right the muon's own sector, turned so that
    its first stub lies on the axis and stretched across: the distances between the stubs are the dphi, the
    slopes of the segments show phi_b.

    Args:
        muons: simulated muons.
        index: which one.
        detector: the one they were simulated with.

    Raises:
        InvalidInputError: no muon of that index.

    Example:
        >>> from fpgaclass.muon import gun, plot_event
        >>> figure = plot_event(gun(pt=5.0, eta=0.3, phi=0.2, charge=1, seed=3))
        >>> figure.alt_text[:15]
        'A mu+ of 5.0 Ge'
    """
    if not -len(muons) <= index < len(muons):
        raise InvalidInputError(f"there is no muon {index}; there are {len(muons)}")
    muon = muons[index]
    name = "mu+" if muon.charge[0] > 0 else "mu-"
    symbol = "μ⁺" if name == "mu+" else "μ⁻"
    path = trajectory(
        float(muon.pt[0]), int(muon.charge[0]), float(muon.phi[0]), float(muon.eta[0]), detector=detector
    )
    phi, phi_b = muon.global_phi()[0], muon.phi_b()[0]
    figure, (whole, zoom) = subplots(
        _describe(muon, name, phi_b), columns=2, size=(11.5, 5.4), gridspec_kw={"width_ratios": (1, 1.15)}
    )
    _draw_barrel(whole, detector)
    whole.plot(path.x, path.y, color=_TRACK, linewidth=2)
    for s in _fired(muon):
        colour = _HIGH if muon.quality[0, s] >= HIGH_QUALITY else _LOW
        r = detector.stations[s]
        whole.plot(r * math.cos(phi[s]), r * math.sin(phi[s]), "o", color=colour, markersize=5)
    whole.set_title(f"{symbol}, $p_T$ = {muon.pt[0]:.1f} GeV, $\\eta$ = {muon.eta[0]:.2f}")
    _draw_zoom(zoom, muon, path, phi, phi_b, detector)
    return figure


def _describe(muon: Muons, name: str, phi_b: Any) -> str:
    stubs = ", ".join(
        f"{STATION_NAMES[s]} with phi_b {phi_b[s]:+.3f} rad ({_quality(muon, s)} quality)"
        for s in _fired(muon)
    )
    return (
        f"A {name} of {muon.pt[0]:.1f} GeV seen along the beam. Its track bends in the solenoid and back "
        f"in the yoke. Stubs: {stubs or 'none'}."
    )


def _fired(muon: Muons) -> list[int]:
    return [s for s in range(N_STATIONS) if muon.valid[0, s]]


def _quality(muon: Muons, station: int) -> str:
    return "high" if muon.quality[0, station] >= HIGH_QUALITY else "low"


def _draw_barrel(axes: Any, detector: Detector) -> None:
    from matplotlib.patches import Annulus, Circle

    for zone in detector.zones:
        if zone.name == "solenoid":
            axes.add_patch(Circle((0, 0), zone.r_out, color=_SHADES["solenoid"], linewidth=0))
            axes.text(0, -1.6, f"solenoid\n{zone.tesla:+.2f} T", ha="center", fontsize=9)
        elif zone.name.startswith("yoke"):
            ring = Annulus((0, 0), zone.r_out, zone.r_out - zone.r_in, color=_SHADES["yoke"], linewidth=0)
            axes.add_patch(ring)
    axes.text(0, -5.0, "iron of the yoke, field back", ha="center", va="top", fontsize=8)
    sector = np.linspace(-SECTOR_WIDTH / 2, SECTOR_WIDTH / 2, 121)
    for r, (centre, half_width) in zip(detector.stations, detector.cracks, strict=True):
        off = (sector - centre + SECTOR_WIDTH / 2) % SECTOR_WIDTH - SECTOR_WIDTH / 2
        chamber = np.where(np.abs(off) < half_width, np.nan, sector)
        for k in range(N_SECTORS):
            angle = chamber + k * SECTOR_WIDTH
            axes.plot(r * np.cos(angle), r * np.sin(angle), color="0.25", linewidth=1.2)
    for name, r in zip(STATION_NAMES, detector.stations, strict=True):
        axes.text(0, r, name, ha="center", va="center", **(_LABEL | {"fontsize": 7}))
    axes.set_xlim(-7.6, 7.6)
    axes.set_ylim(-7.6, 7.6)
    axes.set_aspect("equal")
    axes.set_xlabel("x (m)")
    axes.set_ylabel("y (m)")


def _draw_zoom(axes: Any, muon: Muons, path: Trajectory, phi: Any, phi_b: Any, detector: Detector) -> None:
    seen = _fired(muon)
    turn = float(phi[seen[0]]) if seen else float(muon.phi[0])
    for zone in detector.zones:
        if zone.name == "solenoid" or zone.name.startswith("yoke"):
            axes.axvspan(zone.r_in, zone.r_out, color=_SHADES[zone.name.split()[0]], linewidth=0)
    for name, r in zip(STATION_NAMES, detector.stations, strict=True):
        axes.axvline(r, color="0.25", linewidth=0.8)
        axes.text(r, 0.985, name, transform=axes.get_xaxis_transform(), ha="center", va="top", **_LABEL)
    off = _wrapped(path.phi - turn)
    outside = path.r > 2.5
    axes.plot(
        (path.r * np.cos(off))[outside],
        (100 * path.r * np.sin(off))[outside],
        color=_TRACK,
        linewidth=1.5,
        label="ideal track (no scattering)",
    )
    labelled = set()
    for s in seen:
        quality = _quality(muon, s)
        angle, r = float(_wrapped(phi[s] - turn)), detector.stations[s]
        x, y = r * math.cos(angle), r * math.sin(angle)
        slope = math.tan(angle + phi_b[s])
        dx = np.array((-_STUB_LENGTH / 2, _STUB_LENGTH / 2))
        axes.plot(
            x + dx,
            100 * (y + slope * dx),
            color=_HIGH if quality == "high" else _LOW,
            linewidth=3,
            solid_capstyle="round",
            label=None if quality in labelled else f"stub, {quality} quality",
        )
        axes.annotate(
            f"$\\phi_b$ = {1000 * phi_b[s]:+.0f} mrad",
            (x, 100 * y),
            xytext=(0, 14 if s % 2 else -22),
            textcoords="offset points",
            ha="center",
            **_LABEL,
        )
        labelled.add(quality)
    axes.axhline(0, color="0.4", linewidth=0.8, linestyle="--", label="radial direction of the first stub")
    axes.set_xlim(2.5, 7.7)
    axes.set_xlabel("distance along the first stub's direction (m)")
    axes.set_ylabel("distance across it (cm)")
    axes.margins(y=0.25)
    axes.legend(loc="best", fontsize=8)


def _wrapped(angle: Any) -> Any:
    return (np.asarray(angle) + math.pi) % (2 * math.pi) - math.pi
