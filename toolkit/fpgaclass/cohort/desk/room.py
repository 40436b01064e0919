"""What all requests of the hub's service share: desks, and one gate at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from fpgaclass.cohort.desk.local import LocalDesk
from fpgaclass.cohort.desk.port import Desk
from fpgaclass.cohort.desk.posted import PostedDesk, posted_seats
from fpgaclass.cohort.desk.watch import Doorkeeper
from fpgaclass.cohort.leases import Lease
from fpgaclass.cohort.seat import open_leases
from fpgaclass.core import FpgaClassError

_LOG = logging.getLogger("fpgaclass.seats")


class Room:
    """What is shared.

    Args:
        desk: opens the desk of a student.
        close: closes the cards whose lease is over, and returns them.
    """

    def __init__(self, desk: Callable[[str], Desk], close: Callable[[], tuple[str, ...]]) -> None:
        self.desk, self._close = desk, close
        self.gate = asyncio.Lock()
        self.begun: dict[str, asyncio.Task[None]] = {}
        self.said: dict[str, str] = {}

    async def begin(self, student: str, identity: str) -> Lease:
        """Hand a card over; one at a time, so that no door is closed while another opens it."""
        async with self.gate:
            return await asyncio.to_thread(lambda: self.desk(student).begin(identity))

    async def look(self) -> None:
        """Close the cards whose lease is over."""
        async with self.gate:
            try:
                closed = await asyncio.to_thread(self._close)
            except FpgaClassError as trouble:
                _LOG.error("%s", trouble)
            else:
                for card in closed:
                    _LOG.info("%s: the lease is over, and the card is closed", card)


def open_room(course: Path) -> Room:
    """Return the room of a course: beside the cohort's state, or with the copy of it that was sent here."""
    posted = posted_seats(course)
    if posted is not None:
        return Room(lambda student: PostedDesk(posted, student), lambda: ())
    book = open_leases(course)
    return Room(lambda student: LocalDesk(course, student, book=book), Doorkeeper(course).look)
