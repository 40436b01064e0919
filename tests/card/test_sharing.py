"""One card, one process: a queue in order, whose places die with those who hold them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fpgaclass.card.sharing import holding, tickets
from fpgaclass.card.sharing.holding import WAIT_VARIABLE, hold, let_go, queue_of
from fpgaclass.card.sharing.tickets import FOLDER_VARIABLE
from fpgaclass.core import CardError, InvalidInputError

# A process that takes the card, says so, and keeps it until its standard input ends.
_TAKER = """
import sys
from fpgaclass.card.sharing.holding import hold
print("waits", flush=True)
hold("virtual0")
print("holds", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of locks, and this process without any of them before and after."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "locks"))
    monkeypatch.delenv(WAIT_VARIABLE, raising=False)
    yield tmp_path / "locks"
    for card in list(holding._held):
        let_go(card)


@pytest.fixture
def taker(folder: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:  # noqa: ARG001
    """Start processes that take the card; those that are left are ended."""
    started = []

    def start() -> subprocess.Popen[str]:
        before = len(queue_of("virtual0"))
        process = subprocess.Popen(
            [sys.executable, "-c", _TAKER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        _until(lambda: len(queue_of("virtual0")) == before + 1)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


def _holder() -> int:
    queue = queue_of("virtual0")
    return queue[0].pid if queue else 0


def test_nothing_is_locked_where_nothing_is_shared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A virtual card lives in its own process: two notebooks of one student must not wait for each other."""
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    hold("virtual0")
    assert queue_of("virtual0") == []
    assert not list(tmp_path.iterdir())


def test_processes_get_the_card_in_the_order_they_came(taker: Any) -> None:
    """First come, first served, with a holder and a waiter that are killed without any chance to clean up."""
    first, second, third, fourth = (taker() for _ in range(4))
    assert [one.pid for one in queue_of("virtual0")] == [p.pid for p in (first, second, third, fourth)]
    third.kill()
    third.wait()
    assert [one.pid for one in queue_of("virtual0")] == [first.pid, second.pid, fourth.pid]
    first.send_signal(signal.SIGKILL)
    _until(lambda: _holder() == second.pid)
    assert second.stdout.readline() == "waits\n"
    assert second.stdout.readline() == "holds\n"
    second.stdin.close()
    _until(lambda: _holder() == fourth.pid)
    assert fourth.stdout.readline() == "waits\n"
    assert fourth.stdout.readline() == "holds\n"


def test_never_two_at_once(folder: Path) -> None:
    """Six processes take and give back a card, thirty times: what must be there once only stays so."""
    code = (
        "import os, random, sys, time\n"
        "from fpgaclass.card.sharing.holding import hold, let_go\n"
        "for _ in range(5):\n"
        "    hold('virtual0')\n"
        "    inside = os.open(sys.argv[1], os.O_CREAT | os.O_EXCL)\n"
        "    time.sleep(0.001); os.close(inside); os.unlink(sys.argv[1])\n"
        "    let_go('virtual0')\n"
    )
    command = [sys.executable, "-c", code, str(folder.parent / "inside")]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    crowd = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) for _ in range(6)]
    said = [process.communicate(timeout=120)[1].decode() for process in crowd]
    assert [process.returncode for process in crowd] == [0] * 6, said
    assert queue_of("virtual0") == []


def test_the_place_in_the_queue_is_shown(taker: Any) -> None:
    """Silence looks like a hang; the number says how long the lunch may be."""
    holder, waiting = taker(), taker()
    last = taker()
    holder.kill()
    waiting.stdin.close()
    assert last.stdout.readline() == "waits\n"
    assert last.stdout.readline() == "holds\n"
    last.stdin.close()
    said = last.stderr.read().splitlines()
    assert "you are number 2 in the queue" in said[0]
    assert f"process {holder.pid}" in said[0]
    assert "you are number 1 in the queue" in said[-1] or len(said) == 1


def test_one_may_fail_instead_of_waiting(taker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grading must not hang for a student's notebook: it fails and says who holds the card."""
    holder = taker()
    monkeypatch.setenv(WAIT_VARIABLE, "0")
    with pytest.raises(CardError, match=f"virtual0 is held by .*process {holder.pid}"):
        hold("virtual0")
    with pytest.raises(CardError, match=r"after 0 s in the queue|after 1 s"):
        hold("virtual0", 0.3)
    assert [one.pid for one in queue_of("virtual0")] == [holder.pid]


def test_a_card_is_held_once_and_given_back(folder: Path) -> None:
    """A second overlay of one notebook is on the card that it already has."""
    hold("virtual0")
    hold("virtual0")
    assert [one.pid for one in queue_of("virtual0")] == [os.getpid()]
    hold("virtual1")
    let_go("virtual0")
    assert queue_of("virtual0") == []
    assert len(queue_of("virtual1")) == 1
    assert oct(folder.stat().st_mode & 0o7777) == "0o1777"


def test_a_forked_child_does_not_keep_the_card(folder: Path) -> None:  # noqa: ARG001
    """A pool of workers outlives the cell that made it; the lock is the parent's alone."""
    hold("virtual0")
    context = multiprocessing.get_context("fork")
    started = context.Event()
    child = context.Process(target=_sleep, args=(started,))
    child.start()
    assert started.wait(10)
    let_go("virtual0")
    assert queue_of("virtual0") == []
    child.kill()
    child.join()


def _sleep(started: Any) -> None:
    started.set()
    time.sleep(30)


@pytest.mark.parametrize("text", ["-1", "soon", "inf", "nan"])
def test_a_wrong_wait_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:  # noqa: ARG001
    """Waiting for ever because of a typing error would be the wrong default."""
    monkeypatch.setenv(WAIT_VARIABLE, text)
    with pytest.raises(InvalidInputError, match=WAIT_VARIABLE):
        hold("virtual0")


def test_a_folder_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The instructor sets it, the student meets it."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "file" / "locks"))
    with pytest.raises(CardError, match="chmod 1777"):
        hold("virtual0")


def test_a_door_that_stays_shut_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped in the wrong moment must not hang all others without a word."""
    import fcntl

    hold("virtual0")
    let_go("virtual0")
    monkeypatch.setattr(tickets, "_DOOR_S", 0.2)
    with (folder / "virtual0.door").open() as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        with pytest.raises(CardError, match="fuser"):
            hold("virtual0")
    hold("virtual0")


def test_a_folder_that_goes_away_ends_the_waiting(taker: Any, folder: Path) -> None:
    """Somebody cleans up: the waiter gets an error that says so."""
    import shutil
    import threading

    taker()
    threading.Timer(0.5, shutil.rmtree, (folder,)).start()
    with pytest.raises(CardError, match="gone"):
        hold("virtual0")


def test_rubbish_in_the_folder_does_no_harm(folder: Path) -> None:
    """All may write there: pipes, links, binary tickets and names that are almost right."""
    folder.mkdir()
    os.mkfifo(folder / "virtual0.000000001.ticket")
    (folder / "virtual0.000000002.ticket").symlink_to("/etc/passwd")
    (folder / "virtual0.000000003.ticket").write_bytes(b"\xff\0\xff")
    (folder / "virtual0.4.ticket").write_text("{}")
    (folder / "virtual0.x.000000005.ticket").write_text("{}")
    hold("virtual0", 2)
    assert [one.pid for one in queue_of("virtual0")] == [os.getpid()]


def test_a_ticket_cannot_write_to_a_terminal(folder: Path) -> None:
    """Its text is another user's, and is printed in a third one's terminal."""
    import fcntl

    folder.mkdir()
    ticket = folder / "virtual0.000000001.ticket"
    ticket.write_text('{"user": "\\u001b[31mroot", "pid": 1, "host": "h\\n", "program": "p", "since": 1e40}')
    with ticket.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        shown = str(queue_of("virtual0")[0])
    assert "\x1b" not in shown
    assert "\n" not in shown


def test_students_in_jails_wait_for_each_other(folder: Path) -> None:
    """Own process numbers, an own /tmp and, made by root, an own uid: the folder is all they share."""
    from fpgaclass.classroom.hub.seats import ensure_seat, jailed_command
    from fpgaclass.classroom.layout import Layout
    from fpgaclass.classroom.roster import User
    from fpgaclass.engine.sandbox import Jail, find_jail

    jail = find_jail()
    if not isinstance(jail, Jail):
        pytest.skip(jail.reason)
    folder.mkdir()
    folder.chmod(0o1777)
    layout = Layout(folder.parent / "state", "course", "instructor")

    def start(name: str, uid: int) -> subprocess.Popen[str]:
        user = User(name, "student", uid, "", "")
        ensure_seat(layout, jail, user)
        words = jailed_command(layout, jail, user, [sys.executable, "-c", _TAKER])
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(words, text=True, **pipes)

    def holds(process: subprocess.Popen[str]) -> bool:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "waits\n", process.stderr.read()
        return process.stdout.readline() == "holds\n"

    first = start("ann", 62001)
    assert holds(first)
    second = start("bob", 62002)
    _until(lambda: len(queue_of("virtual0")) == 2)
    first.kill()
    assert holds(second)
    assert len(queue_of("virtual0")) == 1
    for process in (first, second):
        process.kill()
        process.communicate()


def test_an_overlay_holds_its_card(folder: Path, standin: Any, tmp_path: Path) -> None:  # noqa: ARG001
    """Programming takes the card, `free` gives it back: that is all that a notebook does about it."""
    pynq = pytest.importorskip("pynq")
    import fpgaclass.card

    path = fpgaclass.card.write_xclbin(
        tmp_path / "s.xclbin", standin.sum_design(), banks=standin.BANKS, link=standin.LINK
    )
    overlay = pynq.Overlay(str(path), device=fpgaclass.card.VirtualCard(4))
    assert [one.pid for one in queue_of("virtual4")] == [os.getpid()]
    overlay.free()
    assert queue_of("virtual4") == []


def test_real_cards_are_held_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """pynq's own device class takes the same turn, and a card that could not be programmed is free again."""
    pytest.importorskip("pynq")
    from pynq.pl_server.device import Device
    from pynq.pl_server.xrt_device import XrtDevice

    import fpgaclass.card  # noqa: F401

    def without_card(device: Any, index: int) -> None:
        Device.__init__(device, f"xrt{index}")
        device.handle = None

    seen: list[Any] = []
    monkeypatch.setattr(XrtDevice, "__init__", without_card)
    monkeypatch.setattr(XrtDevice, "_xrt_download", lambda *_: seen.extend(queue_of("xrt7")))
    monkeypatch.setattr(XrtDevice, "__del__", lambda _: None, raising=False)
    card = XrtDevice(7)
    with pytest.raises(AttributeError):
        card.download(SimpleNamespace(bitfile_name=__file__, binfile_name=__file__))
    assert [one.pid for one in seen] == [os.getpid()]
    assert queue_of("xrt7") == []
    hold("xrt7")
    card.close()
    assert queue_of("xrt7") == []
