"""What goes between a notebook and the hub's service, as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from fpgaclass.cohort.leases import Lease, Waiting
from fpgaclass.cohort.seat import SeatView

if TYPE_CHECKING:
    from fpgaclass.cohort.spec import CohortFile

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


def view_of(
    file: CohortFile, seat: SeatView, bookings: Iterable[Lease], taken: Iterable[Lease] = ()
) -> DeskView:
    """Return what a student's page shows, with the rules of their cohort."""
    rules, cards = file.spec.leases, file.spec.cards
    return DeskView(
        seat=seat,
        bookings=tuple(bookings),
        taken=tuple((lease.card, lease.begins.isoformat(), lease.ends.isoformat()) for lease in taken),
        timezone=file.timezone,
        slot_minutes=rules.slot_minutes,
        max_slots=rules.max_slots,
        horizon_days=rules.horizon_days,
        cards=cards.count * cards.per_node,
    )


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
