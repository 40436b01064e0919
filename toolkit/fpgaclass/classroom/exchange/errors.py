"""How the exchange says no."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fpgaclass.core import ClassroomError


class RefusedError(ClassroomError):
    """The exchange refuses what was asked.

    Args:
        status: the HTTP status that says so: 400 malformed, 403 not allowed, 404 not there, 409 there
            already, 413 too much.
        what: why, for the person.
        next_step: what helps, if something does.
    """

    def __init__(self, status: int, what: str, *, next_step: str | None = None) -> None:
        super().__init__(what, next_step=next_step)
        self.status = status


@contextmanager
def writing(engine: Any) -> Iterator[Any]:
    """Begin a transaction that writes, and say what it means if the database cannot.

    Raises:
        RefusedError: the disk is full, say; nothing of it was written.
    """
    from sqlalchemy.exc import OperationalError

    try:
        with engine.begin() as db:
            yield db
    except OperationalError as trouble:
        reason = str(trouble.orig)
        if "full" in reason or "space" in reason:
            step = "tell your instructor: somebody has to make room; nothing of yours is lost"
            raise RefusedError(507, "the class's disk is full", next_step=step) from trouble
        step = "try again in a minute; if it stays, tell your instructor"
        raise RefusedError(503, f"the exchange cannot write: {reason[:200]}", next_step=step) from trouble
