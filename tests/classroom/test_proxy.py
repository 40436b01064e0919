"""The hub's proxy: many at once, answers as they come, messages whole and in order."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from fpgaclass.classroom.hub.passes import COOKIE, Passes, owner_of, without_pass
from fpgaclass.classroom.hub.room import Room, address_of

TOKEN = "a token"
PASSES = Passes(b"known to few")
OF_ADA = {"Cookie": f"{COOKIE}={PASSES.of('ada')}"}
left: list[str] = []


class Events(RequestHandler):  # type: ignore[misc]
    """The hub's waiting page, which asks once and is told as long as a server takes to start."""

    async def get(self) -> None:
        """Say one thing, and no more until the reader leaves."""
        self.set_header("Content-Type", "text/event-stream")
        self.write("data: your turn comes\n\n")
        await self.flush()
        while not left:
            await asyncio.sleep(0.05)

    def on_connection_close(self) -> None:
        """Take note."""
        left.append("events")


class Echo(RequestHandler):  # type: ignore[misc]
    """Says what arrived."""

    async def prepare(self) -> None:
        """Answer all methods alike."""
        status = int(self.get_query_argument("status", "200"))
        self.set_status(status)
        self.set_header("X-Asked", f"{self.request.method} {self.request.uri}")
        self.set_header("X-Cookie", self.request.headers.get("Cookie", ""))
        self.add_header("Set-Cookie", "a=1")
        self.add_header("Set-Cookie", "b=2")
        self.set_header("Service-Worker-Allowed", "/")
        if status == 200:
            self.write(self.request.body or b"nothing")
        await self.finish()


class Half(RequestHandler):  # type: ignore[misc]
    """A server that ends in the middle of an answer."""

    async def get(self) -> None:
        """Promise more than comes."""
        self.set_header("Content-Length", "1000")
        self.write("half")
        await self.flush()
        self.request.connection.stream.close()


class Kernel(WebSocketHandler):  # type: ignore[misc]
    """Speaks first, as kernels do, and hangs up when told."""

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Take the second."""
        return subprotocols[1] if len(subprotocols) > 1 else None

    async def open(self) -> None:
        """Speak before anybody can have asked."""
        for number in range(100):
            await self.write_message(str(number))

    async def on_message(self, message: str | bytes) -> None:
        """Say it again, in the form that it had."""
        if message == "bye":
            self.close(4000, "as you wish")
            return
        await self.write_message(message, binary=isinstance(message, bytes))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@asynccontextmanager
async def _proxied() -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """Run the proxy as the hub does, with a server behind ``/user/ada/``; give the address and a browser."""
    left.clear()
    behind, port, api = _free_port(), _free_port(), _free_port()
    routes = [(f"/user/ada/{name.__name__.lower()}.*", name) for name in (Events, Echo, Half, Kernel)]
    server = HTTPServer(Application(routes, websocket_max_message_size=2**26))
    server.listen(behind, "127.0.0.1")
    words = ["--ip", "127.0.0.1", "--port", str(port), "--api-ip", "127.0.0.1", "--api-port", str(api)]
    words += ["--error-target", "http://127.0.0.1:9/hub/error", "--log-level", "info"]
    with tempfile.NamedTemporaryFile("w", suffix=".key", delete=False) as key:
        key.write("known to few")
    words += ["--passes", key.name]
    process = subprocess.Popen(
        [sys.executable, "-m", "fpgaclass.classroom.hub.proxy", *words],
        env={**os.environ, "CONFIGPROXY_AUTH_TOKEN": TOKEN},
    )
    timeout, nobody = aiohttp.ClientTimeout(total=20), aiohttp.DummyCookieJar()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        timeout=timeout, cookie_jar=nobody, connector=connector, headers=OF_ADA
    ) as web:
        try:
            table = f"http://127.0.0.1:{api}/api/routes"
            await _until_it_answers(web, table)
            route = {"target": f"http://127.0.0.1:{behind}", "user": "ada"}
            headers = {"Authorization": f"token {TOKEN}"}
            async with web.post(f"{table}/user/ada", json=route, headers=headers) as done:
                assert done.status == 201
            async with web.post(f"{table}/user/eve", json=route) as refused:
                assert refused.status == 403, "a route is the hub's to give"
            yield f"http://127.0.0.1:{port}/user/ada", web
        finally:
            process.terminate()
            process.wait(10)
            server.stop()
            Path(key.name).unlink()


async def _until_it_answers(web: aiohttp.ClientSession, url: str) -> None:
    for _ in range(200):
        try:
            async with web.get(url):
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.1)
    raise AssertionError("the proxy did not start")


def _run(talk: Callable[[str, aiohttp.ClientSession], Any]) -> None:
    async def go() -> None:
        async with _proxied() as (url, web):
            await talk(url, web)

    asyncio.run(go())


def test_a_class_that_waits_does_not_stop_the_class() -> None:
    """Thirty wait for their servers, each page with a question that stays open: the others must go on."""

    async def talk(url: str, web: aiohttp.ClientSession) -> None:
        waiting = [await web.get(f"{url}/events") for _ in range(40)]
        said = [await answer.content.readline() for answer in waiting]
        assert set(said) == {b"data: your turn comes\n"}, "told at once, not at the end"
        async with web.get(f"{url}/echo") as answer:
            assert await answer.text() == "nothing"
        for answer in waiting:
            answer.close()
        while not left:
            await asyncio.sleep(0.05)

    _run(talk)


def test_questions_and_answers_arrive_as_they_were() -> None:
    """Names with slashes and per cent, cookies of two people, answers without a body, a file of megabytes."""
    data = os.urandom(5_000_000)

    async def talk(url: str, web: aiohttp.ClientSession) -> None:
        raw = aiohttp.client.URL(f"{url}/echo/a%2Fb%2520c?d=%2F&e", encoded=True)
        async with web.get(raw, headers={"Cookie": f"mine=1; {OF_ADA['Cookie']}"}) as answer:
            assert answer.headers["X-Asked"] == "GET /user/ada/echo/a%2Fb%2520c?d=%2F&e"
            assert answer.headers["X-Cookie"] == "mine=1"
            assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
            assert "Service-Worker-Allowed" not in answer.headers, "it would stay for whoever logs in next"
            assert len(answer.headers.getall("Content-Type")) == 1
        async with web.get(f"{url}/echo") as answer:
            assert answer.headers["X-Cookie"] == "", "somebody else's cookies stay theirs"
        async with web.put(f"{url}/echo", data=data) as answer:
            assert await answer.read() == data
        for status in (204, 304, 302, 404, 500):
            async with web.delete(f"{url}/echo?status={status}", allow_redirects=False) as answer:
                assert (answer.status, await answer.read()) == (status, b"")
        async with web.head(f"{url}/echo") as answer:
            assert answer.headers["Content-Length"] == "7"
        async with web.get(f"{url.replace('ada', 'nobody')}/echo") as answer:
            assert answer.status == 404

    _run(talk)


def test_half_an_answer_does_not_look_whole() -> None:
    """A notebook cut short and taken for whole is saved over the student's work."""

    async def talk(url: str, web: aiohttp.ClientSession) -> None:
        with pytest.raises((aiohttp.ClientError, StreamClosedError)):
            async with web.get(f"{url}/half") as answer:
                await answer.read()

    _run(talk)


def test_what_never_ends_takes_its_senders_room_only() -> None:
    """Two hundred questions of a student's that stay half sent took all memory; now the third one waits."""
    head = f"PUT /user/ada/echo HTTP/1.1\r\nHost: class\r\nCookie: {OF_ADA['Cookie']}\r\n"
    head += "Content-Length: 150000000\r\n\r\n"

    async def talk(url: str, web: aiohttp.ClientSession) -> None:
        port = aiohttp.client.URL(url).port
        stalled = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for _, writer in stalled:
            writer.write(head.encode() + b"x" * 1000)
            await writer.drain()
        async with web.put(f"{url}/echo", data=b"y" * 1000) as answer:
            assert await answer.read() == b"y" * 1000, "what is small waits for nobody"
        third = asyncio.ensure_future(web.put(f"{url}/echo", data=b"z" * 30_000_000))
        elsewhere = aiohttp.TCPConnector(local_addr=(address_of("emmy"), 0))
        async with (
            aiohttp.ClientSession(connector=elsewhere, headers={"Authorization": "token emmys"}) as her,
            her.put(f"{url}/echo", data=b"e" * 3_000_000) as answer,
        ):
            assert len(await answer.read()) == 3_000_000, "nor does anybody else"
        assert not third.done()
        for _, writer in stalled:
            writer.close()
        async with await third as answer:
            assert len(await answer.read()) == 30_000_000

    _run(talk)


def test_who_finds_no_room_is_told() -> None:
    """One alone is let in whatever its size; the others wait, and not for ever."""

    async def go() -> None:
        room = Room(of_one=10, of_all=15)
        assert await room.take("ada", 20, 0)
        assert not await room.take("ada", 1, 0.01)
        assert not await room.take("emmy", 1, 0.01)
        waits = asyncio.ensure_future(room.take("emmy", 10, 60))
        await asyncio.sleep(0)
        room.give_back("ada", 20)
        assert await waits
        assert await room.take("ada", 5, 0)
        assert not await room.take("lise", 1, 0.01)

    asyncio.run(go())


def test_a_kernel_is_heard_from_its_first_word() -> None:
    """A kernel says that it is idle before the browser's side is open; missed, the page waits for ever."""

    async def talk(url: str, web: aiohttp.ClientSession) -> None:
        for size in [10] * 19 + [12_000_000]:
            two = ("old", "v1.kernel")
            async with web.ws_connect(f"{url}/kernel", protocols=two, max_msg_size=0) as channel:
                assert channel.protocol == "v1.kernel"
                assert [await channel.receive_str() for _ in range(100)] == [str(n) for n in range(100)]
                await channel.send_bytes(b"\xff" * size)
                assert await channel.receive_bytes() == b"\xff" * size
                await channel.send_str("words")
                assert await channel.receive_str() == "words"
                await channel.send_str("bye")
                end = await channel.receive()
                assert (end.type, end.data) == (aiohttp.WSMsgType.CLOSE, 4000), "its end is the browser's"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await web.ws_connect(f"{url}/nothing")
        assert refused.value.status == 404

    _run(talk)


def test_a_browser_is_shown_nobody_elses_server() -> None:
    """A page of a student's server acts, at the class's one address, as whoever follows a link to it.

    An instructor who does had given every mark away: the page may read and write what their server may.
    """

    async def talk(url: str, web: aiohttp.ClientSession) -> None:
        of_eve = f"{COOKIE}={PASSES.of('eve')}"
        forged = f"{COOKIE}=ada.{PASSES.of('eve').rpartition('.')[2]}"
        for asked in (url, url.replace("/user/", "/user%2f"), url.replace("ada", "%61da")):
            address = aiohttp.client.URL(f"{asked}/echo", encoded=True)
            async with web.get(address, headers={"Cookie": of_eve}) as answer:
                assert answer.status in (403, 404)
                assert "X-Asked" not in answer.headers, "nor did that server hear of it"
        for cookies in ("", "a=1", forged):
            async with web.get(f"{url}/echo", headers={"Cookie": cookies}, allow_redirects=False) as answer:
                assert answer.headers["Location"] == "/hub/login?next=%2Fuser%2Fada%2Fecho"
                sent = answer.headers["Set-Cookie"].partition(";")[0]
            async with web.get(f"{url}/echo", headers={"Cookie": f"{cookies}; {sent}"}) as answer:
                assert answer.status == 403, "who comes back without a pass is not sent round and round"
        async with web.get(f"{url}/echo", headers={"Cookie": of_eve, "Authorization": "token x"}) as answer:
            assert answer.status == 200, "a program with a token is the server's to judge"

    _run(talk)


def test_passes_are_of_one_and_for_one(tmp_path: Path) -> None:
    """What is no pass is nobody's, and no server ever sees one."""
    passes = Passes.at(tmp_path / "key")
    assert Passes.at(tmp_path / "key").of("ada") == passes.of("ada"), "it outlives a hub"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert passes.holder(f"a=1; {COOKIE}={passes.of('ada')}; b=2") == "ada"
    for wrong in ("", "ada", "ada.", ".", f".{passes.of('')}", Passes(b"other").of("ada"), "\xff", 'a;b="c'):
        assert passes.holder(f"{COOKIE}={wrong}") is None
    assert without_pass(f"a=1; {COOKIE}={passes.of('ada')}; b=2") == "a=1; b=2"
    assert [owner_of(route) for route in ("/", "/user/ada/", "/user/ada", "/services/class")] == [
        None,
        "ada",
        "ada",
        None,
    ]
