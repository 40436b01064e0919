"""The database behind state and leases: SQLite beside the class by default, PostgreSQL by URL."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fpgaclass.cohort.errors import CohortError
from fpgaclass.cohort.port import scrub
from fpgaclass.core import state_directory

if TYPE_CHECKING:
    from sqlalchemy import Engine


_FILE = "see that it is whole and of this version, and that its folder can be written and has room"
_SERVER = "see that it is there, of this version, and has room; check FPGACLASS_DATABASE, and psycopg"
_MEANWHILE = (
    "; meanwhile fpgaclass cohort destroy removes machines by their tags, with FPGACLASS_STATE at an empty "
    "folder and without FPGACLASS_DATABASE"
)


def now() -> datetime:
    """Return the time, UTC, to the second as the clouds' tags have it."""
    return datetime.now(UTC).replace(microsecond=0)


def aware(when: datetime | None) -> datetime | None:
    """Return a time read from the database with its zone; SQLite forgets that it was UTC."""
    return when.replace(tzinfo=UTC) if when is not None and when.tzinfo is None else when


def open_database(url: str | None = None) -> Engine:
    """Open (and make) the database.

    Args:
        url: an SQLAlchemy URL; None takes ``FPGACLASS_DATABASE``, else a file in the state directory.

    Raises:
        CohortError: it cannot be opened.
    """
    import sqlalchemy
    from sqlalchemy import event
    from sqlalchemy.exc import SQLAlchemyError

    from fpgaclass.cohort.tables import metadata

    if url is None:
        url = os.environ.get("FPGACLASS_DATABASE")
    if url is None:
        url = f"sqlite:///{state_directory() / 'cohort.sqlite'}"
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    try:
        if url.startswith("sqlite"):
            _ensure_private(sqlalchemy.make_url(url).database)
            engine = sqlalchemy.create_engine(url, connect_args={"timeout": 60})
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        else:
            engine = sqlalchemy.create_engine(url, pool_pre_ping=True)
        metadata.create_all(engine)
    except (SQLAlchemyError, ImportError, OSError) as trouble:
        try:
            where = sqlalchemy.make_url(url).render_as_string(hide_password=True)
        except SQLAlchemyError:
            where = "FPGACLASS_DATABASE"
        raise CohortError(
            f"the database cannot be opened: {scrub(str(trouble).splitlines()[0])}",
            where=where,
            next_step=(_FILE if url.startswith("sqlite") else _SERVER) + _MEANWHILE,
        ) from trouble
    event.listen(engine, "handle_error", _told)
    return engine


def _told(context: Any) -> None:
    """Say in one line what became of the database meanwhile: it went, is full, or of another version."""
    from sqlalchemy.exc import DBAPIError, IntegrityError

    trouble = context.sqlalchemy_exception
    if context.is_pre_ping or not isinstance(trouble, DBAPIError) or isinstance(trouble, IntegrityError):
        return
    said = scrub((str(trouble.orig).splitlines() or [type(trouble.orig).__name__])[0])
    raise CohortError(
        f"the database failed: {said}",
        where=shown(context.engine) if context.engine else None,
        next_step=(_FILE if context.dialect.name == "sqlite" else _SERVER) + _MEANWHILE,
    ) from trouble


def shown(engine: Engine) -> str:
    """Return which database it is, for messages: without its password."""
    return engine.url.render_as_string(hide_password=True)


def _ensure_private(database: str | None) -> None:
    """Make the file for its owner alone: no other user of the machine need know who is in the class."""
    if database and database != ":memory:":
        # What SQLite keeps beside it gets the same rights. Only a new file is opened: to close one that is in
        # use lets go of this process's locks on it, and the next to leave takes the write-ahead log away.
        with suppress(FileExistsError):
            os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # Our own BEGIN below; the driver's begins too late, at the first write, and two writers then collide.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    # An intent that a power cut takes back is a machine that nobody knows of.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
