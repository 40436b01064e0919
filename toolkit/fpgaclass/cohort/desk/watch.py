"""Who keeps the doors of the cards: a lease that has ended closes its card's node."""

from __future__ import annotations

from pathlib import Path

from fpgaclass.cohort.errors import CohortError
from fpgaclass.cohort.hosts import card_gate, cohort_inventory
from fpgaclass.cohort.leases.ledger import ACTIVE
from fpgaclass.cohort.seat import open_leases
from fpgaclass.cohort.spec import load_spec


class Doorkeeper:
    """Closes cards whose lease is over.

    Args:
        course: course.yaml, its folder, or the cohort's own file.
        url: the state's database.
    """

    def __init__(self, course: Path | str, *, url: str | None = None) -> None:
        self._course, self._url = course, url
        self._book = open_leases(course, url=url)
        self._open: set[str] = set()

    def look(self) -> tuple[str, ...]:
        """Close what is open and nobody's any more; return the cards that were closed.

        Raises:
            CohortError: Ansible could not be run; the cards are tried again at the next look.
        """
        active = {lease.card for lease in self._book.bookings() if lease.state == ACTIVE}
        over = self._open - active
        self._open |= active
        closed = []
        for card in sorted(over):
            if self._close(card):
                closed.append(card)
            self._open.discard(card)
        return tuple(closed)

    def _close(self, card: str) -> bool:
        hosts = cohort_inventory(load_spec(self._course), url=self._url)
        if card.partition(".")[0] not in hosts["all"]["children"]["cards"]["hosts"]:
            return False
        health = card_gate(hosts)(card)
        if not health.ok:
            self._book.set_health(card, False, health.note)
            raise CohortError(f"card {card} is out of use: {health.note}", next_step="fpgaclass lease list")
        return True
