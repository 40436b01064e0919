"""The way through field and iron, against an independent integration of the equation of motion."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from fpgaclass import muon
from fpgaclass.core import InvalidInputError
from fpgaclass.muon.detector import BARREL, PHI_STEPS

VACUUM = replace(BARREL, absorbers=())


def _integrated(pt: float, charge: int) -> tuple[list[float], list[float]]:
    """phi and beta at the stations by Runge-Kutta: psi' = kappa / cos beta, phi' = tan beta / r."""
    zones = VACUUM.zones
    edges = sorted({*VACUUM.stations, *(r for z in zones for r in (z.r_in, z.r_out) if r > 0)})
    # At the origin phi is not defined; on a circle from there beta is asin(kappa r / 2).
    r = 1e-3
    kappa = -0.299792458 * charge * zones[0].tesla / pt
    beta = math.asin(kappa * r / 2)
    state, phi, angles = [beta, 2 * beta], [], []
    for end in edges:
        here = next((z.tesla for z in zones if z.r_in <= r < z.r_out), 0.0)
        kappa = -0.299792458 * charge * here / pt

        def motion(x: float, y: np.ndarray, kappa: float = kappa) -> list[float]:
            beta = y[1] - y[0]
            return [math.tan(beta) / x, kappa / math.cos(beta)]

        step = solve_ivp(motion, (r, end), state, rtol=1e-9, atol=1e-12)
        state, r = step.y[:, -1].tolist(), end
        if end in VACUUM.stations:
            phi.append(state[0])
            angles.append(state[1] - state[0])
    return phi, angles


@pytest.mark.parametrize("pt", [4.0, 7.0, 20.0, 100.0])
@pytest.mark.parametrize("charge", [1, -1])
def test_the_steps_solve_the_equation_of_motion(pt: float, charge: int) -> None:
    """The closed-form steps are the heart of the simulation; a sign or a factor would bend every lab.

    Tolerance: a quarter of the step of phi, below what any stub can show.
    """
    phi, beta = _integrated(pt, charge)
    for r, one_phi, one_beta in zip(VACUUM.stations, phi, beta, strict=True):
        path = muon.trajectory(pt, charge, r_max=r, points=2, detector=VACUUM)
        assert path.phi[-1] == pytest.approx(one_phi, abs=0.25 / PHI_STEPS)
        assert path.beta[-1] == pytest.approx(one_beta, abs=0.25 / PHI_STEPS)


def test_the_bending_at_the_first_station_is_the_textbooks() -> None:
    """Students derive it: sin(phi_b) = 0.3 B R^2 / (2 pT r) at r = 4.2 m, for a solenoid of radius R."""
    solenoid = replace(VACUUM, zones=VACUUM.zones[:1])
    expected = 0.299792458 * 3.81 * 3.31**2 / (2 * 20.0 * 4.20)
    path = muon.trajectory(20.0, -1, r_max=4.20, points=2, detector=solenoid)
    assert math.sin(path.beta[-1]) == pytest.approx(expected, rel=1e-5)


def test_the_charges_are_mirror_images() -> None:
    """Nothing in the detector knows left from right."""
    plus, minus = muon.trajectory(10.0, 1), muon.trajectory(10.0, -1)
    np.testing.assert_allclose(plus.beta, -minus.beta, atol=1e-7)
    np.testing.assert_allclose(plus.phi, -minus.phi, atol=1e-7)
    assert plus.beta[100] < 0 < minus.beta[100]


def test_the_azimuth_of_the_vertex_only_turns_the_picture() -> None:
    """The field is symmetric about the beam."""
    here, turned = muon.trajectory(10.0, 1), muon.trajectory(10.0, 1, phi=1.0)
    np.testing.assert_allclose(turned.phi - here.phi, 1.0, atol=1e-5)
    np.testing.assert_allclose(turned.beta, here.beta, atol=1e-6)


def test_soft_muons_curl_up_or_stop() -> None:
    """1.5 GeV turns back inside the solenoid, 4 GeV ends in the iron: neither reaches MB4."""
    for pt in (1.5, 4.0):
        assert np.isnan(muon.trajectory(pt, 1).phi[-1])
    assert np.isfinite(muon.trajectory(4.0, 1, r_max=4.2).phi[-1])


def test_iron_takes_about_six_gev_from_a_muon() -> None:
    """The loss decides where the turn-on of soft muons lies: 3.6 GeV minimum ionising times rise and scale.

    Between 4.5 and 6.5 GeV for a muon that goes straight out: found here from who reaches MB4.
    """
    reach = [pt for pt in np.arange(3.0, 8.0, 0.1) if np.isfinite(muon.trajectory(pt, 1, r_max=7.05).phi[-1])]
    assert 4.5 < min(reach) < 6.5


def test_paths_have_the_shapes_they_promise() -> None:
    """Plots index them."""
    path = muon.trajectory(20.0, points=50, r_max=5.0)
    assert path.r.shape == path.phi.shape == path.beta.shape == path.x.shape == path.y.shape == (50,)
    assert path.r[-1] == pytest.approx(5.0)
    np.testing.assert_allclose(np.hypot(path.x, path.y), path.r, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"pt": -1.0}, "pt"),
        ({"pt": math.nan}, "pt"),
        ({"pt": 10.0, "charge": 2}, "charge"),
        ({"pt": 10.0, "eta": 2.0}, "eta"),
        ({"pt": 10.0, "eta": math.nan}, "eta"),
        ({"pt": 10.0, "points": 1}, "points"),
    ],
)
def test_impossible_paths_are_refused(arguments: dict[str, float], word: str) -> None:
    """The message names the argument."""
    with pytest.raises(InvalidInputError, match=word):
        muon.trajectory(**arguments)
