"""Past one machine: workers of a Dask scheduler, and a gradebook on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.classroom.gradebook.gradebook import open_writer
from fpgaclass.classroom.gradebook.standings import standings
from fpgaclass.classroom.grading.marking import Settings, mark
from fpgaclass.core import ClassroomError, FpgaClassError
from fpgaclass.course import LatePolicy
from fpgaclass.engine import NoJail, find_jail

LAB = "01_small"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A real scheduler with three workers, each a process of its own."""
    pytest.importorskip("distributed")
    address = f"tcp://127.0.0.1:{_free_port()}"
    dask = [sys.executable, "-m", "distributed.cli.dask_"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    main = subprocess.Popen(
        [*dask[:2], "distributed.cli.dask_scheduler", "--host", address, "--no-dashboard", "--no-show"],
        **quiet,
    )
    words = [
        *dask[:2],
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "1",
        "--no-dashboard",
        "--no-nanny",
    ]
    workers = [subprocess.Popen(words, **quiet) for _ in range(3)]
    yield address, workers
    for process in (*workers, main):
        process.kill()
        process.wait()


def test_a_worker_that_dies_loses_nothing(folder: Any, scheduler: Any) -> None:
    """A machine of the cluster is switched off half-way: every submission is graded once, and right."""
    from distributed import Client

    address, workers = scheduler
    with Client(address, timeout="60s", set_as_default=False) as client:
        client.wait_for_workers(3, timeout=90)
        for n in range(18):
            folder.submit(f"s{n:02}", change=_slow)
        killer = threading.Timer(4.0, lambda: os.kill(workers[0].pid, signal.SIGKILL))
        killer.start()
        done = folder.mark(scheduler=address)
        killer.join()
        assert len(client.scheduler_info()["workers"]) == 2, "it was really killed"
    assert {one.status for one in done.values()} == {"graded"}
    assert [folder.read(f"s{n:02}").total for n in range(18)] == [6] * 18
    with sqlite3.connect(folder.root / "gradebook.db") as db:
        assert dict(db.execute("SELECT student, times FROM fpgaclass_graded")) == {
            f"s{n:02}": 1 for n in range(18)
        }


def _slow(cells: list[dict[str, Any]]) -> None:
    """A second more, so that the kill meets work."""
    code = {"cell_type": "code", "metadata": {}, "source": "import time; time.sleep(1)", "outputs": []}
    cells.insert(0, code)


def test_a_scheduler_that_is_not_there_is_named(folder: Any) -> None:
    """A wrong port should cost a line, not a traceback of a hundred."""
    pytest.importorskip("distributed")
    folder.submit("ada")
    address = f"tcp://127.0.0.1:{_free_port()}"
    with pytest.raises(FpgaClassError, match=rf"does not answer.*{address}.*Next: start one"):
        folder.mark(scheduler=address)


@pytest.fixture
def postgres() -> Iterator[str]:
    """A real PostgreSQL server of this test's own; the URL of an empty database."""
    pytest.importorskip("psycopg", exc_type=ImportError)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    tool = shutil.which("initdb") or (str(found[-1]) if found else None)
    if tool is None:
        pytest.skip("no PostgreSQL server on this machine: apt-get install postgresql")
    folder = Path("/tmp") / f"fpgaclass-pg-{os.getpid()}"
    folder.mkdir()
    root = os.geteuid() == 0
    if root:
        shutil.chown(folder, "postgres", "postgres")
    become = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if root else []
    data, port = folder / "data", _free_port()
    run = dict[str, Any](check=True, capture_output=True, cwd=folder)
    subprocess.run([*become, tool, "-D", str(data), "-U", "teacher", "-A", "trust"], **run)
    control = [*become, str(Path(tool).with_name("pg_ctl")), "-D", str(data), "-w"]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    subprocess.run([*control, "-o", options, "-l", str(folder / "log"), "start"], **run)
    try:
        yield f"postgresql+psycopg://teacher:secret@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True, cwd=folder)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_gradebook_on_postgresql(folder: Any, postgres: str) -> None:
    """The same marks as on SQLite, read by nbgrader itself; and one grader at a time, on any machine."""
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    config = Config()
    config.CourseDirectory.root = str(folder.root)
    config.CourseDirectory.course_id = "small"
    config.CourseDirectory.db_url = postgres
    here, old = Path.cwd(), os.environ["PATH"]
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{old}"
    try:
        with Gradebook(postgres, "small") as book:
            book.add_assignment(LAB, duedate="2100-01-01 00:00:00")
        api = NbGraderAPI(CourseDirectory(config=config), config=config)
        assert api.generate_assignment(LAB, force=True)["success"]
    finally:
        os.chdir(here)
        os.environ["PATH"] = old
    folder.submit("ada", when="2100-01-02 12:00:00 UTC")
    folder.submit("emmy", square="def square(x):\n    return 2 * x")
    folder.submit("hedy", order=None)
    folder.mark(late=LatePolicy(percent_per_day=25))
    settings = Settings(jailed=not isinstance(find_jail(), NoJail))

    def grade() -> dict[str, str]:
        policy = LatePolicy(percent_per_day=25)
        done = mark(folder.root, "small", LAB, postgres, lambda _: policy, settings=settings)
        return {one.student: one.status for one in done}

    assert set(grade().values()) == {"graded"}
    assert set(grade().values()) == {"unchanged"}
    assert standings(postgres, LAB) == standings(folder.url, LAB)
    with Gradebook(postgres, "small") as book:
        assert book.find_submission(LAB, "ada").score == 6
        assert book.find_submission(LAB, "ada").late_submission_penalty == 3
    with (
        open_writer(postgres, "small", LAB),
        pytest.raises(ClassroomError, match="another command is grading"),
    ):
        grade()
    with pytest.raises(ClassroomError) as refused:
        mark(folder.root, "small", LAB, postgres.replace("127.0.0.1:", "127.0.0.1:1"), lambda _: LatePolicy())
    assert "secret" not in str(refused.value)
