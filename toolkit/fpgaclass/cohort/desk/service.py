"""The hub's service ``seats``: a page for each student, and the same for notebooks as JSON.

The hub starts it (see :mod:`fpgaclass.cohort.desk.hub`), says who asks, and hands requests on to it; it
listens on loopback only.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlparse

from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado import web  # type: ignore[attr-defined]
from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback

from fpgaclass.cohort.desk.page import render
from fpgaclass.cohort.desk.port import Desk
from fpgaclass.cohort.desk.room import Room, open_room
from fpgaclass.cohort.desk.wire import DeskView, Turn, encode
from fpgaclass.cohort.leases import Lease
from fpgaclass.core import FpgaClassError

COURSE_VARIABLE = "FPGACLASS_SEATS_COURSE"
"""The course.yaml of the class."""

T = TypeVar("T")
_LOOK_MS = 30_000
_STATIC = Path(__file__).parent / "static"
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


class _Handler(HubOAuthenticated, web.RequestHandler):  # type: ignore[misc]
    """A request of somebody the hub knows."""

    room: Room

    def initialize(self, room: Room) -> None:
        """Take what the application has for all."""
        self.room = room

    def set_default_headers(self) -> None:
        """Let no page hold this one, and nothing of it run that is not a file of ours."""
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    @property
    def student(self) -> str:
        """Who asks."""
        return str(self.current_user["name"])

    async def work(self, call: Callable[[Desk], T]) -> T:
        """Do something at the student's desk, in a thread: databases wait."""
        return await asyncio.to_thread(lambda: call(self.room.desk(self.student)))


class _Page(_Handler):
    @web.authenticated  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Show the page."""
        try:
            view = await self.work(lambda desk: desk.view())
        except FpgaClassError as trouble:
            self.set_status(404)
            self.finish(render(None, self.student, said=_line(trouble), prefix=_prefix()))
            return
        task = self.room.begun.get(self.student)
        waits = task is not None and not task.done()
        said = "" if waits else self.room.said.pop(self.student, "")
        form = self.xsrf_form_html()
        if isinstance(form, bytes):
            form = form.decode()
        self.finish(render(view, self.student, said=said, waits=waits, form=form, prefix=_prefix()))

    @web.authenticated  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        """Do what a button of the page asks for, and show the page again."""
        action, identity = self.get_body_argument("action"), self.get_body_argument("id", "")
        try:
            said = await self._act(action, identity)
        except (FpgaClassError, ValueError) as trouble:
            said = _line(trouble)
        self.room.said[self.student] = said
        self.redirect(_prefix())

    async def _act(self, action: str, identity: str) -> str:
        if action == "book":
            slots = int(self.get_body_argument("slots", "1"))
            text = self.get_body_argument("at", "").strip()
            at = datetime.fromisoformat(text) if text else None
            turn = await self.work(lambda desk: desk.book(slots, at=at))
            return "booked" if isinstance(turn, Lease) else f"you are number {turn.place} of the waiting list"
        if action == "release":
            await self.work(lambda desk: desk.release(identity))
            return "given back"
        if action == "leave":
            await self.work(lambda desk: desk.leave())
            return "you are off the waiting list"
        if action == "begin":
            student = self.student
            old = self.room.begun.get(student)
            if old is None or old.done():
                self.room.begun[student] = asyncio.create_task(self._begin(student, identity))
            return ""
        raise ValueError("no such button")

    async def _begin(self, student: str, identity: str) -> None:
        try:
            lease = await self.room.begin(student, identity)
            self.room.said[student] = f"{lease.card} is yours"
        except FpgaClassError as trouble:
            self.room.said[student] = _line(trouble)


class _Api(_Handler):
    """What a notebook asks with its server's token; a cookie needs the one against forgery, too."""

    def check_xsrf_cookie(self) -> None:
        """Find out first who asks: tornado checks for forgery before, and a token needs no check."""
        if self.current_user is not None:
            super().check_xsrf_cookie()

    def prepare(self) -> Any:
        """Refuse whoever the hub does not know, with a status and not with a login page."""
        if self.current_user is None:
            raise web.HTTPError(403)
        return super().prepare()

    def write_error(self, status_code: int, **details: Any) -> None:
        """Answer with the error's parts, so that the notebook can raise it anew."""
        trouble = details.get("exc_info", (None, None, None))[1]
        if isinstance(trouble, FpgaClassError):
            self.set_status(409)
            self.finish(
                {
                    "kind": type(trouble).__name__,
                    "what": trouble.what,
                    "where": trouble.where,
                    "next_step": trouble.next_step,
                }
            )
        else:
            super().write_error(status_code, **details)

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        """Leave what is the student's own slip out of the log."""
        if not isinstance(value, FpgaClassError):
            super().log_exception(kind, value, trace)

    def answer(self, value: Any, kind: Any) -> None:
        """Send a value."""
        self.set_header("Content-Type", "application/json")
        self.finish(encode(value, kind))


class _DeskApi(_Api):
    async def get(self) -> None:
        """Return all that the page shows."""
        self.answer(await self.work(lambda desk: desk.view()), DeskView)


class _NextApi(_Api):
    async def get(self) -> None:
        """Return the student's turn."""
        self.answer(await self.work(lambda desk: desk.next()), Turn)


class _QueueApi(_Api):
    async def delete(self) -> None:
        """Take the student off the waiting list."""
        self.answer(await self.work(lambda desk: desk.leave()), bool)


class _LeasesApi(_Api):
    async def post(self) -> None:
        """Book."""
        try:
            asked = json.loads(self.request.body)
            slots, at = int(asked["slots"]), asked.get("at")
            when = datetime.fromisoformat(at) if at else None
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as odd:
            raise web.HTTPError(400) from odd
        self.answer(await self.work(lambda desk: desk.book(slots, at=when)), Turn)


class _LeaseApi(_Api):
    async def delete(self, identity: str) -> None:
        """Give a booking back."""
        self.answer(await self.work(lambda desk: desk.release(identity)), Lease)


class _BeginApi(_Api):
    async def post(self, identity: str) -> None:
        """Take the card over."""
        self.answer(await self.room.begin(self.student, identity), Lease)


def application(course: Path, secret: bytes) -> tuple[web.Application, Room]:
    """Return the service, and what its requests share."""
    room, root = open_room(course), _prefix()
    shared = {"room": room}
    pages: list[Any] = [
        (root, _Page, shared),
        (root + "oauth_callback", HubOAuthCallbackHandler),
        (root + "api/desk", _DeskApi, shared),
        (root + "api/next", _NextApi, shared),
        (root + "api/queue", _QueueApi, shared),
        (root + "api/leases", _LeasesApi, shared),
        (root + r"api/leases/([0-9a-f]{1,16})", _LeaseApi, shared),
        (root + r"api/leases/([0-9a-f]{1,16})/begin", _BeginApi, shared),
        (root + r"static/((?:style\.css|page\.js))", web.StaticFileHandler, {"path": str(_STATIC)}),
    ]
    return web.Application(pages, cookie_secret=secret, xsrf_cookies=True), room


async def main() -> None:
    """Serve until the hub ends this process."""
    logging.basicConfig(level=logging.INFO, format="[%(levelname).1s seats] %(message)s")
    course = Path(os.environ[COURSE_VARIABLE])
    served, room = application(course, os.urandom(32))
    address = urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
    HTTPServer(served, max_body_size=64 * 1024).listen(address.port or 0, "127.0.0.1")
    PeriodicCallback(partial(room.look), _LOOK_MS).start()
    await asyncio.Event().wait()


def _prefix() -> str:
    return os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/services/seats/")


def _line(trouble: Exception) -> str:
    """Return what a reader of the page can use: the next steps of errors are commands of a terminal."""
    return trouble.what if isinstance(trouble, FpgaClassError) else str(trouble)


if __name__ == "__main__":
    asyncio.run(main())
