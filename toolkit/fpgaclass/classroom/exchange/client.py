"""The exchange through HTTP, as a server of the class sees it: ngshare's API, with the hub's token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fpgaclass.classroom.exchange.errors import RefusedError
from fpgaclass.classroom.exchange.store import Receipt
from fpgaclass.classroom.exchange.trees import Tree, decode_tree, encode_tree

if TYPE_CHECKING:
    import httpx


class Client:
    """The same methods as `Desk`, through HTTP; who asks is told by the token.

    Args:
        url: where the API is, such as ``http://127.0.0.1:8000/services/class/api``.
        token: the hub's, of the user's server.
        user: whose it is.

    Raises (each method):
        RefusedError: the exchange says no, or cannot be reached.
    """

    def __init__(self, url: str, token: str, user: str) -> None:
        self.url, self.user = url.rstrip("/"), user
        self._headers = {"Authorization": f"token {token}"}

    def courses(self) -> list[str]:
        """Return the courses that the user is in."""
        return list(self._call("GET", "courses")["courses"])

    def labs(self, course: str) -> list[str]:
        """Return the released labs."""
        return list(self._call("GET", "assignments", course)["assignments"])

    def released(self, course: str, lab: str) -> Mapping[str, bytes]:
        """Return the files of a released lab."""
        return decode_tree(self._call("GET", "assignment", course, lab)["files"])

    def release(self, course: str, lab: str, tree: Tree, *, force: bool) -> None:
        """Release a lab to the students; with ``force``, in place of an earlier release."""
        files = json.dumps(encode_tree(tree))
        self._call("POST", "assignment", course, lab, data={"files": files, "force": str(force).lower()})

    def withdraw(self, course: str, lab: str) -> None:
        """Take a lab back; what was submitted stays."""
        self._call("DELETE", "assignment", course, lab)

    def submit(self, course: str, lab: str, tree: Tree) -> Receipt:
        """Hand in a lab, as oneself, now."""
        answer = self._call("POST", "submission", course, lab, data={"files": json.dumps(encode_tree(tree))})
        return Receipt(**answer["receipt"])

    def receipts(self, course: str, lab: str, student: str | None = None) -> list[Receipt]:
        """Return the receipts of a lab, oldest first; everybody's for instructors."""
        of = [student] if student else []
        found = self._call("GET", "submissions", course, lab, *of)["submissions"]
        return [Receipt(**entry["receipt"]) for entry in found]

    def submission(
        self, course: str, lab: str, student: str, timestamp: str | None = None
    ) -> tuple[Receipt, Mapping[str, bytes]]:
        """Return a submission with its files: the newest, or the one of a time."""
        which = {"timestamp": timestamp} if timestamp else {}
        answer = self._call("GET", "submission", course, lab, student, params=which)
        return Receipt(**answer["receipt"]), decode_tree(answer["files"])

    def feedback(self, course: str, lab: str, student: str, timestamp: str) -> Mapping[str, bytes]:
        """Return the feedback on a submission; none yet is an empty folder."""
        which = {"timestamp": timestamp}
        return decode_tree(self._call("GET", "feedback", course, lab, student, params=which)["files"])

    def give_feedback(self, course: str, lab: str, student: str, timestamp: str, tree: Tree) -> None:
        """Give the feedback on a submission, in place of earlier."""
        data = {"timestamp": timestamp, "files": json.dumps(encode_tree(tree))}
        self._call("POST", "feedback", course, lab, student, data=data)

    def _call(self, method: str, *path: str, **fields: Any) -> dict[str, Any]:
        from urllib.parse import quote

        import httpx

        try:
            with self._web() as web:
                answer = web.request(method, "/".join(quote(part, safe="") for part in path), **fields)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as trouble:
            step = "try again in a minute; if it stays, tell your instructor"
            raise RefusedError(503, f"the exchange does not answer: {trouble}", next_step=step) from trouble
        if not answer.is_success or not body.get("success"):
            raise RefusedError(answer.status_code, str(body.get("message", "it said no, and not why")))
        return dict(body)

    def _web(self) -> httpx.Client:
        import httpx

        return httpx.Client(base_url=self.url, headers=self._headers, timeout=120, trust_env=False)
