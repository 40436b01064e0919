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
        """Wait for a message and return it.

        Args:
            deadline: the last moment for its last byte, on `time.monotonic`'s clock; None to wait.

        Raises:
            WireTimeoutError: the deadline passed.
            WireClosedError: the other side is gone.
            WireError: what came is no message, or is too large.
        """
        head_bytes, body_bytes = _START.unpack(self._exactly(_START.size, deadline))
        if head_bytes + body_bytes > self._most:
            raise WireError(f"a message of {(head_bytes + body_bytes) / 1e6:.0f} MB is too large")
        head = self._exactly(head_bytes, deadline)
        body = memoryview(self._exactly(body_bytes, deadline))
        try:
            header = json.loads(head)
            sizes = header.pop("#")
            good = len(sizes) <= _MOST_BUFFERS and all(type(n) is int and n >= 0 for n in sizes)
            if not good or sum(sizes) != body_bytes:
                raise WireError("the buffers' sizes do not fit")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as trouble:
            raise WireError(f"not a message ({type(trouble).__name__})") from trouble
        buffers, at = [], 0
        for size in sizes:
            buffers.append(body[at : at + size])
            at += size
        return Message(header, buffers)

    def _exactly(self, count: int, deadline: float | None) -> bytearray:
        data = bytearray(count)
        view, have = memoryview(data), 0
        while have < count:
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([self._sock], [], [], left)[0]:
                    raise WireTimeoutError("no answer in time")
            try:
                got = self._sock.recv_into(view[have:])
            except InterruptedError:
                continue
            except OSError as gone:
                raise WireClosedError("the other side is gone") from gone
            if not got:
                raise WireClosedError("the other side is gone")
            have += got
        return data
