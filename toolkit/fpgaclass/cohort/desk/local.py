"""The desk beside the state: the hub's service and the instructor's command line use it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from fpgaclass.cohort import verbs
from fpgaclass.cohort.desk.wire import DeskView, view_of
from fpgaclass.cohort.errors import CohortError, LeaseError
from fpgaclass.cohort.hosts import card_gate, cohort_inventory
from fpgaclass.cohort.leases import Health, Lease, LeaseBook, Waiting, hand_over
from fpgaclass.cohort.leases.entries import ACTIVE
from fpgaclass.cohort.moments import in_zone
from fpgaclass.cohort.seat import SeatView, open_leases, seats
from fpgaclass.cohort.spec import load_spec


class LocalDesk:
    """The desk of one student, on the database itself.

    Args:
        course: course.yaml, its folder, or the cohort's own file.
        student: the login.
        url: the state's database.
        book: the bookings, where somebody has them open already.

    Raises:
        LeaseError: it is not said whose desk this is.
        CohortError: nobody is called like that.
    """

    def __init__(
        self,
        course: Path | str,
        student: str | None,
        *,
        url: str | None = None,
        book: LeaseBook | None = None,
    ) -> None:
        self._course, self._url, self._file = course, url, load_spec(course)
        logins = [person.login for person in verbs.students(self._file)]
        if student is None:
            step = f"--student, one of: {', '.join(logins[:12])}"
            raise LeaseError("it is not said whose booking this is", next_step=step)
        if student not in logins:
            what = f"no student of {self._file.spec.name} is called {student}"
            raise CohortError(what, where=str(self._file.path), next_step="check the roster")
        self.student = student
        self._book = book or open_leases(course, url=url)

    @property
    def timezone(self) -> str:
        """The class's time zone."""
        return self._file.timezone

    def seat(self) -> SeatView:
        """See the port."""
        return seats(self._course, self.student, url=self._url)[0]

    def view(self) -> DeskView:
        """Return all that the student's page shows."""
        taken = [lease for lease in self._book.bookings() if lease.student != self.student]
        return view_of(self._file, self.seat(), self.bookings(), taken)

    def bookings(self) -> tuple[Lease, ...]:
        """See the port."""
        return self._book.bookings(self.student)

    def current(self) -> Lease | None:
        """Return the booking whose time is now."""
        return self._book.current(self.student)

    def book(self, slots: int = 1, *, at: datetime | None = None) -> Lease | Waiting:
        """See the port."""
        when = at if at is None else in_zone(at, self.timezone)
        return self._book.book(self.student, slots, at=when)

    def next(self) -> Lease | Waiting | None:
        """See the port."""
        return self._book.next(self.student)

    def begin(self, identity: str) -> Lease:
        """See the port. It runs Ansible on the card's node, and takes some seconds."""
        lease = next((x for x in self.bookings() if x.identity == identity), None)
        if lease is not None and lease.state == ACTIVE:
            return lease
        hosts = cohort_inventory(self._file, url=self._url)
        nodes = hosts["all"]["children"]["cards"]["hosts"]
        reset = card_gate(hosts, holder=self.student)

        def gate(card: str) -> Health:
            if card.partition(".")[0] not in nodes:
                step = "tell your instructor; fpgaclass cohort status shows the machines"
                raise LeaseError(f"the node of {card} is not up", where=self._file.spec.name, next_step=step)
            return reset(card)

        return hand_over(self._book, identity, gate, student=self.student)

    def release(self, identity: str) -> Lease:
        """See the port."""
        return self._book.release(identity, student=self.student)

    def leave(self) -> bool:
        """See the port."""
        return self._book.leave_queue(self.student)
