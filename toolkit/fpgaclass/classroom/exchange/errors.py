"""How the exchange says no."""

from __future__ import annotations

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
