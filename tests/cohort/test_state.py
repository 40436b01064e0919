"""The state on SQLite and on a real PostgreSQL: the same promises."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from fpgaclass.cohort import verbs
from fpgaclass.cohort.database import now, open_database
from fpgaclass.cohort.errors import BusyError, CohortError
from fpgaclass.cohort.state import State
from fpgaclass.cohort.testing import MemoryCloud, MemoryProvider
from fpgaclass.cohort.writer import STALE_S, Writer


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        address: str = request.getfixturevalue("postgres")
        return address
    return f"sqlite:///{tmp_path / 'state.sqlite'}"


def test_a_cohort_lives_and_dies_in_either_database(course: Path, url: str) -> None:
    """The same code by configuration: a department has PostgreSQL, a laptop has a file."""
    cloud = MemoryCloud()
    provider = MemoryProvider(cloud)
    assert not verbs.apply(course, provider=provider, url=url).failed
    assert State(url).cohort("spring27") is not None
    assert {row.state for row in State(url).rows("spring27")} == {"ready"}
    assert verbs.destroy(course, provider=provider, url=url).audit == ()
    assert {row.state for row in State(url).rows("spring27")} == {"deleted"}
    when, _, what = State(url).journal("spring27")[-1]
    assert what == "destroyed"
    assert abs(now() - when) < timedelta(minutes=1), "times come back in UTC"
    assert not verbs.apply(course, provider=provider, url=url).failed, "the name can be used again"
    verbs.destroy(course, provider=provider, url=url)
    assert not cloud.things


def test_one_writer_in_either_database(url: str) -> None:
    """Two hosts share a PostgreSQL: there the process cannot be looked at, the heartbeat decides."""
    from fpgaclass.cohort.tables import writers

    engine = open_database(url)
    with Writer(engine, "c") as first:
        with pytest.raises(BusyError), Writer(engine, "c"):
            pass
        with engine.begin() as connection:
            connection.execute(writers.update().values(host="another-host"))
        with pytest.raises(BusyError, match="on another-host"), Writer(engine, "c"):
            pass
        with engine.begin() as connection:
            old = now() - timedelta(seconds=STALE_S + 1)
            connection.execute(writers.update().values(beat=old))
        with Writer(engine, "c") as second:
            assert second.holder != first.holder


def test_sqlite_writes_reach_the_disk(tmp_path: Path) -> None:
    """WAL with synchronous=FULL: a power cut must not take an intent back."""
    engine = open_database(f"sqlite:///{tmp_path / 's.sqlite'}")
    with engine.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_wrong_url_hides_its_password() -> None:
    """Error messages end up in mails."""
    with pytest.raises(CohortError) as caught:
        open_database("postgresql://course:geheim@127.0.0.1:9/none")
    assert "geheim" not in str(caught.value)
    with pytest.raises(CohortError, match="FPGACLASS_DATABASE") as caught:
        open_database("postgres course:geheim@db")
    assert "geheim" not in str(caught.value)


def test_the_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    """Students have accounts on a class's machine: who is in the class, and where, is not for them."""
    engine = open_database(f"sqlite:///{tmp_path / 's.sqlite'}")
    with engine.begin():
        kept = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert kept == dict.fromkeys(kept, 0o600)
    assert "s.sqlite-wal" in kept


def test_a_state_opened_once_more_keeps_its_locks(tmp_path: Path) -> None:
    """POSIX drops a process's locks on a file when it closes any handle of it. The next process to leave
    would take itself for the last one, and the log of what is not in the file yet away with it."""
    path = tmp_path / "s.sqlite"
    url = f"sqlite:///{path}"
    leave = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM cohort'); c.close()"
    )
    with open_database(url).connect():
        open_database(url)
        subprocess.run([sys.executable, "-c", leave, str(path)], check=True)
        assert (tmp_path / "s.sqlite-wal").exists()


def test_a_database_that_fails_in_the_middle_is_one_line(tmp_path: Path) -> None:
    """Of another version, gone or full: a page of SQL helps nobody, and has the class's names in it."""
    state = State(f"sqlite:///{tmp_path / 'state.sqlite'}")
    with state.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE resource DROP COLUMN spent")
    with pytest.raises(CohortError, match=r"failed: no such column.*state\.sqlite.*Next: ") as told:
        state.rows("spring27")
    assert "\n" not in str(told.value)


def test_a_damaged_database_keeps_nobody_from_removing_machines(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They cost while somebody mends it: the message says how they go without it, and that works."""
    cloud = MemoryCloud()
    verbs.apply(course, provider=MemoryProvider(cloud))
    file = Path(str(State().engine.url.database))
    for beside in (file, Path(f"{file}-wal")):
        beside.write_bytes(b"x" * 5000)
    with pytest.raises(CohortError, match="FPGACLASS_STATE at an empty folder") as told:
        verbs.destroy(course, provider=MemoryProvider(cloud))
    assert "see that it is whole" in str(told.value)
    assert cloud.things
    monkeypatch.setenv("FPGACLASS_STATE", str(tmp_path / "empty"))
    verbs.destroy(course, provider=MemoryProvider(cloud))
    assert not cloud.things
