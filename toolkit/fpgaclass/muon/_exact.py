"""Elementary functions from additions, products and square roots only.

numpy picks its sine or logarithm by the processor it runs on, and their last bits differ. A rounding to a
trigger step can then go the other way, and a student's muons would not be the grader's. Sums, products,
quotients and square roots are rounded the same everywhere (IEEE 754), so what is made of them is too. The
polynomials are good to a few 1e-7, a thousandth of a step of phi, and as fast as numpy's own.

All functions take and return float32 arrays of any shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_F = np.float32
_LN2 = _F(0.6931471805599453)
_HALF_PI = _F(1.5707963267948966)
# Chebyshev fit of asin(sqrt(z)) / sqrt(z) on [0, 1/4]; relative error below 5e-9 before rounding.
_ARCSINE = (0.04255360, 0.02390936, 0.04553901, 0.07494534, 0.16666787, 1.0)


def polynomial(x: Floats, coefficients: Sequence[float]) -> Floats:
    """Evaluate by Horner's rule; the highest power's coefficient comes first."""
    y = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        y *= x
        y += _F(c)
    return y


def sine(x: Floats) -> Floats:
    """Sine for |x| <= 0.6 (scattering angles), by its series."""
    return x * polynomial(x * x, (-1 / 5040, 1 / 120, -1 / 6, 1))


def cosine(x: Floats) -> Floats:
    """Cosine for |x| <= 0.6 (scattering angles), by its series."""
    return polynomial(x * x, (1 / 40320, -1 / 720, 1 / 24, -1 / 2, 1))


def hyperbolic_sine(x: Floats) -> Floats:
    """Hyperbolic sine for |x| <= 1.3 (pseudorapidities of the barrel), by its series."""
    return x * polynomial(x * x, (1 / 39916800, 1 / 362880, 1 / 5040, 1 / 120, 1 / 6, 1))


def arcsine(x: Floats) -> Floats:
    """Arcsine for |x| <= 1: a series below 1/2, the half-angle formula above."""
    size = np.abs(x)
    large = size > _F(0.5)
    z = np.where(large, _F(0.5) * (_F(1) - size), size * size)
    root = np.where(large, np.sqrt(z), size)
    y = root * polynomial(z, _ARCSINE)
    return np.copysign(np.where(large, _HALF_PI - _F(2) * y, y), x)


def small_arcsine(x: Floats) -> Floats:
    """Arcsine for the turn of one step, by its series: to 1e-6 for |x| <= 0.4, finite for any x."""
    return x * polynomial(x * x, (35 / 1152, 5 / 112, 3 / 40, 1 / 6, 1))


def logarithm(x: Floats) -> Floats:
    """Natural logarithm for positive normal x: the exponent's bits, and a series for the rest."""
    bits = x.view(np.int32)
    # Subtracting sqrt(1/2)'s bits first centres the mantissa on one: it lies in [0.707, 1.414).
    exponent = (bits - np.int32(0x3F3504F3)) >> 23
    mantissa = (bits - (exponent << 23)).view(np.float32)
    # ln m = 2 artanh((m - 1) / (m + 1)), and the argument is below 0.172.
    t = (mantissa - _F(1)) / (mantissa + _F(1))
    whole: Floats = exponent.astype(np.float32)
    return np.asarray(whole * _LN2 + t * polynomial(t * t, (2 / 9, 2 / 7, 2 / 5, 2 / 3, 2)), _F)


def exponential(x: Floats) -> Floats:
    """Exponential for |x| <= 80: a power of two, and a series for the rest."""
    k = np.rint(x * _F(1.4426950408889634))
    # ln 2 in two pieces, so that the difference keeps its bits.
    rest = (x - k * _F(0.693359375)) - k * _F(-2.12194440e-4)
    y = polynomial(rest, (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1, 1))
    power: Floats = ((k.astype(np.int32) + np.int32(127)) << 23).view(_F)
    return y * power
