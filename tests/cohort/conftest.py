"""What the tests of the cohort share: a small course, and a state of its own for each test."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fpgaclass import cli
from fpgaclass.cohort import keys, verbs
from fpgaclass.cohort.spec import load_spec

COURSE = """\
course_id: fpgaclass101
title: Machine learning on FPGAs
timezone: Europe/Rome
instructors: [instructor]
students: [ada, emmy, lise]
boards: [u250]
cohort:
  name: spring27
  provider: aws
  region: eu-central-1
  zones: [eu-central-1a, eu-central-1b]
  hours: 40
  ssh_from: [131.154.0.0/16]
  seat: {size: m5.large, alternatives: [m6i.large], public_address: true, volume_gb: 20}
  cards: {board: u250, size: f2.6xlarge, count: 2, hours: 10}
  aws: {image: ami-0123456789abcdef0}
labs: [{name: 01_muon_momentum, points: 20}]
"""


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FPGACLASS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture(scope="session")
def course_text() -> str:
    """A course.yaml with a cohort on AWS, as text."""
    return COURSE


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course.yaml with a cohort on AWS."""
    path = tmp_path / "course.yaml"
    path.write_text(COURSE)
    return path


def _postgres_programs() -> Path | None:
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    homes += [Path(found).parent] if found else []
    return next((home for home in homes if (home / "initdb").exists()), None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real server of Debian's packages, on loopback, with a folder of its own."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    pytest.importorskip("psycopg", exc_type=ImportError, reason="psycopg is not installed")
    # Not in pytest's own folder, which later runs of others remove while this one still goes on.
    folder = Path(tempfile.mkdtemp(prefix="fpgaclass-postgres-"))
    as_user: list[str] = []
    if os.getuid() == 0:  # the server refuses to run as root
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
    shutil.rmtree(folder)


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run the command line in this process, as ``fpgaclass`` would, where nobody can answer a question."""

    def call(*words: object) -> Said:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["fpgaclass", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        found = capsys.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 1, found.out, found.err)

    return call


@pytest.fixture
def shell() -> Callable[[Path], Callable[[str, str], str]]:
    """Give, for a cohort, what runs a command as root on one of its machines."""

    def of(course: Path) -> Callable[[str, str], str]:
        key = keys.private_key(load_spec(course).spec.name)
        where = {row.key: row.address for row in verbs.status(course).rows}
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        options += ["-o", "LogLevel=ERROR", "-i", str(key)]

        def run(machine: str, command: str) -> str:
            asked = ["ssh", *options, f"root@{where[machine]}", command]
            done = subprocess.run(asked, capture_output=True, text=True, timeout=180, check=False)
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        return run

    return of


@pytest.fixture
def serve() -> Callable[..., Any]:
    """Serve the hosts of this machine from its own address on their network."""

    @contextmanager
    def serving(handler: Callable[..., BaseHTTPRequestHandler], address: str = "10.66.0.1") -> Iterator[str]:
        with ThreadingHTTPServer((address, 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://{address}:{server.server_port}/"
            server.shutdown()

    return serving
