"""How many muons a CPU-second simulates, against the same physics written one muon at a time.

The peer is what one writes first: plain Python, one muon after another, with ``math`` and ``random``. It has
the same zones, absorbers, acceptance and smearing as ``fpgaclass.muon.simulate``, so that both do the same
work; a test compares their distributions.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from fpgaclass import muon
from fpgaclass.muon.detector import (
    BARREL,
    CURVATURE_CONSTANT,
    N_SECTORS,
    PHI_B_STEPS,
    PHI_STEPS,
    SECTOR_WIDTH,
    Absorber,
    FieldZone,
)

_RADIUS = max(BARREL.stations)
_STOPS = sorted(
    {*BARREL.stations, *(a.radius for a in BARREL.absorbers)}
    | {r for z in BARREL.zones for r in (z.r_in, z.r_out) if 0 < r < _RADIUS}
)


class OneMuon(NamedTuple):
    """A muon, and the stubs it left: {station: (phi steps, phi_b steps, quality, sector, wheel)}."""

    pt: float
    eta: float
    phi: float
    charge: int
    stubs: dict[int, tuple[int, int, int, int, int]]


def simulate_one(random_: random.Random, low: float = 3.0, high: float = 200.0) -> OneMuon:
    """Simulate one muon of a spectrum flat in log pT, with plain Python."""
    pt = low * (high / low) ** random_.random()
    eta = random_.uniform(-0.83, 0.83)
    muon_ = OneMuon(pt, eta, random_.uniform(0, 2 * math.pi), random_.choice((-1, 1)), {})
    z0 = random_.gauss(0, BARREL.vertex_sigma_z)
    cosh, sinh = math.cosh(eta), math.sinh(eta)
    p, psi, b, r = pt * cosh, muon_.phi, 0.0, 0.0
    for stop in _STOPS:
        zone = next((z for z in BARREL.zones if z.r_in <= r < z.r_out), None)
        central = abs(z0 + stop * sinh) < BARREL.central_wheel
        if zone is not None:
            psi, b = _bend(psi, b, r, stop, _field(zone, central), muon_.charge, p / cosh)
        r = stop
        if abs(b / r) > 0.98:
            return muon_
        for absorber in BARREL.absorbers:
            if absorber.radius == r and (central or not absorber.central_wheel_only):
                p -= _loss(absorber, p, cosh, random_)
                if p < 0.35:
                    return muon_
                angle = _scatter(absorber, p, cosh, random_)
                psi += angle
                b = b * math.cos(angle) + math.sqrt(max(r * r - b * b, 0)) * math.sin(angle)
        if r in BARREL.stations:
            _leave_stub(muon_, BARREL.stations.index(r), psi, b / r, z0, random_)
    return muon_


def _field(zone: FieldZone, central: bool) -> float:
    return zone.tesla if central or zone.outer_wheels is None else zone.outer_wheels


def _bend(
    psi: float, b: float, r0: float, r1: float, tesla: float, charge: int, pt: float
) -> tuple[float, float]:
    kappa = -CURVATURE_CONSTANT * charge * tesla / pt
    a0, lean0 = math.sqrt(max(r0 * r0 - b * b, 0)), 1 - kappa * b
    b += kappa * (r1 * r1 - r0 * r0) / 2
    a1, lean1 = math.sqrt(max(r1 * r1 - b * b, 0)), 1 - kappa * b
    return psi + math.atan2(kappa * a1, lean1) - math.atan2(kappa * a0, lean0), b


def _loss(absorber: Absorber, p: float, cosh: float, random_: random.Random) -> float:
    rise = 1 + 0.085 * math.log(max(2 * p, 1))
    fluctuation = 0.92 + 0.08 * random_.expovariate(1)
    return absorber.mip_loss * BARREL.energy_loss * cosh * rise * fluctuation


def _scatter(absorber: Absorber, p: float, cosh: float, random_: random.Random) -> float:
    x = absorber.radiation_lengths * cosh
    width = BARREL.scattering * 13.6e-3 * cosh / p * math.sqrt(x) * (1 + 0.038 * math.log(x))
    return max(-0.5, min(0.5, random_.gauss(0, width)))


def _leave_stub(m: OneMuon, station: int, psi: float, s: float, z0: float, random_: random.Random) -> None:
    beta = math.asin(max(-0.98, min(0.98, s)))
    phi = psi - beta
    z = z0 + BARREL.stations[station] * math.sinh(m.eta)
    wheel = min(range(5), key=lambda w: abs(z - BARREL.wheel_centres[w]))
    sector = round(phi / SECTOR_WIDTH)
    local = phi - sector * SECTOR_WIDTH
    centre, half_width = BARREL.cracks[station]
    off = local - centre
    off -= SECTOR_WIDTH * round(off / SECTOR_WIDTH)
    if abs(z - BARREL.wheel_centres[wheel]) >= BARREL.wheel_half_length or abs(off) < half_width:
        return
    if random_.random() >= BARREL.efficiency[station]:
        return
    low = random_.random() < BARREL.low_quality[station]
    v = random_.random()
    quality = (2 if v < 0.56 else 3) if low else 4 if v < 0.03 else 5 if v < 0.27 else 6
    local += random_.gauss(0, BARREL.phi_sigma[low])
    beta += random_.gauss(0, BARREL.phi_b_sigma[low])
    constant, slope = BARREL.wrong_stub
    if random_.random() < constant + slope * min(m.pt * math.cosh(m.eta), 300):
        local += random_.expovariate(1 / 5e-3) * random_.choice((-1, 1))
        beta += random_.gauss(0, 0.06)
        quality = random_.choice((2, 3, 4))
    steps = max(-PHI_B_STEPS, min(PHI_B_STEPS - 1, round(beta * PHI_B_STEPS)))
    m.stubs[station] = round(local * PHI_STEPS), steps, quality, sector % N_SECTORS + 1, wheel - 2


def rows(n_ours: int = 30 * 16384, n_peer: int = 4000, repeats: int = 5) -> list[dict[str, Any]]:
    """Measure, and return the rows of the benchmark table.

    Args:
        n_ours: muons of one run of ours.
        n_peer: muons of one run of the peer.
        repeats: runs of each, in turns; the fastest counts, since other work only ever slows a run.
    """
    random_ = random.Random(1)
    ours, peer = [], []
    for seed in range(repeats):
        ours.append(n_ours / _cpu_seconds(lambda seed=seed: muon.simulate(n_ours, seed, "log_pt")))
        peer.append(n_peer / _cpu_seconds(lambda: [simulate_one(random_) for _ in range(n_peer)]))
    return [
        {
            "name": "muon.simulate",
            "ours": round(max(ours)),
            "peer": round(max(peer)),
            "ratio": round(max(ours) / max(peer), 1),
            "unit": "muons per CPU-second",
            "how": f"measured: process time, best of {repeats}, spectrum log_pt; ours "
            f"in batches of {n_ours}; peer: the same physics in plain Python, one by one, same process",
        }
    ]


def _cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
