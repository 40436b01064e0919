"""The ways in and out of a seat, what it may take, and whose turn it is."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from fpgaclass.classroom.hub import relay
from fpgaclass.classroom.hub.internet import Gate
from fpgaclass.classroom.hub.limits import Limiter, Limits, find_limiter, of_instructor, raise_open_files
from fpgaclass.classroom.hub.seats import ensure_seat
from fpgaclass.classroom.hub.turns import Turns
from fpgaclass.classroom.hub.ways import MOST_AT_ONCE, Doors
from fpgaclass.classroom.layout import Layout
from fpgaclass.classroom.roster import User
from fpgaclass.engine.sandbox import Jail, NoJail, Person, find_jail


@pytest.fixture(autouse=True, scope="module")
def _as_the_hub_does() -> None:
    """Hub and proxy raise this limit as they start: many systems begin with 1024."""
    raise_open_files()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read())
    writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytes:
    writer.write(data)
    writer.write_eof()
    return await asyncio.wait_for(reader.read(), 20)


def test_a_long_path_carries_a_lot_both_ways(tmp_path: Path) -> None:
    """State directories are deep, and a socket's name has 107 bytes; a notebook with plots has megabytes."""
    folder = tmp_path / ("x" * 90) / ("y" * 90)
    folder.mkdir(parents=True)
    data = os.urandom(5_000_000)

    async def go() -> bytes:
        listener = relay.bind_unix(folder / "in.sock", 0o600)
        async with await asyncio.start_unix_server(_echo, sock=listener):
            way = await relay.listen_tcp(0, relay.to_unix(folder / "in.sock"))
            port = way.sockets[0].getsockname()[1]
            return await _ask(*await asyncio.open_connection("127.0.0.1", port), data)

    assert asyncio.run(go()) == data


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_class_that_comes_at_once_finds_the_way(tmp_path: Path) -> None:
    """A Unix socket whose queue is full refuses, and asyncio takes that for a connection; none may be lost.

    Nor may one be held when it is over: a page of JupyterLab takes a hundred, and files are counted.
    """
    people, path = 300, tmp_path / "in.sock"

    async def go() -> tuple[list[bytes], int]:
        narrow = relay.bind_unix(path, 0o600)
        narrow.listen(2)
        way = await relay.listen_tcp(0, relay.to_unix(path))
        port = way.sockets[0].getsockname()[1]
        before = _open_files()

        async def one(name: bytes) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            said = await _ask(reader, writer, name)
            writer.close()
            return said

        asked = [asyncio.ensure_future(one(b"%d" % i)) for i in range(people)]
        await asyncio.sleep(0.5)  # nobody is taken in yet: the queue of two is full
        narrow.setblocking(False)
        async with await asyncio.start_unix_server(_echo, sock=narrow, backlog=2):
            said = await asyncio.gather(*asked)
            for _ in range(100):
                if _open_files() <= before:
                    break
                await asyncio.sleep(0.05)
            return said, _open_files() - before

    gc.disable()  # its next pass would close what was forgotten
    try:
        said, more = asyncio.run(go())
    finally:
        gc.enable()
    assert said == [b"%d" % i for i in range(people)]
    assert more <= 0, "connections that are over are closed"


def test_an_end_that_breaks_takes_the_other_with_it(tmp_path: Path) -> None:
    """A browser that is gone must not leave its server talking to nobody, connection after connection."""
    gone = asyncio.Event()

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"x" * 100_000)
                await writer.drain()
        except OSError:
            gone.set()

    async def go() -> None:
        listener = relay.bind_unix(tmp_path / "in.sock", 0o600)
        async with await asyncio.start_unix_server(talk, sock=listener):
            way = await relay.listen_tcp(0, relay.to_unix(tmp_path / "in.sock"))
            port = way.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await reader.read(1000)
            writer.transport.abort()
            await asyncio.wait_for(gone.wait(), 10)

    asyncio.run(go())


def test_the_way_in_waits_for_a_server_that_starts() -> None:
    """The hub's first question comes before JupyterLab listens, and must be answered, not refused."""

    async def go() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        way = await relay.listen_tcp(0, relay.to_tcp(port, patience=10))
        asked = asyncio.ensure_future(
            _ask(*await asyncio.open_connection("127.0.0.1", way.sockets[0].getsockname()[1]), b"there?")
        )
        await asyncio.sleep(0.4)
        async with await asyncio.start_server(_echo, "127.0.0.1", port):
            return await asked

    assert asyncio.run(go()) == b"there?"


_INSIDE = """
import socket, sys
def reach(family, where):
    try:
        with socket.socket(family) as probe:
            probe.settimeout(2)
            probe.connect(where)
        return "reached"
    except OSError as no:
        return no.strerror or "refused"
print(reach(socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))))
print(reach(socket.AF_UNIX, "\\0" + sys.argv[2]))
print(reach(socket.AF_INET, ("192.0.2.1", 80)))
print(reach(socket.AF_UNIX, "/run/class/hub-ada.sock"))
"""


def test_a_seat_cannot_use_up_the_class(tmp_path: Path) -> None:
    """All seats' connections go through the hub, which may have so many files open and no more."""

    async def go() -> tuple[int, bytes, bytes]:
        async with await asyncio.start_server(_echo, "127.0.0.1", 0) as hub:
            doors = Doors(tmp_path / "doors", hub.sockets[0].getsockname()[1])
            greedy, other = await doors.open_ways("mallory"), await doors.open_ways("ada")
            connect = [relay.to_unix(ways.doors[doors.hub_port]) for ways in (greedy, other)]
            held = [await connect[0]() for _ in range(2 * MOST_AT_ONCE)]
            for _ in range(100):
                refused = sum(reader.at_eof() or reader.exception() is not None for reader, _ in held)
                if refused >= MOST_AT_ONCE:
                    break
                await asyncio.sleep(0.05)
            answer = await _ask(*await connect[1](), b"there?")
            for _, writer in held:
                writer.transport.abort()
            await asyncio.sleep(0.2)
            again = await _ask(*await connect[0](), b"me, too?")
            greedy.close()
            other.close()
            return refused, answer, again

    assert asyncio.run(go()) == (MOST_AT_ONCE, b"there?", b"me, too?")


def test_a_jail_reaches_its_door_and_nothing_else(tmp_path: Path) -> None:
    """Ports of the machine, abstract sockets, the network: a seat must find none of them."""
    jail = find_jail()
    if not isinstance(jail, Jail):
        pytest.skip(f"no jail here: {jail.reason}")

    async def go() -> list[str]:
        doors = Doors(tmp_path / "doors", 1)
        ways = await doors.open_ways("ada")
        name = f"fpgaclass-{os.getpid()}"
        with socket.create_server(("127.0.0.1", 0)) as other, socket.socket(socket.AF_UNIX) as abstract:
            abstract.bind("\0" + name)
            abstract.listen()
            port = other.getsockname()[1]
            person = Person("ada", 62001, "/tmp")
            words = [sys.executable, "-c", _INSIDE, str(port), name]
            command = jail.command(words, person, ways.mounts, network=False, cwd="/")
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
        ways.close()
        assert not done.returncode, done.stderr
        return done.stdout.splitlines()

    here, abstract, network, door = asyncio.run(go())
    assert here == "Connection refused"
    assert abstract == "Connection refused"
    assert network == "Network is unreachable"
    assert door == "reached"


async def _through(gate: Gate, request: bytes) -> bytes:
    server = await asyncio.start_server(gate.serve, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writer.write(request)
        return await asyncio.wait_for(reader.read(200), 20)


@pytest.mark.parametrize(
    ("request_line", "answer"),
    [
        ("CONNECT example.org:443 HTTP/1.1", b"403"),  # not on the list
        ("CONNECT pypi.org:22 HTTP/1.1", b"403"),  # not a port of the web
        ("CONNECT pypi.org.example.net:443 HTTP/1.1", b"403"),  # begins like one on the list
        ("CONNECT localhost:80 HTTP/1.1", b"502"),  # on the list, and leads into the machine
        ("CONNECT 127.0.0.1:80 HTTP/1.1", b"403"),
        ("GET http://localhost/ HTTP/1.1", b"502"),
        ("nonsense", b"400"),
    ],
)
def test_the_gate_opens_for_the_list_only(request_line: str, answer: bytes) -> None:
    """A course may open PyPI; that must not open the cloud's metadata service or the machine itself."""
    gate = Gate(("pypi.org", "localhost"))
    said = asyncio.run(_through(gate, f"{request_line}\r\nHost: x\r\n\r\n".encode()))
    assert said.split(b" ", 2)[1] == answer, said


_GREEDY = "x = bytearray(10**9); print(len(x))"


@pytest.mark.parametrize("kind", ["here", "rlimit"])
def test_memory_has_an_end(kind: str) -> None:
    """One student's array must not stop everybody else's server."""
    limiter = find_limiter() if kind == "here" else Limiter("rlimit")
    limits, name = Limits(memory_gb=0.3), f"test-{os.getpid()}"
    limiter.ensure_group(name, limits)
    try:
        command = [sys.executable, "-c", _GREEDY]
        done = subprocess.run(command, preexec_fn=limiter.join(name, limits), capture_output=True)
    finally:
        limiter.remove_group(name)
    assert done.returncode != 0
    assert done.stdout == b""
    assert not any(folder.exists() for folder in limiter._groups(name, limits))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs somebody who has no processes yet")
def test_processes_have_an_end_without_control_groups() -> None:
    """A fork bomb takes the machine, and the class with it, where nothing else holds it."""
    bomb = "for n in $(seq 60); do sleep 3 & done 2>&1 | head -1; echo over"
    command = ["setpriv", "--reuid", "62998", "--regid", "62998", "--clear-groups", "sh", "-c", bomb]
    enter = Limiter("rlimit").join("x", Limits(processes=40))
    done = subprocess.run(command, preexec_fn=enter, capture_output=True, text=True, cwd="/")
    assert "fork" in (done.stdout + done.stderr).lower()


def test_limits_hold_for_a_whole_server(tmp_path: Path) -> None:
    """Ten kernels of one student are one student: what a group of version 2 is told, file by file."""
    limiter = Limiter("cgroup v2", tmp_path)
    limiter.ensure_group("ada", Limits(memory_gb=2, cpus=1.5, processes=100))
    told = {path.name: path.read_text() for path in (tmp_path / "fpgaclass" / "ada").iterdir()}
    assert told == {
        "memory.max": str(2 * 2**30),
        "memory.swap.max": "0",
        "pids.max": "100",
        "cpu.max": "150000 100000",
    }
    assert resource.getrlimit(resource.RLIMIT_DATA)[1] == resource.RLIM_INFINITY, "nothing of it is ours"


def test_an_instructor_has_an_end_too() -> None:
    """A formgrader that runs away must not take the whole class's machine with it."""
    machine_gb = psutil.virtual_memory().total / 2**30
    limits = of_instructor(Limits(memory_gb=0.5, cpus=1.0, processes=100))
    assert 0.5 <= limits.memory_gb < 0.6 * machine_gb
    assert limits.processes == 200
    assert of_instructor(Limits(memory_gb=4 * machine_gb)).memory_gb == 4 * machine_gb, "as the course says"


def test_turns_come_in_order() -> None:
    """Thirty at once: each must know how many are before them, and nobody may be forgotten."""

    async def go() -> tuple[list[str], list[int], int]:
        turns, order, most, now = Turns(at_once=2), [], 0, 0

        async def person(name: str) -> None:
            nonlocal most, now
            async with turns.take(name):
                order.append(name)
                now += 1
                most = max(most, now)
                await asyncio.sleep(0.01)
                now -= 1

        names = [f"s{i}" for i in range(6)]
        tasks = [asyncio.ensure_future(person(name)) for name in names]
        await asyncio.sleep(0)
        before = [turns.before(name) for name in names]
        tasks[3].cancel()  # somebody closes the window while they wait
        await asyncio.gather(*tasks, return_exceptions=True)
        return order, before, most

    order, before, most = asyncio.run(go())
    assert order == ["s0", "s1", "s2", "s4", "s5"]
    assert before == [0, 0, 1, 2, 3, 4]
    assert most == 2


def test_a_seat_is_cleared_whatever_was_left(tmp_path: Path) -> None:
    """A student whose server does not start any more, for folders in folders of their own making."""
    layout = Layout(tmp_path, "course", "teacher")
    user = User("ada", "student", os.getuid() or 62001, "", "")
    scratch = ensure_seat(layout, NoJail("none", ""), user) / "tmp"
    program = "import os\nfor _ in range(2000):\n    os.mkdir('d')\n    os.chdir('d')"
    subprocess.run([sys.executable, "-c", program], cwd=scratch, check=True)
    ensure_seat(layout, NoJail("none", ""), user, fresh=True)
    assert list(scratch.iterdir()) == []
