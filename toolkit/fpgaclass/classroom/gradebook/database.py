"""The gradebook's database: where it is, and what is said when it cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sql

from fpgaclass.core import ClassroomError

URL_VARIABLE = "FPGACLASS_GRADEBOOK"
"""The gradebook's database, as SQLAlchemy writes it; without it, gradebook.db in the course folder."""
PATIENCE = 30.0
"""So many seconds SQLite waits for somebody else who writes."""


def open_engine(url: str) -> sql.Engine:
    """Return SQLAlchemy's engine of a gradebook; a formgrader that saves at the same moment is waited for.

    Raises:
        ClassroomError: it is no database's URL, or one that nothing here can talk to.
    """
    try:
        patient = {"timeout": PATIENCE} if url.startswith("sqlite") else {}
        return sql.create_engine(url, connect_args=patient)
    except (sql.exc.SQLAlchemyError, ImportError, ValueError) as trouble:
        raise unusable(url, trouble) from trouble


@contextmanager
def in_use(engine: sql.Engine) -> Iterator[None]:
    """Say, if the gradebook fails while the block uses it, what failed and what helps.

    Raises:
        ClassroomError: it did: it is locked, full, broken, or its server has gone.
    """
    try:
        yield
    except sql.exc.SQLAlchemyError as trouble:
        raise unusable(engine.url.render_as_string(), trouble) from trouble


def unusable(url: str, trouble: Exception) -> ClassroomError:
    """Say that the gradebook cannot be used, why, and what helps; never its password."""
    try:
        where = sql.engine.make_url(url).render_as_string(hide_password=True)
    except sql.exc.ArgumentError:
        where = URL_VARIABLE
    reason = str(getattr(trouble, "orig", None) or trouble).strip().splitlines() or ["no reason was given"]
    step = f"look at the database, and at {URL_VARIABLE}"
    if "full" in reason[0]:
        step = "make room on that disk"
    elif "locked" in reason[0]:
        step = "another program writes to it: let it end, and run the same command again"
    return ClassroomError(f"the gradebook cannot be used: {reason[0][:200]}", where=where, next_step=step)
