"""What is in the book: bookings, cards, places on the waiting list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

BOOKED, ACTIVE, DONE, NO_SHOW, CANCELLED, BLOCK = "booked", "active", "done", "no-show", "cancelled", "block"
OPEN = (BOOKED, ACTIVE)


@dataclass(frozen=True)
class Lease:
    """A student's time on a card.

    Attributes:
        identity: names it in ``release``.
        student, card: whose, and which.
        begins, ends: UTC.
        state: booked, active, done, no-show, cancelled, or block (an instructor's).
    """

    identity: str
    student: str
    card: str
    begins: datetime
    ends: datetime
    state: str
    note: str = ""


@dataclass(frozen=True)
class Card:
    """A card that can be booked; ``note`` says why it is out of use, if it is not healthy."""

    name: str
    healthy: bool
    note: str = ""


@dataclass(frozen=True)
class Waiting:
    """A place on the waiting list: 1 is the next; who was served least comes first."""

    student: str
    place: int
    slots: int
