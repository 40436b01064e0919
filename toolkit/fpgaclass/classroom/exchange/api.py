"""ngshare's API over a `Desk`: what nbgrader's steps, ours or ngshare_exchange's, ask through HTTP.

Paths, fields and answers are those that ngshare documents. On top of them each submission comes with its
``receipt``, and an assignment may be posted with ``force``. The roster is the course's own, so the requests
that change it are refused.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from jupyterhub.services.auth import HubOAuthenticated
from tornado.web import RequestHandler

from fpgaclass.classroom.exchange.desk import Desk
from fpgaclass.classroom.exchange.errors import RefusedError
from fpgaclass.classroom.exchange.store import TIME, Receipt
from fpgaclass.classroom.exchange.trees import MAX_FILES, Tree, decode_tree, encode_tree

_MOST_PARTS = 5 * MAX_FILES
"""Of a request: a hundred megabytes of empty lists take two gigabytes when they are read."""

DeskOf = Callable[[str], Desk]
"""User -> the exchange as they may use it."""


class Handler(HubOAuthenticated, RequestHandler):  # type: ignore[misc]
    """Who asks is who the hub says the token belongs to; nothing in the request can say otherwise."""

    desk: Desk

    def initialize(self, desk_of: DeskOf) -> None:
        """Take what makes a desk for a user."""
        self.desk_of = desk_of

    async def prepare(self) -> None:
        """Ask the hub whose token this is, and nobody waits; a cookie, which any page sends, is none."""
        token = self.hub_auth.get_token(self, in_cookie=False)
        user = await self.hub_auth.user_for_token(token, sync=False) if token else None
        if not user or not self.hub_auth.check_scopes(self.hub_auth.access_scopes, user):
            self.refuse(RefusedError(403, "Login required: a token of the hub, with access to this service"))
            return
        self.current_user = user
        self.desk = self.desk_of(user["name"])

    async def ask(self, question: Callable[..., Any], *words: Any, **options: Any) -> Any:
        """Run something that takes time in a thread."""
        return await asyncio.to_thread(question, *words, **options)

    def answer(self, **fields: Any) -> None:
        """Answer that it worked."""
        self.finish({"success": True, **fields})

    def refuse(self, refused: RefusedError) -> None:
        """Answer why it did not."""
        self.set_status(refused.status)
        self.finish({"success": False, "message": str(refused)})

    def write_error(self, status_code: int, **details: Any) -> None:  # noqa: ARG002 - tornado's signature
        """Answer errors as ngshare does: as data, with a message."""
        error = details.get("exc_info", (None, None, None))[1]
        if isinstance(error, RefusedError):
            self.refuse(error)
        else:
            self.finish({"success": False, "message": self._reason})

    def log_exception(self, typ: Any, value: Any, trace: Any) -> None:
        """Leave refusals out of the log."""
        if not isinstance(value, RefusedError):
            super().log_exception(typ, value, trace)

    @property
    def names_only(self) -> bool:
        """Whether the request wants no contents."""
        return str(self.get_query_argument("list_only", "false")) == "true"

    def sent_files(self) -> Tree:
        """Return the files of the request.

        Raises:
            RefusedError: there are none, or they are malformed.
        """
        text = self.get_body_argument("files", "null") or "null"
        if text.count("{") + text.count("[") > _MOST_PARTS:
            raise RefusedError(413, f"more than {MAX_FILES} files")
        try:
            return decode_tree(json.loads(text))
        except (ValueError, RecursionError) as trouble:
            raise RefusedError(400, "Files cannot be JSON decoded") from trouble


class Courses(Handler):
    """The user's courses."""

    async def get(self) -> None:
        """List them."""
        self.answer(courses=await self.ask(self.desk.courses))


class People(Handler):
    """Who is in a course."""

    async def get(self, role: str, course: str) -> None:
        """List the students or the instructors."""
        names = await self.ask(self.desk.people, course, role.removesuffix("s"))
        unknown = {"first_name": None, "last_name": None, "email": None}
        self.answer(**{role: [{"username": name, **unknown} for name in names]})

    async def post(self, *_: str) -> None:
        """Refuse: one roster, in one place."""
        raise RefusedError(
            403, "the roster is kept by the course", next_step="change course.yaml, then run up again"
        )

    delete = post


class Assignments(Handler):
    """The labs of a course."""

    async def get(self, course: str) -> None:
        """List the released ones."""
        self.answer(assignments=await self.ask(self.desk.labs, course))


class Assignment(Handler):
    """One released lab."""

    async def get(self, course: str, lab: str) -> None:
        """Fetch it."""
        tree = await self.ask(self.desk.released, course, lab)
        self.answer(files=encode_tree(tree, names_only=self.names_only))

    async def post(self, course: str, lab: str) -> None:
        """Release it."""
        force = self.get_body_argument("force", "false") == "true"
        await self.ask(self.desk.release, course, lab, self.sent_files(), force=force)
        self.answer()

    async def delete(self, course: str, lab: str) -> None:
        """Withdraw it."""
        await self.ask(self.desk.withdraw, course, lab)
        self.answer()


class Submissions(Handler):
    """The submissions of a lab."""

    async def get(self, course: str, lab: str, student: str | None = None) -> None:
        """List everybody's, or one student's."""
        found: list[Receipt] = await self.ask(self.desk.receipts, course, lab, student and unquote(student))
        entry = "student_id", "timestamp", "receipt"
        rows = ((receipt.student, receipt.timestamp, receipt.as_dict()) for receipt in found)
        self.answer(submissions=[dict(zip(entry, row, strict=True)) for row in rows])


class Submit(Handler):
    """Where a lab is handed in."""

    async def post(self, course: str, lab: str) -> None:
        """Take a submission; whose it is, and when, is ours to say."""
        receipt: Receipt = await self.ask(self.desk.submit, course, lab, self.sent_files())
        self.answer(timestamp=receipt.timestamp, receipt=receipt.as_dict())


class Submission(Handler):
    """One submission."""

    async def get(self, course: str, lab: str, student: str) -> None:
        """Fetch the newest, or the one of a time."""
        when = self.get_query_argument("timestamp", None)
        receipt, tree = await self.ask(self.desk.submission, course, lab, student, when)
        files = encode_tree(tree, names_only=self.names_only)
        self.answer(timestamp=receipt.timestamp, receipt=receipt.as_dict(), files=files)


class Feedback(Handler):
    """The feedback on one submission."""

    async def get(self, course: str, lab: str, student: str) -> None:
        """Fetch it."""
        when = self.get_query_argument("timestamp")
        tree = await self.ask(self.desk.feedback, course, lab, student, when)
        self.answer(timestamp=when, files=encode_tree(tree, names_only=self.names_only))

    async def post(self, course: str, lab: str, student: str) -> None:
        """Give it."""
        when = self.get_body_argument("timestamp")
        await self.ask(self.desk.give_feedback, course, lab, student, when, self.sent_files())
        self.answer()


class Nothing(Handler):
    """Everything else."""

    async def get(self, *_: str) -> None:
        """Say what this is, or that there is no such thing."""
        if self.request.path.rstrip("/").endswith("/api"):
            self.answer(message="an exchange that speaks ngshare's API", time_format=TIME)
        else:
            raise RefusedError(404, "Not found")

    post = delete = put = get


def routes(prefix: str, desk_of: DeskOf) -> list[tuple[str, type[Handler], dict[str, DeskOf]]]:
    """Return the handlers below ``prefix``, for a tornado application."""
    name = r"([^/]+)"
    table: list[tuple[str, type[Handler]]] = [
        ("courses", Courses),
        (f"(students|instructors)/{name}", People),
        (f"(student|instructor|course)/{name}(?:/{name})?", People),
        (f"assignments/{name}", Assignments),
        (f"assignment/{name}/{name}", Assignment),
        (f"submissions/{name}/{name}", Submissions),
        (f"submissions/{name}/{name}/{name}", Submissions),
        (f"submission/{name}/{name}", Submit),
        (f"submission/{name}/{name}/{name}", Submission),
        (f"feedback/{name}/{name}/{name}", Feedback),
        (".*", Nothing),
    ]
    return [(f"{prefix}api/?{path}", handler, {"desk_of": desk_of}) for path, handler in table]
