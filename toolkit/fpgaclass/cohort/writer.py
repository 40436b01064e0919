"""One writer for a cohort: a second instructor is told who works on it."""

from __future__ import annotations

import getpass
import os
import socket
import threading
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fpgaclass.cohort.database import aware, now, shown
from fpgaclass.cohort.errors import BusyError, CohortError

if TYPE_CHECKING:
    from sqlalchemy import Engine

BEAT_S = 5.0
STALE_S = 30.0


class Writer:
    """The lock on a cohort, as a context manager.

    It is a row with a heartbeat. It is free when its process is dead (on this host), or when the heart has
    not beaten for half a minute (on another). Writes are fenced by its holder's id, so that a process that
    woke up late cannot write.

    Args:
        engine: the database.
        cohort: whose lock.

    Raises:
        BusyError: somebody else holds it; the message has who, where and since when.
    """

    def __init__(self, engine: Engine, cohort: str) -> None:
        self.cohort = cohort
        self.holder = uuid.uuid4().hex
        self._engine = engine
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="cohort-lock", daemon=True)

    def __enter__(self) -> Writer:
        from sqlalchemy.exc import IntegrityError

        from fpgaclass.cohort.tables import writers

        mine: dict[str, Any] = {
            "holder": self.holder,
            "who": _user(),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "process_started": _process_started(os.getpid()),
            "since": now(),
            "beat": now(),
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(writers.insert().values(cohort=self.cohort, **mine))
        except IntegrityError:
            self._take_over(mine)
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from fpgaclass.cohort.tables import writers

        self._stop.set()
        self._heart.join()
        mine = (writers.c.cohort == self.cohort) & (writers.c.holder == self.holder)
        with self._engine.begin() as connection:
            connection.execute(writers.delete().where(mine))

    def _take_over(self, mine: dict[str, Any]) -> None:
        from fpgaclass.cohort.tables import writers

        with self._engine.begin() as connection:
            query = writers.select().where(writers.c.cohort == self.cohort)
            held = connection.execute(query).mappings().first()
            if held is not None and not _abandoned(dict(held)):
                since: datetime = aware(held["since"]) or held["since"]
                raise BusyError(
                    f"{held['who']} on {held['host']} (process {held['process']}) has worked on cohort "
                    f"{self.cohort} since {since:%Y-%m-%d %H:%M} UTC",
                    where=shown(self._engine),
                    next_step="wait, or talk to them; the lock frees itself when their process ends",
                )
            # The holder is in the condition: of two that find it abandoned, one gets it.
            same = writers.c.holder == (held["holder"] if held else "")
            changed = connection.execute(
                writers.update().where((writers.c.cohort == self.cohort) & same).values(**mine)
            )
            if changed.rowcount != 1:
                step = "run the command again"
                raise BusyError(f"somebody else took cohort {self.cohort} just now", next_step=step)

    def _beat(self) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        from fpgaclass.cohort.tables import writers

        mine = (writers.c.cohort == self.cohort) & (writers.c.holder == self.holder)
        while not self._stop.wait(BEAT_S):
            try:
                with self._engine.begin() as connection:
                    connection.execute(writers.update().where(mine).values(beat=now()))
            except (SQLAlchemyError, CohortError):
                continue  # a beat may be missed; the fence protects the state if too many are


def _abandoned(held: dict[str, Any]) -> bool:
    if held["host"] == socket.gethostname():
        # A process id comes round again; its start does not.
        return bool(abs(_process_started(held["process"]) - held["process_started"]) > 0.5)
    beat = aware(held["beat"])
    return beat is None or now() - beat > timedelta(seconds=STALE_S)


def _process_started(process: int) -> float:
    """Return the start of a process in seconds after boot, or -1 if it does not live."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return -1.0
    if fields[0] in ("Z", "X"):
        return -1.0
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
