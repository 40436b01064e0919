"""How far a firmware is from the model that was handed in, before anything was rounded.

That firmware and quantised model agree to the bit is proved by the build. What rounding itself has cost a
plain Keras model or trees is another question, and depends on the events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import InvalidInputError, stage
from fpgaclass.firmware.checking.floating import Floating, floating
from fpgaclass.firmware.events import checked_events
from fpgaclass.firmware.words import WordFormat

if TYPE_CHECKING:
    from fpgaclass.firmware.artifact import Firmware

YOURS = "events of yours"
DRAWN = "events drawn over the whole range of the inputs"


@dataclass(frozen=True)
class Deviation:
    """The distance between a model in floating point and its firmware, on some events.

    Attributes:
        events: how many.
        drawn: which events they are.
        largest: largest |model - firmware| of any output.
        mean: mean |model - firmware|.
        same_class: share of the events in which both choose alike: the largest of several outputs, the side
            of 0.5 of a single sigmoid, the sign of a single score of trees; None where none applies.
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
    """Compare a model as it is, in floating point, with its firmware, on events of yours (n, \\*shape).

    Args:
        model: as it was given to ``build``: plain Keras, HGQ2, or trees of scikit-learn or xgboost.
        firmware: that was made of it.
        events: as the model takes them.

    Raises:
        InvalidInputError: a model without results in floating point; or events or outputs of another shape.

    Example::

        print(firmware.deviation(model, built, events))
    """
    given = floating(model)
    from fpgaclass.firmware.artifact import require_firmware  # which holds a report, and that a deviation

    x = checked_events(events, require_firmware(firmware).inputs.shape, at_least=1)
    made = firmware.inputs.shape, firmware.outputs.shape
    if (given.takes, given.gives) != made:
        raise InvalidInputError(
            f"the model takes {given.takes} and gives {given.gives}, the firmware {made[0]} and {made[1]}",
            next_step="pass the model that it was made of",
        )
    with stage(f"distance from the given model on {len(x):,} events", given.library):
        return measure_deviation(given, firmware.predict, firmware.inputs, x, YOURS)


def measure_deviation(
    model: Floating,
    predict: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]],
    inputs: WordFormat,
    x: npt.NDArray[np.float32],
    drawn: str,
) -> Deviation:
    """Compare a model with what computes its firmware's results, on checked events."""
    expected = model.predict(x)
    found = predict(x).reshape(len(x), -1)
    apart = np.abs(expected.astype(np.float64) - found)
    alike = None if model.choice is None else float((model.choice(expected) == model.choice(found)).mean())
    return Deviation(len(x), drawn, float(apart.max()), float(apart.mean()), alike, inputs.out_of_range(x))
