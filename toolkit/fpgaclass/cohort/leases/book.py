"""Bookings of cards: the rules, each in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fpgaclass.cohort.errors import LeaseError
from fpgaclass.cohort.leases.entries import ACTIVE, BLOCK, BOOKED, CANCELLED, DONE, OPEN, Card, Lease, Waiting
from fpgaclass.cohort.leases.ledger import Ledger

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LONGEST_BLOCK = timedelta(days=366)
NO_NODE = "its node is not up"
GIVEN_BACK = "your instructor gave it back"
_TOLD_FOR = timedelta(days=1)


class LeaseBook(Ledger):
    """The bookings of a cohort's cards.

    Args:
        cohort: whose cards.
        rules: quotas, lengths, horizon.
        url: the database; None is the default one, which the state uses too.
        clock: tells the time, UTC; for tests and simulations.
        card_hours: how long the cards' nodes live; None is as long as the cohort.
        timezone: of the times in messages.

    Every call first lets time do its work: bookings that nobody came to are freed, those that ended are
    counted, and what is free goes to those who wait.
    """

    def ensure_cards(self, names: Iterable[str]) -> None:
        """Add cards; those that are known stay as they are."""
        from fpgaclass.cohort.tables import cards

        with self._turn() as connection:
            known = {row.name for row in self._cards(connection)}
            for name in sorted(set(names) - known):
                connection.execute(cards.insert().values(cohort=self.cohort, name=name, healthy=1))

    def cards(self) -> tuple[Card, ...]:
        """Return the cards, with those that are out of use."""
        with self._turn() as connection:
            return tuple(Card(row.name, bool(row.healthy), row.note) for row in self._cards(connection))

    def follow(self, nodes: Mapping[str, bool]) -> None:
        """Take the cards of nodes that are not up out of use, and those of nodes that are up again back.

        Args:
            nodes: whether a node is up, by its key; a card that is out for another reason stays out.
        """
        for card in self.cards():
            up = nodes.get(card.name.partition(".")[0])
            if up is False and card.healthy:
                self.set_health(card.name, False, NO_NODE)
            elif up and card.note == NO_NODE:
                self.set_health(card.name, True)

    def book(self, student: str, slots: int = 1, *, at: datetime | None = None) -> Lease | Waiting:
        """Book a card: at a time, or as early as possible; or take a place on the waiting list.

        Args:
            student: the login.
            slots: how long, in slots of ``slot_minutes``.
            at: when; rounded down to a slot. None is as early as possible, after those who wait.

        Raises:
            LeaseError: a rule is broken, or at that time no card is free.
        """
        from fpgaclass.cohort.tables import leases, waiting

        if not 1 <= slots <= self.rules.max_slots:
            longest = self.rules.max_slots * self.rules.slot_minutes
            step = f"book 1 to {self.rules.max_slots} slots of {self.rules.slot_minutes} minutes"
            raise LeaseError(f"a booking lasts at most {longest} minutes", next_step=step)
        with self._turn() as connection:
            if self._destroyed(connection):
                step = "fpgaclass cohort apply makes it anew"
                raise LeaseError("the cohort was destroyed, and its cards with it", next_step=step)
            mine = (leases.c.cohort == self.cohort) & (leases.c.student == student)
            rows = connection.execute(leases.select().where(mine & leases.c.state.in_(OPEN))).all()
            waits = (waiting.c.cohort == self.cohort) & (waiting.c.student == student)
            if len(rows) >= self.rules.open_bookings:
                has = f"{len(rows)} booking{'s' if len(rows) > 1 else ''}"
                what = f"{student} has {has} already, and may have {self.rules.open_bookings}"
                step = "use or release one first (fpgaclass lease list)"
                raise LeaseError(what, next_step=step)
            if at is not None:
                return self._book_at(connection, student, slots, at)
            if connection.execute(waiting.select().where(waits)).first() is None:
                asked = self._clock().timestamp()
                row = {"cohort": self.cohort, "student": student, "slots": slots, "asked": asked}
                connection.execute(waiting.insert().values(row))
            before = {row.identity for row in rows}
            self._refill(connection)
            rows = connection.execute(leases.select().where(mine & leases.c.state.in_(OPEN))).all()
            new = [row for row in rows if row.identity not in before]
            if new:
                return self._lease(new[0])
            return next(place for place in self._queue(connection) if place.student == student)

    def release(self, identity: str, *, student: str | None = None) -> Lease:
        """Give a booking back, before or during it; what is left of it goes to those who wait.

        Args:
            identity: the lease.
            student: only if it is theirs; None may release anybody's.

        Raises:
            LeaseError: there is no such open lease.
        """
        with self._turn() as connection:
            row = self._open_lease(connection, identity, student)
            # Of a block the note stays; a student's own word needs none.
            note = row.note if student or row.state == BLOCK else GIVEN_BACK
            self._end(connection, row, DONE if row.state == ACTIVE else CANCELLED, note)
            self._refill(connection)
            return self._lease(self._row(connection, identity))

    def begin(self, identity: str, *, student: str | None = None) -> Lease:
        """Note that the student has come; from then on it is no no-show.

        Raises:
            LeaseError: there is no such lease, or it is not its time.
        """
        from fpgaclass.cohort.tables import leases

        with self._turn() as connection:
            row = self._open_lease(connection, identity, student)
            if not row.first <= self._slot(self._clock()) < row.first + row.slots:
                begins = self.said(self._time(row.first))
                raise LeaseError(f"the booking begins at {begins}", next_step="come back then")
            connection.execute(leases.update().where(leases.c.identity == identity).values(state=ACTIVE))
            return self._lease(self._row(connection, identity))

    def free_others(self, students: Iterable[str]) -> tuple[Lease, ...]:
        """Free the bookings of everybody but these students, and their places on the waiting list.

        Returns:
            the bookings that are free again. Who is on a card at this moment keeps their time.
        """
        from fpgaclass.cohort.tables import leases, waiting

        stay = sorted(set(students))
        with self._turn() as connection:
            theirs = (leases.c.cohort == self.cohort) & leases.c.student.not_in(stay)
            rows = connection.execute(leases.select().where(theirs & (leases.c.state == BOOKED))).all()
            for row in rows:
                self._end(connection, row, CANCELLED)
            gone = (waiting.c.cohort == self.cohort) & waiting.c.student.not_in(stay)
            connection.execute(waiting.delete().where(gone))
            self._refill(connection)
            return tuple(map(self._lease, rows))

    def leave_queue(self, student: str) -> bool:
        """Take a student off the waiting list; return whether they were on it."""
        from fpgaclass.cohort.tables import waiting

        with self._turn() as connection:
            this = (waiting.c.cohort == self.cohort) & (waiting.c.student == student)
            return bool(connection.execute(waiting.delete().where(this)).rowcount)

    def bookings(self, student: str | None = None, *, past: bool = False) -> tuple[Lease, ...]:
        """Return the leases, by time; of one student, or of all; also those that are over, if asked."""
        from fpgaclass.cohort.tables import leases

        with self._turn() as connection:
            query = leases.select().where(leases.c.cohort == self.cohort)
            if student is not None:
                query = query.where(leases.c.student == student)
            if not past:
                query = query.where(leases.c.state.in_((*OPEN, BLOCK)))
            rows = connection.execute(query.order_by(leases.c.first, leases.c.card)).all()
            found = tuple(map(self._lease, rows))
        return found if past else tuple(lease for lease in found if lease.ends > self._clock())

    def notices(self, student: str | None = None) -> tuple[Lease, ...]:
        """Return the bookings that their students lost to others, by time; the note of each says why.

        Blocks, cards out of use and instructors take bookings away. They are told until a day after the time
        that was booked.
        """
        from fpgaclass.cohort.tables import leases

        with self._turn() as connection:
            lost = (leases.c.cohort == self.cohort) & (leases.c.student != "") & (leases.c.note != "")
            if student is not None:
                lost &= leases.c.student == student
            rows = connection.execute(leases.select().where(lost).order_by(leases.c.first)).all()
        since = self._clock() - _TOLD_FOR
        return tuple(lease for lease in map(self._lease, rows) if lease.ends > since)

    def queue(self) -> tuple[Waiting, ...]:
        """Return the waiting list in its order."""
        with self._turn() as connection:
            return tuple(self._queue(connection))

    def next(self, student: str) -> Lease | Waiting | None:
        """Return the student's current or next lease, else their place on the waiting list, else None."""
        open_ = [lease for lease in self.bookings(student) if lease.state in OPEN]
        if open_:
            return open_[0]
        return next((place for place in self.queue() if place.student == student), None)

    def current(self, student: str) -> Lease | None:
        """Return the lease whose time is now: what a hub asks to give the profile with the card."""
        now = self._clock()
        return next((x for x in self.bookings(student) if x.state in OPEN and x.begins <= now < x.ends), None)

    def block(self, card: str, begins: datetime, ends: datetime, *, note: str) -> tuple[Lease, ...]:
        """Keep a card for the instructor; bookings that were there are moved, or wait again.

        Returns:
            the bookings that had to give way, as they were.

        Raises:
            LeaseError: there is no such card, or the time is empty or past.
        """
        from fpgaclass.cohort.tables import slots

        first, last = self._slot(begins), self._slot(ends - timedelta(microseconds=1))
        if last < first or last < self._slot(self._clock()):
            step = "give a begin, and an end after it"
            raise LeaseError("a block needs a time that is not over", next_step=step)
        if ends - begins > _LONGEST_BLOCK:
            raise LeaseError(
                "a block lasts at most a year", next_step="fpgaclass lease health takes a card out"
            )
        with self._turn() as connection:
            self._require_card(connection, card)
            here = (slots.c.cohort == self.cohort) & (slots.c.card == card)
            inside = here & (slots.c.slot >= first) & (slots.c.slot <= last)
            hit = {row.lease for row in connection.execute(slots.select().where(inside))}
            moved = self._clear(connection, hit, note or "kept by the instructor")
            self._write(connection, "", card, first, last - first + 1, BLOCK, note, gap=0)
            self._refill(connection)
        return moved

    def set_health(self, card: str, healthy: bool, note: str = "") -> tuple[Lease, ...]:
        """Take a card out of use, or back into it; bookings of a broken card are moved, or wait again.

        Returns:
            the bookings that had to give way, as they were.

        Raises:
            LeaseError: there is no such card.
        """
        from fpgaclass.cohort.tables import cards, leases

        with self._turn() as connection:
            self._require_card(connection, card)
            this = (cards.c.cohort == self.cohort) & (cards.c.name == card)
            connection.execute(cards.update().where(this).values(healthy=int(healthy), note=note))
            moved: tuple[Lease, ...] = ()
            if not healthy:
                on_it = (leases.c.cohort == self.cohort) & (leases.c.card == card) & leases.c.state.in_(OPEN)
                hit = {row.identity for row in connection.execute(leases.select().where(on_it))}
                moved = self._clear(connection, hit, note or "the card is broken")
            self._refill(connection)
        return moved

    def _require_card(self, connection: Connection, card: str) -> None:
        names = [row.name for row in self._cards(connection)]
        if card not in names:
            step = f"one of: {', '.join(names) or 'none yet'}"
            raise LeaseError(f"there is no card {card}", next_step=step)

    def close(self) -> None:
        """End all bookings: the cohort is gone, and its name may come again."""
        from fpgaclass.cohort.tables import cards, leases, slots, waiting

        with self._alone() as connection:
            open_ = (leases.c.cohort == self.cohort) & leases.c.state.in_((*OPEN, BLOCK))
            connection.execute(slots.delete().where(slots.c.cohort == self.cohort))
            connection.execute(leases.update().where(open_).values(state=CANCELLED, note="the cohort ended"))
            connection.execute(waiting.delete().where(waiting.c.cohort == self.cohort))
            connection.execute(cards.delete().where(cards.c.cohort == self.cohort))

    def served(self) -> dict[str, int]:
        """Return the slots that each student has had or has booked; fairness is measured in these."""
        with self._turn() as connection:
            return self._served(connection)
