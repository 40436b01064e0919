"""The hub's side of a seat's ways in and out: which sockets there are, and who holds them."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fpgaclass.classroom.hub import relay
from fpgaclass.classroom.hub.internet import Gate
from fpgaclass.classroom.hub.room import address_of
from fpgaclass.engine.sandbox import Mount

_INSIDE = "/run/class"
_WEB_PORT = 3128
MOST_AT_ONCE = 200
"""Connections of a seat to the hub: its server and its pages of the exchange need a handful."""


@dataclass
class Ways:
    """What leads into one seat, and out of it, while its server runs.

    Attributes:
        port: of the seat's server: on the machine's loopback for the proxy, on the seat's own inside.
        hub_port: where the seat finds the hub: the public port of the class, on the seat's own loopback.
        entrance: the Unix socket that the seat takes connections from.
        doors: port inside -> the socket outside that it leads to.
        servers: what listens for the seat: on the machine's loopback, and behind each door.
    """

    port: int
    hub_port: int
    entrance: socket.socket
    doors: dict[int, Path]
    servers: tuple[asyncio.Server, ...] = field(repr=False)

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """Return what the jail must show: sockets that can be connected to, not replaced."""
        return tuple(Mount(door, f"{_INSIDE}/{door.name}") for door in self.doors.values())

    @property
    def command(self) -> list[str]:
        """Return the first program of the seat."""
        return [sys.executable, "-P", str(Path(relay.__file__).resolve())]

    def environment(self, env: dict[str, str], api_url: str) -> dict[str, str]:
        """Return the variables that tell the seat its ways, and where the hub now is."""
        here = f"http://127.0.0.1:{self.hub_port}/hub/api"
        changed = {name: value.replace(api_url, here) for name, value in env.items() if api_url in value}
        out = {port: f"{_INSIDE}/{door.name}" for port, door in self.doors.items()}
        ways = {"in": self.entrance.fileno(), "port": self.port, "out": out}
        changed[relay.WAYS_VARIABLE] = json.dumps(ways)
        if _WEB_PORT in self.doors:
            web = f"http://127.0.0.1:{_WEB_PORT}"
            changed |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), web)
            changed |= {"no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}
        return changed

    def close(self) -> None:
        """Close what the hub holds of it."""
        for server in self.servers:
            server.close()
        self.entrance.close()


class Doors:
    """The sockets of a class on which the hub listens for its seats.

    Args:
        folder: the hub's own folder for them; nobody else may enter it.
        hub_port: the public port of the class.
        internet: hosts that the seats may reach; none for no internet.
    """

    def __init__(self, folder: Path, hub_port: int, internet: tuple[str, ...] = ()) -> None:
        self.folder, self.hub_port, self.internet = folder, hub_port, internet

    async def open_ways(self, name: str) -> Ways:
        """Open the ways of one seat; the caller closes them when its server has ended.

        Through a door whoever is inside is where any browser is, with `MOST_AT_ONCE` connections at a time:
        all seats' go through one process, which may have so many files open. They come from an address of
        the seat's own (`fpgaclass.classroom.hub.room`).
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        path = self.folder / f"in-{name}.sock"
        entrance = relay.bind_unix(path, 0o600)
        way_in = await relay.listen_tcp(0, relay.to_unix(path))
        to_hub = relay.to_tcp(self.hub_port, origin=address_of(name))
        doors = {self.hub_port: self.folder / f"hub-{name}.sock"}
        take: dict[int, relay.Take] = {self.hub_port: lambda r, w: relay.carry(r, w, to_hub)}
        if self.internet:
            doors[_WEB_PORT] = self.folder / f"web-{name}.sock"
            take[_WEB_PORT] = Gate(self.internet).serve
        servers = [way_in]
        for port, door in doors.items():
            serve = relay.at_most(MOST_AT_ONCE, take[port])
            listener = relay.bind_unix(door, 0o666)
            servers.append(await asyncio.start_unix_server(serve, sock=listener, backlog=relay.BACKLOG))
        port = int(way_in.sockets[0].getsockname()[1])
        return Ways(port, self.hub_port, entrance, doors, tuple(servers))
