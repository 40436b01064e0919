"""The way to the internet that a course may give its seats: a proxy that knows a list of hosts.

A seat has no network of its own. What the course allows goes through this, as pip, requests and git do by
themselves when they see HTTPS_PROXY; other hosts and all private addresses are refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from fnmatch import fnmatch
from urllib.parse import urlsplit

from fpgaclass.classroom.hub.relay import Streams, carry

PORTS = (80, 443)
"""Nothing else is asked for by package installers and downloads, and mail should not be."""

_HEAD = 16_384


class Gate:
    """A forward proxy for the hosts that a course allows.

    Args:
        allowed: host names, with ``*`` for a part: ``("pypi.org", "*.pythonhosted.org")``.

    Example:
        >>> Gate(["pypi.org", "*.cern.ch"]).allows("opendata.cern.ch")
        True
        >>> Gate(["pypi.org"]).allows("pypi.org.example.net")
        False
    """

    def __init__(self, allowed: tuple[str, ...] | list[str]) -> None:
        self.allowed = tuple(name.lower() for name in allowed)

    def allows(self, host: str) -> bool:
        """Tell whether a host is on the list."""
        return any(fnmatch(host.lower().rstrip("."), pattern) for pattern in self.allowed)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection of a seat."""
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
            tunnel = method == "CONNECT"
            parts = urlsplit(f"//{target}" if tunnel else target)
            host, port = parts.hostname or "", parts.port or 80
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError):
            await _refuse(writer, 400, "this is a proxy for HTTP and HTTPS")
            return
        if port not in PORTS or not self.allows(host):
            known = ", ".join(self.allowed) or "none"
            await _refuse(writer, 403, f"{host}:{port} is not open to this course; open: {known}")
            return
        try:
            there = await _connect(host, port)
        except OSError as trouble:
            await _refuse(writer, 502, f"{host} cannot be reached: {trouble}")
            return
        if tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            there[1].write(_origin_form(head, method, path))

        async def known_way() -> Streams:
            return there

        await carry(reader, writer, known_way)


async def _connect(host: str, port: int) -> Streams:
    """Connect to a host's public address, looked up once: a name must not lead into the machine."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    public = [address for address in addresses if ipaddress.ip_address(address.split("%")[0]).is_global]
    if not public:
        raise OSError("its address is not a public one")
    return await asyncio.wait_for(asyncio.open_connection(public[0], port), 20)


def _origin_form(head: bytes, method: str, path: str) -> bytes:
    """Return a request's head as the server itself expects it, with one request a connection."""
    lines = head.rstrip(b"\r\n").split(b"\r\n")[1:]
    kept = [line for line in lines if not line.lower().startswith((b"proxy-", b"connection:"))]
    return b"\r\n".join([f"{method} {path} HTTP/1.1".encode(), *kept, b"Connection: close", b"", b""])


async def _refuse(writer: asyncio.StreamWriter, status: int, why: str) -> None:
    body = f"{why}\n".encode()
    head = f"HTTP/1.1 {status} RefusedError\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
    try:
        await writer.drain()
        writer.close()
    except OSError:
        pass
