"""The cards that the class shares, and who holds them: the cohort's bookings, or a machine's queues.

Both are rooms that this one does not call by itself: they are asked where the course or the machine says that
there are cards.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fpgaclass.core import FpgaClassError
from fpgaclass.course import Course

_LOCKS = "FPGACLASS_CARD_LOCKS"
PASSED_ON = (_LOCKS, "FPGACLASS_STATE", "FPGACLASS_DATABASE", "XDG_STATE_HOME", "HOME")
"""The variables that say where the cards' queues and the cohort's bookings are."""


@dataclass(frozen=True)
class CardView:
    """A card now.

    Attributes:
        name: of the card.
        holder: who has it, or has booked this time, or what it is kept for; or nothing.
        until: when a booking ends, UTC; None where nobody booked it.
        waiting: who waits for this card, the next first.
        note: why it is out of use, or nothing.
    """

    name: str
    holder: str
    until: datetime | None
    waiting: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Cards:
    """All cards of a class.

    Attributes:
        cards: each.
        waiting: who is on the cohort's waiting list, the next first.
        trouble: why they cannot be seen, or nothing.
    """

    cards: tuple[CardView, ...] = ()
    waiting: tuple[str, ...] = ()
    trouble: str = ""


NO_CARDS = Cards()


def see_cards(course: Course) -> Cards:
    """Return the cards of a class; a cohort that cannot be asked is told in `Cards.trouble`."""
    try:
        return _booked(course) if course.cohort else Cards(_queued(os.environ.get(_LOCKS, "")))
    except (FpgaClassError, ImportError, OSError) as trouble:
        return Cards(trouble=str(trouble))


def _booked(course: Course) -> Cards:
    book: Any = importlib.import_module("fpgaclass.cohort.seat").open_leases(course.path)
    try:
        now = datetime.now(UTC)
        active = {lease.card: lease for lease in book.bookings() if lease.begins <= now < lease.ends}
        views = []
        for card in book.cards():
            lease = active.get(card.name)
            holder, until = (lease.student or lease.note, lease.ends) if lease else ("", None)
            views.append(
                CardView(card.name, holder, until, (), "" if card.healthy else card.note or "not well")
            )
        return Cards(tuple(views), tuple(one.student for one in book.queue()))
    finally:
        book.close()


def _queued(folder: str) -> tuple[CardView, ...]:
    if not folder:
        return ()
    room: Any = importlib.import_module("fpgaclass.card")
    views = []
    for door in sorted(Path(folder).glob("*.door")):
        queue = [holder.user for holder in room.queue_of(door.stem)]
        views.append(CardView(door.stem, queue[0] if queue else "", None, tuple(queue[1:]), ""))
    return tuple(views)
