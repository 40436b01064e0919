"""The only ways in and out of a seat that has no network: streams carried between sockets.

Imported by the hub, and run by path as the first program of a jailed seat, where only the standard library is
worth the time. A seat's process has a loopback of its own: nothing of the machine or of another seat can be
reached through it. What the hub asks comes through a Unix socket that the hub opened and handed down; what
the seat asks goes through sockets that the hub listens on (docs/decisions/seat_network.md).
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

WAYS_VARIABLE = "FPGACLASS_WAYS"
"""Tells a seat its ways: the descriptor and port of the way in, and port -> socket of the ways out (JSON)."""

START_SECONDS = 170
"""So long the way in waits for the seat's server to listen."""

BACKLOG = 1024
"""So many connections may wait to be taken: a whole class opens JupyterLab in the same second."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]
Take = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connect: Connect) -> None:
    """Carry one connection to where ``connect`` leads, both ways, until both ends are done or one breaks.

    Both sockets are closed at the end: asyncio leaves one that both sides have finished open until Python's
    collector of garbage passes, and a page of JupyterLab takes a hundred of them.
    """
    try:
        there_reader, there_writer = await connect()
    except OSError:
        writer.close()
        return
    try:
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
    except (OSError, RuntimeError):  # an end broke, and nothing that waits for it would get anywhere
        for end in (writer, there_writer):
            end.transport.abort()
    finally:
        for end in (writer, there_writer):
            end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 18):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def listen_tcp(port: int, connect: Connect) -> asyncio.Server:
    """Listen on 127.0.0.1 and carry each connection to where ``connect`` leads."""
    take = lambda r, w: carry(r, w, connect)  # noqa: E731
    return await asyncio.start_server(take, "127.0.0.1", port, backlog=BACKLOG)


async def listen_unix(listener: socket.socket, connect: Connect) -> asyncio.Server:
    """Take connections from a Unix socket that listens, and carry each to where ``connect`` leads."""
    take = lambda r, w: carry(r, w, connect)  # noqa: E731
    return await asyncio.start_unix_server(take, sock=listener, backlog=BACKLOG)


def at_most(many: int, take: Take) -> Take:
    """Return what serves connections as ``take`` does, and closes those beyond so many at a time."""
    now = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now
        if now >= many:
            writer.transport.abort()
            return
        now += 1
        try:
            await take(reader, writer)
        finally:
            now -= 1

    return serve


def to_tcp(port: int, *, patience: float = 0.0, origin: str = "") -> Connect:
    """Return what connects to a port of 127.0.0.1, from ``origin``, trying for ``patience`` seconds."""

    here = (origin, 0) if origin else None

    async def connect() -> Streams:
        ends = asyncio.get_running_loop().time() + patience
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port, local_addr=here)
            except ConnectionRefusedError:
                if asyncio.get_running_loop().time() > ends:
                    raise
            await asyncio.sleep(0.05)

    return connect


def to_unix(path: Path) -> Connect:
    """Return what connects to a Unix socket; its path may be longer than the 107 bytes of a socket's name."""

    async def connect() -> Streams:
        end = socket.socket(socket.AF_UNIX)
        end.setblocking(False)
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            while True:
                try:
                    end.connect(f"/proc/self/fd/{folder}/{path.name}")
                    break
                except BlockingIOError:  # its queue is full; asyncio takes that for a connection
                    await asyncio.sleep(0.01)
            return await asyncio.open_unix_connection(sock=end)
        except BaseException:
            end.close()
            raise
        finally:
            os.close(folder)

    return connect


def bind_unix(path: Path, mode: int) -> socket.socket:
    """Return a Unix socket that listens at ``path``, in place of one left from before."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
    path.chmod(mode)
    listener.listen(BACKLOG)
    return listener


def main() -> None:
    """Open the ways of this seat in a thread, then become its JupyterLab."""
    ways = json.loads(os.environ.pop(WAYS_VARIABLE))
    opened = threading.Event()

    async def keep() -> None:
        entrance = socket.socket(fileno=int(ways["in"]))
        way_in = await listen_unix(entrance, to_tcp(int(ways["port"]), patience=START_SECONDS))
        ways_out = [await listen_tcp(int(port), to_unix(Path(door))) for port, door in ways["out"].items()]
        opened.set()
        await asyncio.gather(*(server.serve_forever() for server in (way_in, *ways_out)))

    threading.Thread(target=asyncio.run, args=(keep(),), daemon=True).start()
    opened.wait(10)
    # Checks the form of addresses in JSON schemas, which nothing here has; importing it builds a parser, and
    # that is a third of what a server's start costs. jsonschema does without where it is missing.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    gc.disable()  # two thousand modules leave no garbage, and looking for it is a quarter of importing them
    from jupyterhub.singleuser import main as serve

    for name in ("jupyterlab.labapp", "jupyterlab_jupytext", "nbgrader.server_extensions.assignment_list"):
        with suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    gc.enable()
    sys.exit(serve())


if __name__ == "__main__":
    main()
