"""A figure that a class competes in."""

from __future__ import annotations

import math
from typing import Any, Literal

from fpgaclass.core import InvalidInputError

_figures: list[dict[str, Any]] = []


def figure(name: str, value: float, *, unit: str = "", best: Literal["lowest", "highest"]) -> None:
    """Put a result on the lab's leaderboard; called in a check, which works it out from what a student made.

    When a class is graded, checks run where no line of a student's does: what they hand to this function is
    what the board shows, and a student who calls it is not heard.

    Args:
        name: what it is, such as ``"resolution"``.
        value: the result.
        unit: of the value.
        best: which value wins.

    Raises:
        InvalidInputError: the value is not a number.

    Example:
        >>> figure("resolution", 0.128, best="lowest")
        resolution: 0.128
    """
    number = float(value)
    if not math.isfinite(number):
        raise InvalidInputError(f"{name} is {number}, and a leaderboard needs a number")
    _figures.append({"name": str(name), "value": number, "unit": str(unit), "best": str(best)})
    print(f"{name}: {number:.6g}{f' {unit}' if unit else ''}")


def take_figures() -> list[dict[str, Any]]:
    """Return the figures put on the board since the last call."""
    taken = list(_figures)
    _figures.clear()
    return taken
