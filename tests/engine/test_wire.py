"""Messages between two processes: whole or not at all, wherever a deadline or an interrupt falls."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator

import pytest

from fpgaclass.engine.answers import Answers
from fpgaclass.engine.shell import make_shell
from fpgaclass.engine.wire import Wire, WireClosedError, WireError, WireTimeoutError


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Wire]]:
    """A raw end, and a wire at the other."""
    raw, other = socket.socketpair()
    with raw, other:
        yield raw, Wire(other, most_bytes=1_000_000)


def _bytes_of(header: dict[str, object], *buffers: bytes) -> bytes:
    raw, other = socket.socketpair()
    with raw, other:
        Wire(other).send(header, buffers)
        return raw.recv(1 << 20)


@pytest.mark.parametrize("cut", [0, 3, 8, 20, -1])
def test_a_message_that_a_deadline_cuts_is_read_on_later(ends: tuple[socket.socket, Wire], cut: int) -> None:
    """Without what had come, the rest would be read as the start of another message, of gigabytes."""
    raw, wire = ends
    message = _bytes_of({"cell": 1}, b"x" * 100, b"y")
    cut = cut % len(message)
    raw.sendall(message[:cut])
    with pytest.raises(WireTimeoutError):
        wire.receive(time.monotonic() + 0.05)
    raw.sendall(message[cut:] + _bytes_of({"next": True}))
    found = wire.receive(time.monotonic() + 5)
    assert found.header == {"cell": 1}
    assert [bytes(one) for one in found.buffers] == [b"x" * 100, b"y"]
    assert wire.receive(time.monotonic() + 5).header == {"next": True}


def test_what_is_no_message_is_refused(ends: tuple[socket.socket, Wire]) -> None:
    """The other side is a student's: too large, too deep, not JSON, sizes that do not fit, or gone."""
    raw, wire = ends
    raw.sendall(b"\xff" * 8)
    with pytest.raises(WireError, match="too large"):
        wire.receive(time.monotonic() + 5)
    deep = b'{"a": ' + b"[" * 600 + b"]" * 600 + b', "#": []}'
    for bad in (b"nonsense", b'{"#": [5]}', b"[]", b'{"#": ["a"]}', deep):
        raw, other = socket.socketpair()
        with raw, other:
            raw.sendall(len(bad).to_bytes(4, "big") + bytes(4) + bad)
            with pytest.raises(WireError, match=r"not a message|do not fit|lists within lists"):
                Wire(other).receive(time.monotonic() + 5)
            raw.close()
            with pytest.raises(WireClosedError):
                Wire(other).receive(time.monotonic() + 5)


def test_only_the_students_code_is_interrupted(ends: tuple[socket.socket, Wire]) -> None:
    """An interrupt while an answer is on its way would leave half a message on the line."""
    before = signal.getsignal(signal.SIGINT)
    try:
        answers = Answers(ends[1], make_shell())
        signal.raise_signal(signal.SIGINT)
        answers._theirs = True
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
