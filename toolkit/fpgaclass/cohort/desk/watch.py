"""The doors of the cards: a lease that has ended, or is given back, closes its card's node."""

from __future__ import annotations

from pathlib import Path

from fpgaclass.cohort.errors import CohortError
from fpgaclass.cohort.hosts import card_gate, cohort_inventory
from fpgaclass.cohort.leases import Lease
from fpgaclass.cohort.leases.entries import ACTIVE
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
        # What was open when an earlier one ended is not known: all of them, then.
        self._open = {card.name for card in self._book.cards()}

    def look(self) -> tuple[str, ...]:
        """Close what is open and nobody's any more; return the cards that were closed.

        Raises:
            CohortError: a card is not well, and out of use from now on; or Ansible could not be run.
        """
        active = {lease.card for lease in self._book.bookings() if lease.state == ACTIVE}
        over = self._open - active
        self._open |= active
        closed = []
        for card in sorted(over):
            self._open.discard(card)
            if self.close(card):
                closed.append(card)
        return tuple(closed)

    def close(self, card: str) -> bool:
        """Lock everybody out of a card and reset it; return whether its node was there to do so.

        Raises:
            CohortError: the card is not well, and out of use from now on.
        """
        hosts = cohort_inventory(load_spec(self._course), url=self._url)
        if card.partition(".")[0] not in hosts["all"]["children"]["cards"]["hosts"]:
            return False
        health = card_gate(hosts)(card)
        if not health.ok:
            self._book.set_health(card, False, health.note)
            raise CohortError(f"card {card} is out of use: {health.note}", next_step="fpgaclass lease list")
        return True


def give_back(
    course: Path | str, identity: str, *, student: str | None = None, url: str | None = None
) -> Lease:
    """Release a lease, and close its card at once if the student was on it.

    Args:
        course: course.yaml, its folder, or the cohort's own file.
        identity: the lease.
        student: only if it is theirs; None releases anybody's.
        url: the state's database.

    Raises:
        LeaseError: there is no such open lease.
        CohortError: the card is not well, and out of use from now on.
    """
    book = open_leases(course, url=url)
    begun = any(x.identity == identity and x.state == ACTIVE for x in book.bookings(student))
    lease = book.release(identity, student=student)
    if begun:
        Doorkeeper(course, url=url).close(lease.card)
    return lease
