"""The state on SQLite and on a real PostgreSQL: the same promises."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fpgaclass.cohort import verbs
from fpgaclass.cohort.database import now, open_database
from fpgaclass.cohort.errors import BusyError, CohortError
from fpgaclass.cohort.state import State
from fpgaclass.cohort.testing import MemoryCloud, MemoryProvider
from fpgaclass.cohort.writer import STALE_S, Writer


def _postgres_programs() -> Path | None:
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    homes += [Path(found).parent] if found else []
    return next((home for home in homes if (home / "initdb").exists()), None)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server of Debian's packages, on loopback, with a folder of its own."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    folder = tmp_path_factory.mktemp("postgres")
    as_user: list[str] = []
    if os.getuid() == 0:  # the server refuses to run as root
        for parent in (folder, *folder.parents):
            if parent.stat().st_uid == 0 and parent != Path("/") and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    run = {"cwd": folder, "check": True, "capture_output": True, "text": True}
    subprocess.run(
        [*as_user, str(programs / "initdb"), "-D", str(data), "-U", "course", "-A", "trust"], **run
    )  # type: ignore[call-overload]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    start = [*as_user, str(programs / "pg_ctl"), "-D", str(data), "-l", str(folder / "log"), "-o", options]
    subprocess.run([*start, "-w", "start"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    yield f"postgresql://course@127.0.0.1:{port}/postgres"
    subprocess.run([*as_user, str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop"], **run)  # type: ignore[call-overload]


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
