"""The hub's proxy: configurable-http-proxy's table of routes, with answers passed on as they come.

As it is installed, the Python one asks ten questions at a time for everybody together and keeps each answer
until it is whole; the waiting page of each person who logs in holds one for as long as their server takes to
start, so that ten such people stop the class. It also drops what a kernel says before the browser's side is
open, and which form of messages both sides agreed on (docs/decisions/seat_network.md).
"""

from __future__ import annotations

import argparse
import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
from configurable_http_proxy.configproxy import PythonProxy
from configurable_http_proxy.handlers import ProxyHandler
from tornado.httpserver import HTTPServer
from tornado.httputil import url_concat
from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler, stream_request_body
from tornado.websocket import WebSocketClosedError, websocket_connect
from yarl import URL

from fpgaclass.classroom.hub.limits import raise_open_files
from fpgaclass.classroom.hub.passes import Passes, owner_of, without_pass
from fpgaclass.classroom.hub.room import Room

_LARGEST = 160_000_000
"""Bytes of a request: an exchange's submission and what HTTP adds to it."""
_SMALL = 2**18
"""Bytes of a request that nobody counts."""
_OF_ONE, _OF_ALL = 2 * _LARGEST, 10 * _LARGEST
"""Bytes of the larger requests that are here at a time, of one person and of all: they are kept in memory."""
_PATIENCE, _SLOWEST = 60.0, 900.0
"""Seconds that a request waits for its room, and that its body may take."""
_LARGEST_MESSAGE = 64 * 2**20
"""Bytes of one message of a kernel."""
_OF_ONE_HOP = frozenset(
    (
        *("connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)
"""Headers that are between two ends of one connection."""
_NOT_FOR_BROWSERS = frozenset(("service-worker-allowed",))
"""What no server of the class may tell a browser: a program of its own that answers for the whole address.

It would stay in the browser of a shared computer, and act as whoever logs in there next.
"""

_SENT = "fpgaclass-sent"
"""Set while a browser without a pass is at the login: who comes back without one is not sent again."""
_NOT_YOURS = "This server belongs to somebody else.\n"
_NO_ROOM = "Much is being sent at this moment. Try again in a minute.\n"
_NO_PASS = "Log out at /hub/logout, and log in again.\n"


@stream_request_body
class Passing(ProxyHandler):  # type: ignore[misc]
    """One question of a browser, passed on to where its path leads, and the answer back."""

    answering: asyncio.Task[Any] | None = None
    reading: asyncio.Task[None] | None = None
    room: tuple[str, int] | None = None

    async def prepare(self) -> None:
        """Ask whether a browser may go there, then wait until there is room for what it sends."""
        self.body = bytearray()
        self._check_pass()
        if self._finished:
            return
        asked = self.request.headers
        told = asked.get("Content-Length", "")
        size = int(told) if told.isdigit() else _LARGEST * ("Transfer-Encoding" in asked)
        if size <= _SMALL:
            return
        passes = self.proxy.passes
        who = (passes and passes.holder(asked.get("Cookie", ""))) or str(self.request.remote_ip)
        if not await self.proxy.room.take(who, size, _PATIENCE):
            self.set_status(503)
            self.set_header("Content-Type", "text/plain")
            with suppress(StreamClosedError):  # the browser has left
                await self.finish(_NO_ROOM)
            return
        self.room = (who, size)

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of what is sent."""
        self.body += chunk

    def on_finish(self) -> None:
        """Give the room back."""
        self.body = bytearray()
        if self.room:
            self.proxy.room.give_back(*self.room)
            self.room = None

    def on_connection_close(self) -> None:
        """Do what both kinds of handlers do when the browser has left: the library's does one of them."""
        RequestHandler.on_connection_close(self)
        super().on_connection_close()

    def _check_pass(self) -> None:
        """Show a browser nobody's server but that of who logged in with it (``passes``).

        Programs with a token say so in a header, which no link can; websockets show nothing.
        """
        if self.proxy.passes is None:
            return
        asked = self.request.headers
        self.target = self.proxy.target_for_req(None, self.request.path)
        owner = owner_of(self.target["prefix"]) if self.target else None
        if not owner or "Authorization" in asked or asked.get("Upgrade", "").lower() == "websocket":
            return
        holder = self.proxy.passes.holder(asked.get("Cookie", ""))
        if holder == owner:
            return
        self.target = None  # nothing of it was used
        if holder is None and self.get_cookie(_SENT) is None:
            self.set_cookie(_SENT, "1", path="/", max_age=30)
            self.redirect(url_concat("/hub/login", {"next": self.request.uri}))
            return
        self.set_status(403)
        self.set_header("Content-Type", "text/plain")
        self.finish(_NOT_YOURS if holder else _NO_PASS)

    def _get_proxy_request(self, url: str) -> Any:
        asked = super()._get_proxy_request(url)
        kept = without_pass(self.request.headers.get("Cookie", ""))
        asked.headers.pop("Cookie", None)
        if kept:
            asked.headers["Cookie"] = kept
        return asked

    async def get_target_url(self, path: str) -> str | None:  # noqa: ARG002 - the signature is the library's
        """Return where the request goes, its path as the browser wrote it; the library's is decoded twice."""
        self.target = self.proxy.target_for_req(None, self.request.path)
        if self.target is None or not self.request.uri.startswith("/"):
            await self.handle_proxy_error(404, err=None)
            return None
        return str(self.target["target"]).rstrip("/") + str(self.request.uri)

    async def call_proxy(self, path: str | None = None) -> None:
        """Ask, and pass the answer on piece by piece; who leaves before its end stops it."""
        url = await self.get_target_url(path or "")
        if url is None:
            return
        asked = self._get_proxy_request(url)
        words = {name: value for name, value in asked.headers.items() if name.lower() not in _OF_ONE_HOP}
        self.answering = asyncio.current_task()
        try:
            async with self.proxy.web.request(
                self.request.method,
                URL(url, encoded=True),
                headers=words,
                data=self.body or None,
                allow_redirects=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            ) as answer:
                await self._pass_on(answer)
        except (aiohttp.ClientError, OSError, TimeoutError) as trouble:
            if not self._headers_written:
                await self.handle_proxy_error(503, trouble)
            elif self.request.connection is not None:
                self.request.connection.close()  # half an answer must not look like a whole one
        except (StreamClosedError, asyncio.CancelledError):
            pass  # the browser has left
        finally:
            self.answering = None

    async def _pass_on(self, answer: aiohttp.ClientResponse) -> None:
        for own in ("Server", "Content-Type", "Date"):
            self.clear_header(own)
        self.set_status(answer.status, answer.reason or None)
        for name, value in answer.headers.items():
            if name.lower() not in _OF_ONE_HOP | _NOT_FOR_BROWSERS:
                self.add_header(name, value)
        await self.flush()
        async for piece in answer.content.iter_any():
            self.write(piece)
            await self.flush()
        await self.finish()

    async def start_ws_client(self, path: str | None = None) -> None:
        """Open the far side of a websocket; the near side opens after it, and then messages are read."""
        self.closed = False
        url = await self.get_target_url(path or "")
        if url is None:
            return
        asked = self._get_proxy_request(f"ws{url.removeprefix('http')}")
        asked.headers.pop("Sec-Websocket-Extensions", None)  # of one hop, too
        try:
            self.ws_client = await websocket_connect(asked, max_message_size=_LARGEST_MESSAGE)
        except Exception as trouble:  # refused, unreachable or nonsense: the browser is told which
            code = getattr(trouble, "code", 0)
            if 400 <= code < 599:
                self.send_error(code)
            else:
                await self.handle_proxy_error(503, trouble)

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Agree to what the far side agreed to."""
        chosen = self.ws_client.selected_subprotocol
        return chosen if chosen in subprotocols else None

    def open(self, *_: Any, **__: Any) -> None:
        """Begin to read: what the far side has said until now waits in its queue."""
        self.reading = asyncio.ensure_future(self._read(self.ws_client))

    async def _read(self, far: Any) -> None:
        with suppress(WebSocketClosedError, StreamClosedError):
            while (message := await far.read_message()) is not None:
                self.proxy.update_last_activity(self.target["prefix"])
                await self.write_message(message, binary=isinstance(message, bytes))
        with suppress(ValueError):  # codes that are not for sending, such as 1006
            self.close(far.close_code, far.close_reason)
        self.close()

    async def on_message(self, message: str | bytes) -> None:
        """Pass on what the browser says, in the form that it has."""
        if self.ws_client:
            self.proxy.update_last_activity(self.target["prefix"])
            with suppress(WebSocketClosedError, StreamClosedError):
                await self.ws_client.write_message(message, binary=isinstance(message, bytes))

    def on_close(self) -> None:
        """Let go of the far side when the browser has left."""
        if self.answering:
            self.answering.cancel()
        self.on_finish()
        super().on_close()


class ClassProxy(PythonProxy):  # type: ignore[misc]
    """The library's routes and their interface, with our way of passing on."""

    def __init__(self, options: dict[str, Any], passes: Passes | None) -> None:
        super().__init__(options)
        self.passes, self.room = passes, Room(_OF_ONE, _OF_ALL)
        self.proxy_app = Application(
            [("/.*", Passing, {"proxy": self})], websocket_max_message_size=_LARGEST_MESSAGE
        )
        self.web = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=60),
            cookie_jar=aiohttp.DummyCookieJar(),  # cookies are each browser's own
            auto_decompress=False,
        )


async def serve(where: argparse.Namespace) -> None:
    """Serve until the process is ended."""
    proxy = ClassProxy(
        {"auth_token": os.environ["CONFIGPROXY_AUTH_TOKEN"], "error_target": where.error_target},
        Passes.at(where.passes) if where.passes else None,
    )
    proxy.log.setLevel("ERROR")
    for app, ip, port in (
        (proxy.proxy_app, where.ip, where.port),
        (proxy.api_app, where.api_ip, where.api_port),
    ):
        HTTPServer(app, max_body_size=_LARGEST, body_timeout=_SLOWEST).listen(port, ip)
    await asyncio.Event().wait()


def main() -> None:
    """Be what JupyterHub starts as its proxy."""
    parser = argparse.ArgumentParser(prog="fpgaclass.classroom.hub.proxy", description=__doc__)
    for name in ("--ip", "--api-ip", "--error-target"):
        parser.add_argument(name, required=True)
    for name in ("--port", "--api-port"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--passes", type=Path, help="the key of the passes; without, none are asked for")
    where, _ = parser.parse_known_args()
    raise_open_files()
    asyncio.run(serve(where))


if __name__ == "__main__":
    main()
