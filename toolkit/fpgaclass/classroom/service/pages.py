"""The pages: the class at a glance for instructors, each student's own labs, marks and receipts for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jupyterhub.services.auth import HubOAuthenticated
from tornado.web import HTTPError, RequestHandler, StaticFileHandler, authenticated

from fpgaclass.classroom.exchange import RefusedError
from fpgaclass.classroom.exchange.desk import Desk
from fpgaclass.classroom.service.glance import Glance, Watcher

_HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)
"""What the pages may load: nothing from elsewhere."""
_OF_FEEDBACK = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "script-src {hub}/mathjax/ 'unsafe-inline' 'unsafe-eval'; font-src {hub}/mathjax/"
)


class Page(HubOAuthenticated, RequestHandler):  # type: ignore[misc]
    """A page for somebody who is logged in at the hub."""

    def initialize(self, watcher: Watcher, desk_of: Callable[[str], Desk], prefix: str) -> None:
        """Take what all pages share."""
        self.watcher, self.desk_of, self.prefix = watcher, desk_of, prefix

    def set_default_headers(self) -> None:
        """Allow nothing from elsewhere: the pages must look the same without internet."""
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")

    @property
    def name(self) -> str:
        """The login name of who asks."""
        return str(self.current_user["name"])

    @property
    def role(self) -> str:
        """Student or instructor.

        Raises:
            HTTPError: neither, 403.
        """
        members = self.watcher.desk.members(self.watcher.layout.course_id)
        if self.name not in members:
            raise HTTPError(403, "You are not in this class.")
        return members[self.name]

    @property
    def students(self) -> tuple[str, ...]:
        """Everybody's login names."""
        members = self.watcher.desk.members(self.watcher.layout.course_id)
        return tuple(name for name, role in members.items() if role == "student")

    def show(self, template: str, glance: Glance, **words: Any) -> None:
        """Send a page made from a template."""
        zone = ZoneInfo(glance.timezone)
        page = templates().get_template(template)
        common = {"glance": glance, "prefix": self.prefix, "me": self.name, "role": self.role, "zone": zone}
        self.finish(page.render(**common, **words))


class Home(Page):
    """The class for an instructor; for a student, their own part of it."""

    @authenticated  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Show it."""
        if self.role == "instructor":
            glance = await asyncio.to_thread(self.watcher.look, self.students, cards=True)
            self.show("glance.html", glance)
            return
        glance = await asyncio.to_thread(self.watcher.look, (self.name,))
        desk, course = self.desk_of(self.name), self.watcher.layout.course_id
        labs = []
        for view in glance.labs:
            receipts = await asyncio.to_thread(desk.receipts, course, view.name, self.name)
            entries = []
            for receipt in reversed(receipts):
                tree = await asyncio.to_thread(desk.feedback, course, view.name, self.name, receipt.timestamp)
                entries.append((receipt, sorted(tree)))
            labs.append((view, view.rows[0], entries))
        self.show("mine.html", glance, labs=labs)


class Data(Page):
    """The class at a glance as JSON, for whoever wants to do more with it."""

    @authenticated  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Send it; a student gets their own row."""
        students = self.students if self.role == "instructor" else (self.name,)
        cards = self.role == "instructor"
        glance = await asyncio.to_thread(self.watcher.look, students, cards=cards)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(asdict(glance), default=_plain))


class FeedbackPage(Page):
    """A page of feedback, as it was given back."""

    @authenticated  # type: ignore[untyped-decorator]
    async def get(self, lab: str, timestamp: str, name: str) -> None:
        """Show it; it holds what a student wrote, so nothing in it may act as the reader."""
        desk, course = self.desk_of(self.name), self.watcher.layout.course_id
        try:
            tree = await asyncio.to_thread(desk.feedback, course, lab, self.name, timestamp)
        except RefusedError as refused:
            raise HTTPError(refused.status, str(refused)) from refused
        if name not in tree:
            raise HTTPError(404, "There is no such feedback.")
        here = f"{self.request.protocol}://{self.request.host}{self.prefix.rstrip('/')}"
        self.set_header("Content-Security-Policy", _OF_FEEDBACK.format(hub=here))
        self.finish(tree[name])


class MathJax(StaticFileHandler):  # type: ignore[misc]
    """Formulas' programs and fonts; a page in a sandbox has no origin, and asks for fonts as a stranger."""

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002 - tornado's signature
        """Let everybody have them."""
        self.set_header("Access-Control-Allow-Origin", "*")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


@cache
def templates() -> Any:
    """Return what the pages are made from (jinja2)."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(_HERE / "templates")
    found = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    found.filters["iso"] = lambda when: when.replace(tzinfo=UTC).isoformat(timespec="seconds")
    found.filters["clock"] = lambda when, zone: (
        f"{when.replace(tzinfo=UTC).astimezone(zone):%a %d %b %Y, %H:%M}"
    )
    found.filters["ago"] = _ago
    found.filters["zip"] = partial(zip, strict=True)
    return found


def _ago(when: datetime, now: datetime) -> str:
    minutes = int((now - when).total_seconds() // 60)
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes} min ago"
    hours = minutes // 60
    return f"{hours} h ago" if hours < 48 else f"{hours // 24} days ago"
