"""Elementary functions from basic operations: as good as numpy's, and the same on every processor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from fpgaclass.muon import _exact

CASES = [
    (_exact.sine, np.sin, -0.6, 0.6, 1e-6),
    (_exact.cosine, np.cos, -0.6, 0.6, 1e-6),
    (_exact.hyperbolic_sine, np.sinh, -1.3, 1.3, 1e-6),
    (_exact.arcsine, np.arcsin, -1.0, 1.0, 1e-6),
    (_exact.small_arcsine, np.arcsin, -0.4, 0.4, 2e-6),
    (_exact.logarithm, np.log, 1e-3, 1e4, 2e-6),
]


@pytest.mark.parametrize(("ours", "numpys", "low", "high", "tolerance"), CASES)
def test_each_function_agrees_with_numpy(
    ours: Callable[..., np.ndarray],
    numpys: Callable[..., np.ndarray],
    low: float,
    high: float,
    tolerance: float,
) -> None:
    """Errors must stay far below a step of phi, 2.4e-4 rad; a float32 itself is good to 1e-7."""
    x = np.linspace(low, high, 200_001).astype(np.float32)
    assert np.abs(ours(x) - numpys(x.astype(float))).max() < tolerance
    assert ours(x).dtype == np.float32


def test_the_exponential_agrees_with_numpy() -> None:
    """It spans many decades, so its error is relative."""
    x = np.linspace(-60, 60, 200_001).astype(np.float32)
    assert np.abs(_exact.exponential(x) / np.exp(x.astype(float)) - 1).max() < 1e-6


def test_signs_and_zero_are_kept() -> None:
    """A straight muon must stay straight: no offset at zero."""
    zero = np.zeros(1, np.float32)
    for function in (_exact.sine, _exact.hyperbolic_sine, _exact.arcsine):
        assert function(zero)[0] == 0
    assert _exact.logarithm(zero + np.float32(1))[0] == 0
    x = np.linspace(0, 0.6, 1001).astype(np.float32)
    for function in (_exact.sine, _exact.hyperbolic_sine, _exact.arcsine):
        np.testing.assert_array_equal(function(-x), -function(x))
