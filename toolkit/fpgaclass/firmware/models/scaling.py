"""Layers that scale and shift each channel, as one multiplication and one addition: y = scale x + shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import UnsupportedLayerError

SCALINGS = ("Normalization", "Rescaling")
BEFORE = "scale the events before, with NumPy, and leave the layer out"
# What such layers give: four deviations either side of a mean, or numbers between -1 and 1.
_REACH = {"Normalization": 4.0}


@dataclass(frozen=True)
class Scaling:
    """What a layer does to each channel of its input.

    Attributes:
        layer: its name.
        scale: per channel.
        shift: per channel.
        reach: its results are made to lie between minus this and this.
    """

    layer: str
    scale: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]
    reach: float = 1.0

    @property
    def usual(self) -> tuple[float, float]:
        """The smallest and largest of the inputs that it is made for."""
        ends = np.array([(end - self.shift) / self.scale for end in (-self.reach, self.reach)])
        return float(ends.min()), float(ends.max())

    def then(self, other: Scaling) -> Scaling:
        """Return both, one after the other, as one."""
        shift = self.shift * other.scale + other.shift
        return Scaling(f"{self.layer} and {other.layer}", self.scale * other.scale, shift, other.reach)


def check_scaling(layer: Any) -> None:
    """Refuse a Normalization or Rescaling that does not act on the channels, or by NaN or zero.

    Raises:
        UnsupportedLayerError: names the layer, what is wrong with it and what would do instead.
    """
    scaling_of(layer)


def scaling_of(layer: Any) -> Scaling:
    """Return what a BatchNormalization, Normalization or Rescaling does at inference.

    Raises:
        UnsupportedLayerError: a Normalization or Rescaling that does not act on the channels alone.
    """
    kind = type(layer).__name__
    if kind == "BatchNormalization":
        deviation = np.sqrt(np.asarray(layer.moving_variance, np.float64) + layer.epsilon)
        gamma = np.asarray(layer.gamma, np.float64) if layer.scale else np.ones_like(deviation)
        beta = np.asarray(layer.beta, np.float64) if layer.center else np.zeros_like(deviation)
        scale = gamma / deviation
        return Scaling(layer.name, scale, beta - np.asarray(layer.moving_mean, np.float64) * scale)
    if kind == "Normalization":
        mean, variance = (_channels(layer, value) for value in (layer.mean, layer.variance))
        deviation = np.maximum(np.sqrt(variance), 1e-7)  # Keras' epsilon
        scale, shift = (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)
    else:
        scale, shift = _channels(layer, layer.scale), _channels(layer, layer.offset)
    if not (np.isfinite(scale).all() and np.isfinite(shift).all() and scale.all()):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} ({kind}) scales by zero or by what is not a number",
            next_step="adapt it to events again, or mend its numbers",
        )
    return Scaling(layer.name, scale, shift, _REACH.get(kind, 1.0))


def _channels(layer: Any, value: Any) -> npt.NDArray[np.float64]:
    """Return a layer's number, or numbers, as one for each channel."""
    numbers = np.asarray(value, np.float64)
    channels = int(layer.input.shape[-1])
    if numbers.size not in (1, channels) or numbers.size != (numbers.shape or (1,))[-1]:
        raise UnsupportedLayerError(
            f"layer {layer.name!r} ({type(layer).__name__}) scales along another axis than the last",
            next_step=f"use axis=-1, or {BEFORE}",
        )
    return np.broadcast_to(numbers.reshape(-1), (channels,)).copy()
