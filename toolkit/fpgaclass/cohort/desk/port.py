"""What a student can ask for, wherever they sit."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from fpgaclass.cohort.desk.wire import DeskView
from fpgaclass.cohort.leases import Lease, Waiting
from fpgaclass.cohort.seat import SeatView


class Desk(Protocol):
    """A student's desk. Every method raises CohortError with what to do instead."""

    @property
    def timezone(self) -> str:
        """The class's time zone, in which times without one are meant."""

    def view(self) -> DeskView:
        """Return all that the student's page shows."""

    def seat(self) -> SeatView:
        """Return which machine, which card, when, and how to connect."""

    def bookings(self) -> tuple[Lease, ...]:
        """Return one's own bookings, by time."""

    def book(self, slots: int = 1, *, at: datetime | None = None) -> Lease | Waiting:
        """Book a card at a time, or as early as possible; or take a place on the waiting list."""

    def next(self) -> Lease | Waiting | None:
        """Return one's current or next booking, else the place on the waiting list, else None."""

    def begin(self, identity: str) -> Lease:
        """Take the card over: it is reset and looked at, and then one's own until the booking ends."""

    def release(self, identity: str) -> Lease:
        """Give a booking back; the time that is left goes to the next."""

    def leave(self) -> bool:
        """Leave the waiting list; return whether one was on it."""
