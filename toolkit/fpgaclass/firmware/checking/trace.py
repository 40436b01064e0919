"""Layer by layer: where the stages of a build first differ, and where fixed-point types overflow on data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from fpgaclass.core import InvalidInputError, stage, warn
from fpgaclass.firmware.artifact import Firmware, require_firmware
from fpgaclass.firmware.build import prepare
from fpgaclass.firmware.checking.layers import LayerTrace, compare_layers
from fpgaclass.firmware.events import checked_events
from fpgaclass.firmware.models.model import load_built
from fpgaclass.firmware.quantisation.precisions import Precision
from fpgaclass.firmware.trees.logic import Trees


@dataclass(frozen=True)
class Trace:
    """What ``trace`` found.

    Attributes:
        events: how many were traced.
        layers: in the model's order.
    """

    events: int
    layers: tuple[LayerTrace, ...]

    @property
    def first_difference(self) -> LayerTrace | None:
        """The first layer that differs, or None if all agree."""
        return next((layer for layer in self.layers if layer.mismatches), None)

    def __str__(self) -> str:
        width = max(5, *(len(layer.layer) for layer in self.layers))
        rows = [f"{'layer':{width}} {'low':>10} {'high':>10} {'differ':>7} {'first':>6} {'overflow':>8}"]
        for one in self.layers:
            first = "" if one.first is None else one.first
            rows.append(
                f"{one.layer:{width}} {one.low:>10.4g} {one.high:>10.4g} {one.mismatches:>7,} {first:>6} "
                f"{one.overflows:>8,}"
            )
        different = self.first_difference
        if different is None:
            end = f"{self.events:,} events: every layer's logic agrees with the model"
        else:
            end = (
                f"{self.events:,} events: layer {different.layer!r} is the first that differs, "
                f"in {different.mismatches:,} events, first in event {different.first}"
            )
        return "\n".join([*rows, end])


def trace(
    model: Any,
    events: npt.ArrayLike,
    *,
    precision: Precision = None,
    firmware: Firmware | None = None,
) -> Trace:
    """Compare model and logic layer by layer, and count overflows, on events of yours (n, \\*shape).

    An overflow is not a disagreement: model and hardware both wrap or saturate. It is a network that meets
    values beyond those it was trained or calibrated on; each layer with any is warned about.

    Args:
        model: as for ``build``. Layers that Keras named itself have the names of a new session.
        events: as the model takes them.
        precision: for plain Keras models, as for ``build``.
        firmware: compare with the logic of this firmware, which may have been made of another version of the
            model, in place of the logic of the model itself.

    Raises:
        InvalidInputError: the events' shape does not fit, there are none, or some are not finite; or the
            firmware's network has other layers.
    """
    model = prepare(model, precision)
    x = checked_events(events, model.input_shape[1:], at_least=1)
    built = model if firmware is None else load_built(require_firmware(firmware).folder)
    _check_version(model, built)
    with stage(f"trace of {len(x):,} events", "da4ml"):
        layers = compare_layers(model, built, x)
    for one in layers:
        if one.overflows:
            warn(
                f"layer {one.layer}: {one.overflows:,} of {len(x):,} events are beyond its input's "
                "fixed-point type"
            )
    return Trace(len(x), layers)


def _check_version(model: Any, built: Any) -> None:
    """Refuse two networks whose layers cannot be paired."""
    ours, theirs = _kinds(model), _kinds(built)
    if tuple(model.input_shape[1:]) != tuple(built.input_shape[1:]):
        apart = f"the model takes {tuple(model.input_shape[1:])}, the firmware {tuple(built.input_shape[1:])}"
    elif ours != theirs:
        apart = f"the model is {', '.join(ours)}; the firmware's network is {', '.join(theirs)}"
    else:
        return
    step = "pass a firmware that was made of a version of this model, with the same layers"
    raise InvalidInputError(apart, next_step=step)


def _kinds(model: Any) -> list[str]:
    if isinstance(model, Trees):
        return [f"an ensemble of {len(model.parts)} trees"]
    return [type(layer).__name__ for layer in model.layers]
