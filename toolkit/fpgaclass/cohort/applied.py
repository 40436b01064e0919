"""What an apply tells while it works, and at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fpgaclass.cohort.state import Row


@dataclass(frozen=True)
class Event:
    """Something happened to a resource: for bars and logs. ``state`` is one of the state's words."""

    key: str
    student: str
    state: str
    what: str = ""


Listener = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Listen to nothing."""


@dataclass(frozen=True)
class Failure:
    """A resource that could not be made: why, of which kind, and what to do."""

    key: str
    kind: str
    what: str


@dataclass(frozen=True)
class Applied:
    """What an apply did.

    Attributes:
        made, adopted, removed: keys made now; found made by an earlier, cut-off apply; doubles removed.
        failed: what could not be made.
        strays: keys that carry the cohort's tags and are in no plan, such as a student's who left.
        rows: everything, as it is now.
        ends: when all of it goes, UTC.
        notes: what the file asks for and an apply does not do any more; mostly none.
    """

    made: tuple[str, ...]
    adopted: tuple[str, ...]
    removed: tuple[str, ...]
    failed: tuple[Failure, ...]
    strays: tuple[str, ...]
    rows: tuple[Row, ...]
    ends: datetime
    notes: tuple[str, ...] = ()
