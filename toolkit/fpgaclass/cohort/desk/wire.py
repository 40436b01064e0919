"""What goes between a notebook and the hub's service, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from fpgaclass.cohort.leases import Lease, Waiting
from fpgaclass.cohort.seat import SeatView

T = TypeVar("T")


@dataclass(frozen=True)
class DeskView:
    """All that a student's page shows.

    Attributes:
        seat: their place.
        bookings: their own.
        taken: what of the cards' time is booked, by anybody, without names: (card, begins, ends) in ISO 8601.
        timezone: of the class.
        slot_minutes, max_slots, horizon_days: the rules that a booking form needs.
        cards: how many cards there are.
    """

    seat: SeatView
    bookings: tuple[Lease, ...]
    taken: tuple[tuple[str, str, str], ...]
    timezone: str
    slot_minutes: int
    max_slots: int
    horizon_days: int
    cards: int


def encode(value: Any, kind: Any) -> bytes:
    """Return a value as JSON."""
    from pydantic import TypeAdapter

    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    return adapter.dump_json(value)


def decode(data: bytes, kind: type[T]) -> T:
    """Return the value that :func:`encode` wrote.

    Raises:
        ValueError: it is not of that kind.
    """
    from pydantic import TypeAdapter

    return TypeAdapter(kind).validate_json(data)


Turn = Lease | Waiting | None
