"""What we did and meant to do, on disk before it is done."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from fpgaclass.cohort.database import aware, now, open_database, shown
from fpgaclass.cohort.errors import BusyError
from fpgaclass.cohort.plans import Kind, Plan, Resource
from fpgaclass.cohort.port import scrub

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from fpgaclass.cohort.writer import Writer

PLANNED, INTENT, CREATED, READY, FAILED, DELETED = (
    "planned",
    "intent",
    "created",
    "ready",
    "failed",
    "deleted",
)


@dataclass(frozen=True)
class Row:
    """A resource as the state knows it; ``identity`` is the provider's id, ``offer`` the index in use."""

    cohort: str
    key: str
    kind: Kind
    student: str
    state: str
    generation: int
    offer: int
    size: str
    zone: str
    hourly: float
    spent: float
    identity: str | None
    address: str
    error: str
    intended: datetime | None
    created: datetime | None
    ended: datetime | None


@dataclass(frozen=True)
class CohortRow:
    """A cohort as the state knows it; phases: applying, ready, destroying, destroyed."""

    name: str
    provider: str
    digest: str
    phase: str
    currency: str
    created: datetime
    expires: datetime

    def end_of(self, hours: float | None) -> datetime:
        """Return when something goes that lives so many hours from the beginning; None is to the end."""
        return self.expires if hours is None else min(self.expires, self.created + timedelta(hours=hours))


class State:
    """The state of all cohorts of one database.

    Args:
        url: see :func:`fpgaclass.cohort.database.open_database`.

    Changes take the :class:`~fpgaclass.cohort.writer.Writer` of the cohort, and fail if it lost its lock.
    """

    def __init__(self, url: str | None = None) -> None:
        self.engine: Engine = open_database(url)
        self._queue = threading.Lock()

    def cohort(self, name: str) -> CohortRow | None:
        """Return a cohort, or None where this state never heard of it."""
        return next((c for c in self.cohorts() if c.name == name), None)

    def cohorts(self) -> tuple[CohortRow, ...]:
        """Return all cohorts, by name."""
        from fpgaclass.cohort.tables import cohorts

        with self.engine.begin() as connection:
            rows = connection.execute(cohorts.select().order_by(cohorts.c.name)).mappings().all()
        times = ("created", "expires")
        return tuple(CohortRow(**{**row, **{t: aware(row[t]) for t in times}}) for row in rows)

    def places(self) -> dict[str, str]:
        """Return where each cohort is, by name, as far as that was written down."""
        from fpgaclass.cohort.tables import places

        with self.engine.begin() as connection:
            return {row.cohort: row.place for row in connection.execute(places.select())}

    def accounts(self) -> dict[str, str]:
        """Return of which account each cohort is, by name, as far as that is known."""
        from fpgaclass.cohort.tables import accounts

        with self.engine.begin() as connection:
            return {row.cohort: row.account for row in connection.execute(accounts.select())}

    def settle(self, writer: Writer, place: str, account: str) -> None:
        """Write down where a cohort is made and of which account, before anything is."""
        from fpgaclass.cohort.tables import accounts, places

        with self.engine.begin() as connection:
            self._fence(connection, writer)
            for table, values in ((places, {"place": place}), (accounts, {"account": account})):
                connection.execute(table.delete().where(table.c.cohort == writer.cohort))
                connection.execute(table.insert().values(cohort=writer.cohort, **values))

    def rows(self, cohort: str) -> tuple[Row, ...]:
        """Return the resources of a cohort, by key."""
        from fpgaclass.cohort.tables import resources

        query = resources.select().where(resources.c.cohort == cohort).order_by(resources.c.key)
        with self.engine.begin() as connection:
            rows = connection.execute(query).mappings().all()
        times = ("intended", "created", "ended")
        return tuple(Row(**{**row, **{t: aware(row[t]) for t in times}}) for row in rows)

    def made_with(self, cohort: str) -> dict[str, dict[str, str]]:
        """Return the digests of the settings that things were made with, by key, as far as they are known."""
        from fpgaclass.cohort.tables import made_with

        found: dict[str, dict[str, str]] = {}
        with self.engine.begin() as connection:
            for row in connection.execute(made_with.select().where(made_with.c.cohort == cohort)):
                found.setdefault(row.key, {})[row.setting] = row.digest
        return found

    def remember(self, writer: Writer, settings: Mapping[str, Mapping[str, str]]) -> None:
        """Write down the digests of the settings that things are made with, by key."""
        from fpgaclass.cohort.tables import made_with

        rows = [
            {"cohort": writer.cohort, "key": key, "setting": name, "digest": digest}
            for key, digests in settings.items()
            for name, digest in digests.items()
        ]
        with self.engine.begin() as connection:
            self._fence(connection, writer)
            for key in settings:
                this = (made_with.c.cohort == writer.cohort) & (made_with.c.key == key)
                connection.execute(made_with.delete().where(this))
            if rows:
                connection.execute(made_with.insert(), rows)

    def journal(self, cohort: str) -> tuple[tuple[datetime, str, str], ...]:
        """Return (when, key, what) of everything that was done to a cohort."""
        from fpgaclass.cohort.tables import journal

        query = journal.select().where(journal.c.cohort == cohort).order_by(journal.c.number)
        with self.engine.begin() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple((aware(row["at"]) or row["at"], row["key"], row["what"]) for row in rows)

    def adopt(self, writer: Writer, plan: Plan, expires: datetime) -> CohortRow:
        """Write down a cohort and its resources; what is known already keeps its state and its expiry."""
        from fpgaclass.cohort.tables import cohorts, resources

        known = {row.key: row for row in self.rows(plan.cohort)}
        old = self.cohort(plan.cohort)
        if old and old.phase != "destroyed":
            expires = old.expires
        values = {
            "provider": plan.provider,
            "digest": plan.digest,
            "phase": "applying",
            "currency": plan.currency,
            "expires": expires,
            "created": old.created if old and old.phase != "destroyed" else now(),
        }
        with self.engine.begin() as connection:
            self._fence(connection, writer)
            if old is None:
                connection.execute(cohorts.insert().values(name=plan.cohort, **values))
            else:
                connection.execute(cohorts.update().where(cohorts.c.name == plan.cohort).values(**values))
            fresh = [_planned(plan.cohort, r) for r in plan.resources if r.key not in known]
            if fresh:
                connection.execute(resources.insert(), fresh)
            self._note(connection, plan.cohort, "", f"plan {plan.digest[:12]}: {len(fresh)} new resources")
        found = self.cohort(plan.cohort)
        assert found is not None
        return found

    def phase(self, writer: Writer, phase: str) -> None:
        """Record how far the cohort is."""
        from fpgaclass.cohort.tables import cohorts

        with self.engine.begin() as connection:
            self._fence(connection, writer)
            this = cohorts.c.name == writer.cohort
            connection.execute(cohorts.update().where(this).values(phase=phase))
            self._note(connection, writer.cohort, "", phase)

    def set(self, writer: Writer, keys: str | Iterable[str], **values: Any) -> None:
        """Change resources alike, durably, and journal it; with fsync before this returns.

        Raises:
            BusyError: the lock was lost meanwhile; nothing was changed.
        """
        self.set_each(writer, dict.fromkeys([keys] if isinstance(keys, str) else keys, values))

    def set_each(self, writer: Writer, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Change resources, each in its own way, in one transaction.

        Raises:
            BusyError: the lock was lost meanwhile; nothing was changed.
        """
        from fpgaclass.cohort.tables import resources

        # Threads queue here and not in SQLite, which lets a loser sleep for tens of milliseconds.
        with self._queue, self.engine.begin() as connection:
            self._fence(connection, writer)
            for key, values in changes.items():
                this = (resources.c.cohort == writer.cohort) & (resources.c.key == key)
                if values.get("error"):
                    values = {**values, "error": scrub(values["error"])}
                connection.execute(resources.update().where(this).values(**values))
                said = ", ".join(
                    f"{name} {value}" for name, value in values.items() if value not in (None, "")
                )
                self._note(connection, writer.cohort, key, said)

    def _note(self, connection: Connection, cohort: str, key: str, what: str) -> None:
        from fpgaclass.cohort.tables import journal

        connection.execute(journal.insert().values(at=now(), cohort=cohort, key=key, what=what))

    def _fence(self, connection: Connection, writer: Writer) -> None:
        """Refuse the write of a process that slept while another took its lock over."""
        from fpgaclass.cohort.tables import writers

        query = writers.select().where(writers.c.cohort == writer.cohort)
        row = connection.execute(query).mappings().first()
        if row is None or row["holder"] != writer.holder:
            raise BusyError(
                f"cohort {writer.cohort} was taken over by {row['who'] if row else 'nobody'} meanwhile",
                where=shown(self.engine),
                next_step="run fpgaclass cohort status, and the command again",
            )


def _planned(cohort: str, resource: Resource) -> dict[str, Any]:
    return {
        "cohort": cohort,
        "key": resource.key,
        "kind": resource.kind,
        "student": resource.student,
        "state": PLANNED,
        "hourly": resource.offers[0].hourly,
    }
