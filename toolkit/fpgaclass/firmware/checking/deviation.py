"""How far a firmware is from the model that was handed in, before anything was rounded.

That firmware and quantised model agree to the bit is proved by the build. What rounding itself has cost a
plain Keras model is another question, and depends on the events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import InvalidInputError, stage
from fpgaclass.firmware.events import checked_events
from fpgaclass.firmware.words import WordFormat

if TYPE_CHECKING:
    from fpgaclass.firmware.artifact import Firmware

YOURS = "events of yours"
DRAWN = "events drawn over the whole range of the inputs"
_BATCH = 8192


@dataclass(frozen=True)
class Deviation:
    """The distance between a Keras model in floating point and its firmware, on some events.

    Attributes:
        events: how many.
        drawn: which events they are.
        largest: largest |model - firmware| of any output.
        mean: mean |model - firmware|.
        same_class: share of the events in which both choose alike: the largest of several outputs, or the
            side of 0.5 of a single sigmoid; None where neither applies.
        wrapped: events with a value beyond its input's type, of which the bus keeps the low bits.
        source: where the firmware's results come from.
    """

    events: int
    drawn: str
    largest: float
    mean: float
    same_class: float | None
    wrapped: int
    source: str = "simulated"

    def __str__(self) -> str:
        text = f"|given model - firmware| at most {self.largest:.3g}, {self.mean:.2g} in the mean"
        if self.same_class is not None:
            text += f", same choice in {self.same_class:.2%}"
        text += f" ({self.source}, {self.events:,} {self.drawn}"
        return text + (f"; {self.wrapped:,} wrap at the input)" if self.wrapped else ")")


def deviation(model: Any, firmware: Firmware, events: npt.ArrayLike) -> Deviation:
    """Compare a Keras model as it is, in floating point, with its firmware, on events of yours (n, \\*shape).

    Args:
        model: as it was given to ``build``: plain Keras, or HGQ2.
        firmware: that was made of it.
        events: as the model takes them.

    Raises:
        InvalidInputError: not a Keras model; or events or outputs of another shape.

    Example::

        print(firmware.deviation(model, built, events))
    """
    require_keras(model)
    from fpgaclass.firmware.artifact import require_firmware  # which holds a report, and that a deviation

    x = checked_events(events, require_firmware(firmware).inputs.shape, at_least=1)
    given, made = tuple(model.output_shape[1:]), firmware.outputs.shape
    if tuple(model.input_shape[1:]) != firmware.inputs.shape or given != made:
        raise InvalidInputError(
            f"the model gives {given}, the firmware {made}", next_step="pass the model that it was made of"
        )
    with stage(f"distance from the given model on {len(x):,} events", "Keras"):
        return measure_deviation(model, firmware.predict, firmware.inputs, x, YOURS)


def require_keras(model: Any) -> None:
    """Refuse a model that has no results in floating point to compare with.

    Raises:
        InvalidInputError: it is not a Keras model.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise InvalidInputError(
            f"a {type(model).__name__} is not a Keras model",
            next_step="compare its own raw scores with Firmware.predict, and leave events out of build",
        )


def measure_deviation(
    model: Any,
    predict: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]],
    inputs: WordFormat,
    x: npt.NDArray[np.float32],
    drawn: str,
) -> Deviation:
    """Compare a Keras model with what computes its firmware's results, on checked events."""
    expected = np.concatenate(
        [np.asarray(model(x[i : i + _BATCH], training=False)) for i in range(0, len(x), _BATCH)]
    ).reshape(len(x), -1)
    found = predict(x).reshape(len(x), -1)
    apart = np.abs(expected.astype(np.float64) - found)
    return Deviation(
        len(x),
        drawn,
        float(apart.max()),
        float(apart.mean()),
        _same_class(model, expected, found),
        inputs.out_of_range(x),
    )


def _same_class(model: Any, expected: npt.NDArray[Any], found: npt.NDArray[Any]) -> float | None:
    if len(model.output_shape) > 2:
        return None
    if expected.shape[1] > 1:
        return float((expected.argmax(axis=1) == found.argmax(axis=1)).mean())
    last = model.layers[-1]
    if getattr(getattr(last, "activation", None), "__name__", "") == "sigmoid":
        return float(((expected > 0.5) == (found > 0.5)).mean())
    return None
