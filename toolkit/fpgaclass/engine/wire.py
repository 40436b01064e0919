"""Messages between processes of which one is not trusted: JSON and raw buffers, with limits, never pickle.

A message is a header (JSON) and any number of buffers (bytes). What comes in is read up to a limit and a
deadline; whatever does not fit raises `WireError`, and nothing in it is ever executed.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_START = struct.Struct("!II")
_MOST_BUFFERS = 100_000
_MOST_PARTS = 8_000_000
_DEEPEST = 500
_CHUNK = 1 << 20


def count_parts(text: bytes) -> int:
    """Return how many values a JSON text may have, at most, without reading it.

    A list of empty lists takes twenty times its text when it is read.
    """
    return sum(text.count(mark) for mark in (b",", b"[", b"{"))


def is_deep(value: Any, deepest: int) -> bool:
    """Tell whether lists and objects are nested more deeply than who reads them on may follow.

    How deep Python's own reader goes depends on its version: 1,000 in 3.11, ten times that in 3.12.

    Example:
        >>> is_deep([[1], {"a": 2}], deepest=1), is_deep([[1], {"a": 2}], deepest=2)
        (True, False)
    """
    level = [value]
    for _ in range(deepest + 1):
        level = [
            inner
            for one in level
            if isinstance(one, (list, dict))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return False
    return True


class WireError(Exception):
    """The other side sent something that is no message, or too much of it."""


class WireClosedError(WireError):
    """The other side is gone."""


class WireTimeoutError(WireError):
    """The other side did not send a whole message in time."""


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        header: its JSON part.
        buffers: its raw parts.
    """

    header: dict[str, Any]
    buffers: Sequence[bytes | bytearray | memoryview] = field(default_factory=tuple)


class Wire:
    """One end of a stream socket that carries messages.

    Args:
        sock: a connected stream socket.
        most_bytes: the largest message that is read.
    """

    def __init__(self, sock: socket.socket, most_bytes: int = 256_000_000) -> None:
        self._sock = sock
        self._most = most_bytes
        self._inbox = bytearray()
        sock.setblocking(True)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def send(self, header: dict[str, Any], buffers: Sequence[bytes | bytearray | memoryview] = ()) -> None:
        """Send a message.

        Raises:
            WireClosedError: the other side is gone.
        """
        head = json.dumps({**header, "#": [len(buffer) for buffer in buffers]}).encode()
        try:
            self._sock.sendall(_START.pack(len(head), sum(map(len, buffers))) + head)
            for buffer in buffers:
                self._sock.sendall(buffer)
        except (OSError, ValueError) as gone:
            raise WireClosedError("the other side is gone") from gone

    def receive(self, deadline: float | None = None) -> Message:
        """Wait for a message and return it; after a timeout, asked again, wait for its rest.

        Args:
            deadline: the last moment for its last byte, on `time.monotonic`'s clock; None to wait.

        Raises:
            WireTimeoutError: the deadline passed.
            WireClosedError: the other side is gone.
            WireError: what came is no message, or is too large.
        """
        self._fill(_START.size, deadline)
        head_bytes, body_bytes = _START.unpack_from(self._inbox)
        if head_bytes + body_bytes > self._most:
            raise WireError(f"a message of {(head_bytes + body_bytes) / 1e6:.0f} MB is too large")
        body_at = _START.size + head_bytes
        self._fill(body_at + body_bytes, deadline)
        whole, self._inbox = memoryview(self._inbox), bytearray()
        head, body = bytes(whole[_START.size : body_at]), whole[body_at:]
        if count_parts(head) > _MOST_PARTS:
            raise WireError("a message with too many parts")
        try:
            header = json.loads(head)
            sizes = header.pop("#")
            good = len(sizes) <= _MOST_BUFFERS and all(type(n) is int and n >= 0 for n in sizes)
            if not good or sum(sizes) != body_bytes:
                raise WireError("the buffers' sizes do not fit")
            if is_deep(header, _DEEPEST):
                raise WireError("a message with lists within lists")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as trouble:
            raise WireError(f"not a message ({type(trouble).__name__})") from trouble
        buffers, at = [], 0
        for size in sizes:
            buffers.append(body[at : at + size])
            at += size
        return Message(header, buffers)

    def _fill(self, count: int, deadline: float | None) -> None:
        """Read until there are ``count`` bytes of this message; what is there stays for another try."""
        while (missing := count - len(self._inbox)) > 0:
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([self._sock], [], [], left)[0]:
                    raise WireTimeoutError("no answer in time")
            try:
                got = self._sock.recv(min(missing, _CHUNK))
            except InterruptedError:
                continue
            except OSError as gone:
                raise WireClosedError("the other side is gone") from gone
            if not got:
                raise WireClosedError("the other side is gone")
            self._inbox += got
