"""Layer by layer: where the stages of a build first differ, and where fixed-point types overflow on data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import InvalidInputError, warn
from fpgaclass.firmware.build import prepare
from fpgaclass.firmware.exact import exact_layers
from fpgaclass.firmware.network import trace_layers


@dataclass(frozen=True)
class LayerTrace:
    """One layer on the events given.

    Attributes:
        layer: its name.
        shape: of one event's values.
        low: smallest value.
        high: largest value.
        mismatches: events in which the logic differs from the model in any value of this layer.
        first: index of the first of them, or None.
        overflows: events in which a value at this layer's input was beyond its fixed-point type.
    """

    layer: str
    shape: tuple[int, ...]
    low: float
    high: float
    mismatches: int
    first: int | None
    overflows: int


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
        width = max(len(layer.layer) for layer in self.layers)
        rows = [f"{'layer':{width}} {'low':>10} {'high':>10} {'differ':>7} {'first':>6} {'overflow':>8}"]
        for one in self.layers:
            first = "" if one.first is None else one.first
            rows.append(
                f"{one.layer:{width}} {one.low:>10.4g} {one.high:>10.4g} {one.mismatches:>7,} {first:>6} "
                f"{one.overflows:>8,}"
            )
        return "\n".join([*rows, f"{self.events:,} events"])


def trace(model: Any, events: npt.ArrayLike, *, precision: str = "fixed<16,6>") -> Trace:
    """Compare model and logic layer by layer, and count overflows, on events of yours (n, \\*shape).

    An overflow is not a disagreement: model and hardware both wrap or saturate. It is a network that meets
    values beyond those it was trained or calibrated on; each layer with any is warned about.

    Args:
        model: as for ``build``.
        events: as the model takes them.
        precision: for plain Keras models, as for ``build``.

    Raises:
        InvalidInputError: the events' shape does not fit.
    """
    model = prepare(model, precision)
    x = np.asarray(events, dtype=np.float32)
    if x.shape[1:] != tuple(model.input_shape[1:]) or not len(x):
        raise InvalidInputError(
            f"events have shape {x.shape}, not (n, {', '.join(map(str, model.input_shape[1:]))})",
            next_step="pass one row an event, and at least one",
        )
    expected = exact_layers(model, x)
    found = trace_layers(model, x)
    layers = []
    for one in expected:
        name, values, overflows = one.layer, one.values, one.overflows
        if name not in found:
            continue
        flat = values.reshape(len(x), -1)
        differs = (flat != found[name].reshape(len(x), -1)).any(axis=1)
        first = int(differs.argmax()) if differs.any() else None
        low, high = float(flat.min()), float(flat.max())
        layers.append(LayerTrace(name, values.shape[1:], low, high, int(differs.sum()), first, overflows))
        if overflows:
            warn(f"layer {name}: {overflows:,} of {len(x):,} events are beyond its input's fixed-point type")
    return Trace(len(x), tuple(layers))
