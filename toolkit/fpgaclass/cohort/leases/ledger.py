"""The transactions behind the bookings: what time does, who is next, what is free."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from fpgaclass.cohort.database import aware, open_database
from fpgaclass.cohort.errors import LeaseError
from fpgaclass.cohort.leases.entries import BLOCK, BOOKED, CANCELLED, DONE, NO_SHOW, OPEN, Lease, Waiting
from fpgaclass.cohort.leases.grain import keep_grain
from fpgaclass.cohort.spec import LeaseRules

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The rows of a cohort's bookings; :class:`~fpgaclass.cohort.leases.LeaseBook` is what is called."""

    def __init__(
        self,
        cohort: str,
        rules: LeaseRules | None = None,
        *,
        url: str | None = None,
        engine: Engine | None = None,
        clock: Callable[[], datetime] = _utc_now,
        card_hours: float | None = None,
        timezone: str = "UTC",
    ) -> None:
        from sqlalchemy.exc import IntegrityError

        from fpgaclass.cohort.tables import books

        self.cohort, self.rules, self._clock = cohort, rules or LeaseRules(), clock
        self._card_hours, self._zone = card_hours, ZoneInfo(timezone)
        self.engine = engine or open_database(url)
        # Another process may make it at the same moment.
        with suppress(IntegrityError), self.engine.begin() as connection:
            if connection.execute(books.select().where(books.c.cohort == cohort)).first() is None:
                connection.execute(books.insert().values(cohort=cohort))

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """Give a transaction that no other booking runs beside."""
        from fpgaclass.cohort.tables import books

        with self.engine.begin() as connection:
            connection.execute(books.select().where(books.c.cohort == self.cohort).with_for_update()).first()
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[Connection]:
        """Give a transaction that no other booking runs beside, with time's work done in it."""
        with self._alone() as connection:
            keep_grain(connection, self.cohort, self.rules.slot_minutes, self._clock())
            if self._pass_time(connection):
                self._refill(connection)
            yield connection

    def _pass_time(self, connection: Connection) -> int:
        """End what is over and free what nobody came to; return how many."""
        from fpgaclass.cohort.tables import leases

        now = self._clock()
        current = self._slot(now)
        ours = (leases.c.cohort == self.cohort) & (leases.c.first <= current)
        late = timedelta(minutes=self.rules.no_show_minutes)
        count = 0
        for row in connection.execute(leases.select().where(ours & leases.c.state.in_(OPEN))).all():
            if (
                row.state == BOOKED
                and now >= max(self._time(row.first), datetime.fromtimestamp(row.booked, UTC)) + late
            ):
                self._end(connection, row, NO_SHOW)
                count += 1
            elif row.first + row.slots <= current:
                self._end(connection, row, DONE)
                count += 1
        return count

    def _end(self, connection: Connection, row: Any, state: str, note: str = "") -> None:
        """Close a lease and free what is left of it. A no-show counts whole: the card stood idle for it."""
        from fpgaclass.cohort.tables import leases, slots

        current = self._slot(self._clock())
        used = row.slots if state == NO_SHOW else max(0, min(row.slots, current - row.first + 1))
        used = 0 if state == CANCELLED else used
        change = (
            leases.update().where(leases.c.identity == row.identity).values(state=state, used=used, note=note)
        )
        connection.execute(change)
        # After an early end the slot that runs is over for all: what is left of it is the reset's.
        kept = current + 1 if state == DONE else current
        connection.execute(slots.delete().where((slots.c.lease == row.identity) & (slots.c.slot >= kept)))

    def _clear(self, connection: Connection, hit: set[str], note: str) -> tuple[Lease, ...]:
        """Take leases off their card, and put their students at their place on the waiting list."""
        from fpgaclass.cohort.tables import leases, slots, waiting

        moved = []
        for identity in sorted(hit):
            row = self._row(connection, identity)
            connection.execute(slots.delete().where(slots.c.lease == identity))
            if row.state not in OPEN:
                continue
            moved.append(self._lease(row))
            change = leases.update().where(leases.c.identity == identity)
            connection.execute(change.values(state=CANCELLED, note=note))
            this = (waiting.c.cohort == self.cohort) & (waiting.c.student == row.student)
            connection.execute(waiting.delete().where(this))
            # Asked at time zero: who lost a booking through no fault comes before equals.
            back = {"cohort": self.cohort, "student": row.student, "slots": row.slots, "asked": 0.0}
            connection.execute(waiting.insert().values(back))
        return tuple(moved)

    def _refill(self, connection: Connection) -> None:
        """Give free time to those who wait, the least served first."""
        from fpgaclass.cohort.tables import leases, waiting

        busy: set[tuple[str, int]] | None = None
        for place in list(self._queue(connection)):
            mine = (leases.c.cohort == self.cohort) & (leases.c.student == place.student)
            open_ = connection.execute(leases.select().where(mine & leases.c.state.in_(OPEN))).all()
            if len(open_) >= self.rules.open_bookings:
                continue
            busy = self._busy(connection) if busy is None else busy
            found = self._earliest(connection, busy, place.slots)
            if found is None:
                continue
            card, first = found
            self._write(connection, place.student, card, first, place.slots, BOOKED, "", self.rules.gap_slots)
            busy |= {(card, slot) for slot in range(first, first + place.slots + self.rules.gap_slots)}
            this = (waiting.c.cohort == self.cohort) & (waiting.c.student == place.student)
            connection.execute(waiting.delete().where(this))

    def _book_at(self, connection: Connection, student: str, slots: int, at: datetime) -> Lease:
        first, current = self._slot(at), self._slot(self._clock())
        step = "a later time, or no time: the earliest free one is taken"
        if first < current:
            raise LeaseError(f"{self.said(at)} is over", next_step=step)
        if first + slots > self._slot(self._ahead()):
            days = self.rules.horizon_days
            raise LeaseError(f"one may book up to {days} days ahead", next_step="an earlier time")
        gone = self._gone(connection)
        if gone is not None and first + slots > self._slot(gone):
            raise LeaseError(f"the cards go at {self.said(gone)}", next_step="an earlier time")
        busy = self._busy(connection)
        for card in self._healthy(connection):
            wanted = range(first, first + slots + self.rules.gap_slots)
            if not any((card, slot) in busy for slot in wanted):
                made = self._write(connection, student, card, first, slots, BOOKED, "", self.rules.gap_slots)
                return self._lease(self._row(connection, made))
        when = self.said(self._time(first))
        step = "another time, or no time: the earliest free one is taken"
        raise LeaseError(f"no card is free at {when}", next_step=step)

    def _earliest(
        self, connection: Connection, busy: set[tuple[str, int]], slots: int
    ) -> tuple[str, int] | None:
        healthy = self._healthy(connection)
        needed = slots + self.rules.gap_slots
        now = self._clock()
        ahead = self._slot(now + timedelta(hours=self.rules.queue_hours))
        # Of a slot that is more than half over, hardly anything would be left.
        start = self._slot(now + timedelta(minutes=self.rules.slot_minutes / 2))
        gone = self._gone(connection)
        last = min(ahead, self._slot(self._ahead()), ahead if gone is None else self._slot(gone))
        for first in range(start, last - slots + 1):
            for card in healthy:
                if all((card, slot) not in busy for slot in range(first, first + needed)):
                    return card, first
        return None

    def _write(
        self,
        connection: Connection,
        student: str,
        card: str,
        first: int,
        count: int,
        state: str,
        note: str,
        gap: int,
    ) -> str:
        from fpgaclass.cohort.tables import leases, slots

        identity = os.urandom(5).hex()
        lease: dict[str, Any] = {
            "identity": identity,
            "cohort": self.cohort,
            "student": student,
            "card": card,
        }
        lease["booked"] = self._clock().timestamp()
        connection.execute(leases.insert().values(**lease, first=first, slots=count, state=state, note=note))
        taken = [
            {"cohort": self.cohort, "card": card, "slot": slot, "lease": identity}
            for slot in range(first, first + count + gap)
        ]
        connection.execute(slots.insert(), taken)
        return identity

    def _queue(self, connection: Connection) -> Iterator[Waiting]:
        from fpgaclass.cohort.tables import waiting

        rows = connection.execute(waiting.select().where(waiting.c.cohort == self.cohort)).all()
        if not rows:
            return
        served = self._served(connection)
        rows = sorted(rows, key=lambda row: (served.get(row.student, 0), row.asked, row.student))
        for place, row in enumerate(rows, start=1):
            yield Waiting(row.student, place, row.slots)

    def _served(self, connection: Connection) -> dict[str, int]:
        from sqlalchemy import case, func, select

        from fpgaclass.cohort.tables import leases

        open_ = leases.c.state.in_(OPEN)
        amount = func.sum(case((open_, leases.c.slots), else_=leases.c.used))
        query = select(leases.c.student, amount).where(
            leases.c.cohort == self.cohort, leases.c.state != BLOCK
        )
        return {name: int(total or 0) for name, total in connection.execute(query.group_by(leases.c.student))}

    def _busy(self, connection: Connection) -> set[tuple[str, int]]:
        from fpgaclass.cohort.tables import slots

        ours = (slots.c.cohort == self.cohort) & (slots.c.slot >= self._slot(self._clock()))
        return {(row.card, row.slot) for row in connection.execute(slots.select().where(ours))}

    def _cards(self, connection: Connection) -> Sequence[Any]:
        from fpgaclass.cohort.tables import cards

        return connection.execute(
            cards.select().where(cards.c.cohort == self.cohort).order_by(cards.c.name)
        ).all()

    def _healthy(self, connection: Connection) -> list[str]:
        return [row.name for row in self._cards(connection) if row.healthy]

    def _row(self, connection: Connection, identity: str) -> Any:
        from fpgaclass.cohort.tables import leases

        return connection.execute(leases.select().where(leases.c.identity == identity)).one()

    def _open_lease(self, connection: Connection, identity: str, student: str | None) -> Any:
        from fpgaclass.cohort.tables import leases

        this = (leases.c.cohort == self.cohort) & (leases.c.identity == identity)
        row = connection.execute(leases.select().where(this & leases.c.state.in_((*OPEN, BLOCK)))).first()
        if row is None or (student is not None and row.student != student):
            whose = f" of {student}" if student else ""
            step = "fpgaclass lease list"
            raise LeaseError(f"there is no open lease {identity}{whose}", next_step=step)
        return row

    def _lease(self, row: Any) -> Lease:
        begins, ends = self._time(row.first), self._time(row.first + row.slots)
        return Lease(row.identity, row.student, row.card, begins, ends, row.state, row.note)

    def _slot(self, when: datetime) -> int:
        return int(when.timestamp() // (60 * self.rules.slot_minutes))

    def _time(self, slot: int) -> datetime:
        return datetime.fromtimestamp(slot * 60 * self.rules.slot_minutes, UTC)

    def _ahead(self) -> datetime:
        """Return from when on it is too far ahead."""
        return self._clock() + timedelta(days=self.rules.horizon_days)

    def _row_of_cohort(self, connection: Connection) -> Any:
        from fpgaclass.cohort.tables import cohorts

        return connection.execute(cohorts.select().where(cohorts.c.name == self.cohort)).first()

    def _destroyed(self, connection: Connection) -> bool:
        row = self._row_of_cohort(connection)
        return row is not None and row.phase == "destroyed"

    def _gone(self, connection: Connection) -> datetime | None:
        """Return when the cards' nodes go, where they are there."""
        row = self._row_of_cohort(connection)
        if row is None or row.phase == "destroyed":
            return None
        begun, ends = aware(row.created), aware(row.expires)
        if self._card_hours is None or begun is None or ends is None:
            return ends
        return min(ends, begun + timedelta(hours=self._card_hours))

    def said(self, when: datetime) -> str:
        """Return a time as messages have it, in the class's zone."""
        return f"{when.astimezone(self._zone):%Y-%m-%d %H:%M %Z}"
