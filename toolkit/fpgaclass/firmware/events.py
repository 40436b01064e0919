"""Events as people hand them over: checked once, for everything that takes some."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import InvalidInputError

_NUMBERS = "biuf"


def checked_events(x: npt.ArrayLike, shape: Sequence[int], *, at_least: int = 0) -> npt.NDArray[np.float32]:
    """Return events (n, \\*shape) rounded to float32, as a model rounds them.

    Args:
        x: numbers; anything that NumPy makes an array of.
        shape: of one event.
        at_least: so many events are needed.

    Raises:
        InvalidInputError: they are no numbers, of another shape, too few, or some are NaN, infinite or
            masked.
    """
    events = _numbers(x)
    wanted = f"(n, {', '.join(map(str, shape))})"
    if events.shape == tuple(shape):
        raise InvalidInputError(f"events have shape {events.shape}, not {wanted}", next_step=_ONE)
    if events.shape[1:] != tuple(shape) or not events.ndim:
        raise InvalidInputError(
            f"events have shape {events.shape}, not {wanted}", next_step="pass one row an event"
        )
    if len(events) < at_least:
        raise InvalidInputError("there are no events", next_step="pass at least one")
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is refused below
            rounded = events.astype(np.float32)
    except MemoryError as full:
        size = events.size * np.dtype(np.float32).itemsize / 1e9
        raise InvalidInputError(
            f"{len(events):,} events take {size:,.0f} GB, more than this machine has", next_step=_PARTS
        ) from full
    if not np.isfinite(rounded).all():
        rows = (~np.isfinite(rounded.reshape(len(rounded), math.prod(shape)))).any(axis=1)
        raise InvalidInputError(
            f"{int(rows.sum()):,} events hold NaN or infinity, first event {int(rows.argmax())}",
            next_step="drop or mend them",
        )
    return rounded


_PARTS = "pass them in parts"
_ONE = "pass one row an event; a single event as x[None]"


def _numbers(x: npt.ArrayLike) -> npt.NDArray[Any]:
    if np.ma.is_masked(x):
        raise InvalidInputError(
            f"{np.ma.count_masked(x):,} values are masked",  # type: ignore[no-untyped-call]
            next_step="drop those events, or fill them with numbers",
        )
    try:
        events = np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as odd:  # the last is torch's, of a tensor with a gradient
        raise InvalidInputError(f"events are no array of numbers: {odd}", next_step=_HOW) from odd
    if events.dtype.kind not in _NUMBERS:
        raise InvalidInputError(f"events are no array of numbers: of type {events.dtype}", next_step=_HOW)
    return events


_HOW = "pass an array of floats, such as np.asarray(x, np.float32)"
