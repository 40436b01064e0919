"""The hub: up in seconds, down in seconds, nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from fpgaclass import classroom
from fpgaclass.classroom import Classroom
from fpgaclass.classroom.exchange import open_desk
from fpgaclass.classroom.hub import server
from fpgaclass.classroom.layout import Layout
from fpgaclass.core import ClassroomError, FpgaClassError, InvalidInputError, ToolMissingError
from fpgaclass.course import Course

pytestmark = pytest.mark.xdist_group("hub")


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/hub/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_up_twice_down_twice(classroom: Classroom, port: int, capfd: pytest.CaptureFixture[str]) -> None:
    """The second `up` is how somebody asks for the address again; the second `down`, how they make sure."""
    status = classroom.up(port, foreground=False)
    assert status.url == f"http://127.0.0.1:{port}"
    assert _answers(status.url)
    shown = capfd.readouterr().err
    assert status.url in shown
    assert str(classroom.layout.hub_log) in shown
    assert "[I 20" not in shown, "the hub's own log stays out of sight"

    started = time.monotonic()
    assert classroom.up(port + 1, foreground=False).url == status.url
    assert time.monotonic() - started < 60
    again = capfd.readouterr().err
    assert f"is up already: {status.url}" in again
    logins = [line for line in shown.splitlines() if "ada" in line]
    assert logins
    assert logins == [line for line in again.splitlines() if "ada" in line]

    started = time.monotonic()
    assert classroom.down() is True
    assert time.monotonic() - started < 60
    assert not _answers(status.url)
    assert server.processes_of(classroom.layout) == []
    assert classroom.status().url is None
    assert classroom.down() is False


def _log_in(url: str, name: str, password: str) -> httpx.Response:
    with httpx.Client(follow_redirects=False, timeout=60) as web:
        hidden = re.search(r'name="_xsrf" value="([^"]+)"', web.get(f"{url}/hub/login").text)
        assert hidden
        fields = {"_xsrf": hidden[1], "username": name, "password": password}
        web.post(f"{url}/hub/login", data=fields)
        return web.get(f"{url}/services/class/", follow_redirects=True)


def test_a_course_and_people_join_a_class_that_is_up(
    classroom: Classroom, port: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A student who registers late, and a second course: nobody's server is stopped for them."""
    first = classroom.course.path
    shutil.copytree(first.parent, tmp_path / "late")
    shutil.copytree(first.parent, tmp_path / "other")
    changes = {
        "late": (("[ada,", "[grace, ada,"),),
        "other": (("tiny101", "other202"), ("[ada,", "[noether,")),
    }
    for name, words in changes.items():
        text = (tmp_path / name / first.name).read_text()
        for old, new in words:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / name / first.name).write_text(text)
    url = str(classroom.up(port, foreground=False).url)
    hub = server.find_running(classroom.layout)
    for name, newcomer in (("late", "grace"), ("other", "noether")):
        joining = Classroom(Course.load(tmp_path / name / first.name), classroom.layout.state)
        assert joining.up(port, foreground=False).url == url
        said = capfd.readouterr().err
        password = next(line.split()[2] for line in said.splitlines() if newcomer in line.split())
        page = _log_in(url, newcomer, password)
        assert page.status_code == 200, page.text
        assert newcomer in page.text
    assert "other202 has joined the class that is up" in said
    assert page.url.path == "/services/class/other202/"
    assert server.find_running(classroom.layout) == hub, "the hub is the one that it was"
    with sqlite3.connect(classroom.layout.hub / "jupyterhub.sqlite") as db:
        found = "SELECT groups.name, users.name FROM user_group_map"
        found += " JOIN groups ON groups.id = group_id JOIN users ON users.id = user_id"
        groups = set(db.execute(found))
        roles = {name for (name,) in db.execute("SELECT name FROM roles")}
    assert {("nbgrader-tiny101", "grace"), ("nbgrader-other202", "noether")} <= groups
    assert ("nbgrader-tiny101", "noether") not in groups
    assert {"instructor-of-tiny101", "instructor-of-other202", "member", "user", "server"} <= roles


def test_a_class_that_was_put_in_the_background_ends_as_soon(classroom: Classroom, port: int) -> None:
    """A shell starts what ends in `&` with Ctrl-C off, and services would wait for their timeouts."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        classroom.up(port, foreground=False)
    finally:
        signal.signal(signal.SIGINT, before)
    for process in server.processes_of(classroom.layout):
        status = Path(f"/proc/{process.pid}/status").read_text()
        ignored = int(next(line for line in status.splitlines() if line.startswith("SigIgn")).split()[1], 16)
        assert not ignored >> (signal.SIGINT - 1) & 1, f"nobody could interrupt {process.name()}"
    started = time.monotonic()
    assert classroom.down() is True
    assert time.monotonic() - started < 60


def test_a_taken_port_is_one_clear_line(classroom: Classroom, port: int) -> None:
    """Port 8000 is everybody's favourite."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(
            ClassroomError, match=rf"port {port} is taken by \S+ \(pid {os.getpid()}\)"
        ) as error:
            classroom.up(port, foreground=False)
    assert "fpgaclass up --port" in str(error.value)
    assert server.processes_of(classroom.layout) == []


@pytest.mark.parametrize("wrong", [0, -1, 70000])
def test_what_is_no_port_is_refused(wrong: int) -> None:
    """Port 0 would be another one each time, and nobody would find it."""
    with pytest.raises(InvalidInputError, match="is no port"):
        server.check_port(wrong)


def test_a_home_that_cannot_be_written_says_so(
    monkeypatch: pytest.MonkeyPatch, tiny_course: Path, tmp_path: Path
) -> None:
    """Service accounts have homes that are not there."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FPGACLASS_STATE", str(tmp_path / "file"))
    with pytest.raises(FpgaClassError, match=r"no folder can be made.*Next: .*FPGACLASS_STATE"):
        classroom.up(tiny_course, foreground=False)


def test_a_hub_that_was_killed_is_cleared_away(classroom: Classroom, port: int) -> None:
    """After `kill -9`, or a terminal that crashed, the proxy lives on and holds the port."""
    classroom.up(port, foreground=False)
    running = server.find_running(classroom.layout)
    assert running is not None
    psutil.Process(running.pid).kill()
    _wait(lambda: server.find_running(classroom.layout) is None)
    assert server.processes_of(classroom.layout), "the proxy is left"
    with pytest.raises(ClassroomError, match="is taken"):
        server.check_port(port)
    assert classroom.down() is True
    assert classroom.up(port, foreground=False).url == running.url


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_the_end_of_a_class_in_the_foreground(classroom: Classroom, port: int, end: signal.Signals) -> None:
    """Ctrl-C, `kill`, a closed window, `kill -9`: none may leave a hub behind that nobody knows of."""
    program = f"""
from fpgaclass.classroom import Classroom
from fpgaclass.course import Course
course = Course.load({str(classroom.course.path)!r})
print(Classroom(course, {str(classroom.layout.state)!r}).up({port}).url)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    _wait(lambda: _answers(f"http://127.0.0.1:{port}") or process.poll() is not None, 180)
    _wait(lambda: any(line.startswith("Stop it") for line in iter(process.stderr.readline, "")))
    started = time.monotonic()
    process.send_signal(end)
    said = process.communicate(timeout=60)
    if end != signal.SIGKILL:
        assert process.returncode == 0, said
        assert said[0] == "None\n"
        assert "Everybody's work is kept" in said[1]
    _wait(lambda: not server.processes_of(classroom.layout))
    assert time.monotonic() - started < 60


def test_a_first_up_that_was_cut_short_is_finished_by_the_next(
    tiny_course: Path, tmp_path: Path, port: int
) -> None:
    """People press Ctrl-C when they see nothing happen: each half-made part must be made again."""
    state = tmp_path / "state"
    program = f"""
from fpgaclass.classroom import Classroom
from fpgaclass.course import Course
Classroom(Course.load({str(tiny_course)!r}), {str(state)!r}).prepare()
"""
    for cut in (1.0, 3.0):
        process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
        time.sleep(cut)
        process.kill()
        process.wait()
    status = classroom.up(tiny_course, port, state=state, foreground=False)
    try:
        assert status.url
        assert _answers(status.url)
        assert status.labs == ("01_square",)
        desk = open_desk(Layout(state, "tiny101", "teacher"), "ada")
        assert "01_square.ipynb" in desk.released("tiny101", "01_square")
    finally:
        classroom.down(tiny_course, state=state)


def test_a_hub_that_cannot_start_says_why(classroom: Classroom, port: int) -> None:
    """The reason is in a log of hundreds of lines; the one line must be fished out of it."""
    classroom.prepare()
    (classroom.layout.hub / "jupyterhub.sqlite").write_text("not a database, " * 100)
    with pytest.raises(ClassroomError, match=r"the hub did not start: .*not a database.*hub\.log"):
        classroom.up(port, foreground=False)
    _wait(lambda: not server.processes_of(classroom.layout))


def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tiny_course: Path, tmp_path: Path
) -> None:
    """A part-time install (only the physics) has no hub."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "nbgrader" else name)
    with pytest.raises(
        ToolMissingError, match=r"the class needs nbgrader.*pip install 'fpgaclass\[classroom\]'"
    ):
        classroom.up(tiny_course, state=tmp_path / "state", foreground=False)
    assert not (tmp_path / "state").exists()


def _wait(condition: object, seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < ends
        time.sleep(0.1)
