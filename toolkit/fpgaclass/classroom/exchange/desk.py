"""What a member of a course may do at the exchange; `Client` is the same desk through HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from fpgaclass.classroom.exchange.doors import is_open, set_open
from fpgaclass.classroom.exchange.errors import RefusedError
from fpgaclass.classroom.exchange.store import Receipt, Store
from fpgaclass.classroom.exchange.trees import Tree, check_tree

Role = Literal["student", "instructor"]
Members = Callable[[str], Mapping[str, Role]]
"""Course -> who is in it, and as what; asked each time, for people come and go."""

OPERATOR = ""
"""The user who owns the class's folder: nobody needs to be told that they may read their own files."""

_THE_SERVERS = ("timestamp.txt", "submission_secret.txt")


class Exchange(Protocol):
    """What nbgrader's steps need of an exchange."""

    user: str

    def courses(self) -> list[str]: ...
    def labs(self, course: str) -> list[str]: ...
    def released(self, course: str, lab: str) -> Mapping[str, bytes]: ...
    def release(self, course: str, lab: str, tree: Tree, *, force: bool) -> None: ...
    def withdraw(self, course: str, lab: str) -> None: ...
    def submit(self, course: str, lab: str, tree: Tree) -> Receipt: ...
    def receipts(self, course: str, lab: str, student: str | None = None) -> list[Receipt]: ...
    def submission(
        self, course: str, lab: str, student: str, timestamp: str | None = None
    ) -> tuple[Receipt, Mapping[str, bytes]]: ...
    def feedback(self, course: str, lab: str, student: str, timestamp: str) -> Mapping[str, bytes]: ...
    def give_feedback(self, course: str, lab: str, student: str, timestamp: str, tree: Tree) -> None: ...


class Desk:
    """The exchange as one user may use it.

    Args:
        store: the database.
        members: who is in a course.
        user: who asks; `OPERATOR` for the owner of the class's folder.
        known: the courses there are.

    Raises (each method):
        RefusedError: the user may not do that, or it does not exist.
    """

    def __init__(self, store: Store, members: Members, user: str, known: tuple[str, ...]) -> None:
        self.store, self.members, self.user, self.known = store, members, user, known

    def courses(self) -> list[str]:
        """Return the courses that the user is in."""
        return [course for course in self.known if self.user == OPERATOR or self.user in self.members(course)]

    def people(self, course: str, role: Role) -> list[str]:
        """Return the login names of a role; students are listed for instructors only."""
        self._allow(course, instructors_only=role == "student")
        return sorted(name for name, has in self.members(course).items() if has == role)

    def labs(self, course: str) -> list[str]:
        """Return the released labs."""
        self._allow(course)
        return self.store.labs(course)

    def released(self, course: str, lab: str) -> Mapping[str, bytes]:
        """Return the files of a released lab."""
        self._allow(course)
        tree = self.store.released(course, lab)
        if tree is None:
            known = ", ".join(self.store.labs(course)) or "none yet"
            raise RefusedError(404, f"Assignment not found: {lab}", next_step=f"released labs: {known}")
        return tree

    def release(self, course: str, lab: str, tree: Tree, *, force: bool) -> None:
        """Release a lab to the students; with ``force``, in place of an earlier release."""
        self._allow(course, instructors_only=True)
        if not force and lab in self.store.labs(course):
            raise RefusedError(409, f"Assignment already exists: {lab}")
        self.store.release(course, lab, check_tree(tree))

    def withdraw(self, course: str, lab: str) -> None:
        """Take a lab back; what was submitted stays."""
        self._allow(course, instructors_only=True)
        if not self.store.withdraw(course, lab):
            raise RefusedError(404, f"Assignment not found: {lab}")

    def submit(self, course: str, lab: str, tree: Tree) -> Receipt:
        """Hand in a lab, as oneself, now."""
        self._allow(course)
        if self.user == OPERATOR:
            raise RefusedError(403, "only a member of the course can submit")
        if lab not in self.store.labs(course):
            raise RefusedError(404, f"Assignment not found: {lab}")
        if not is_open(self.store, course, lab, self.user):
            step = "ask your instructor, who can open it again"
            raise RefusedError(403, f"{lab} is closed: it takes no more submissions", next_step=step)
        sent = check_tree(tree)
        plain = {path: data for path, data in sent.items() if path.split("/")[0] not in _THE_SERVERS}
        if not plain:
            raise RefusedError(400, "there is nothing in the folder to submit")
        return self.store.submit(course, lab, self.user, plain)

    def set_open(self, course: str, lab: str, student: str | None, is_open: bool) -> None:
        """Open or close a lab for a student, or for everybody (None)."""
        self._allow(course, instructors_only=True)
        set_open(self.store, course, lab, student, is_open)

    def open_for(self, course: str, lab: str, student: str) -> bool:
        """Return whether a lab takes a student's submissions."""
        self._allow(course, own=student)
        return is_open(self.store, course, lab, student)

    def receipts(self, course: str, lab: str, student: str | None = None) -> list[Receipt]:
        """Return the receipts of a lab, oldest first; everybody's for instructors."""
        self._allow(course, own=student)
        return self.store.receipts(course, lab, student)

    def submission(
        self, course: str, lab: str, student: str, timestamp: str | None = None
    ) -> tuple[Receipt, Mapping[str, bytes]]:
        """Return a submission with its files: the newest, or the one of a time."""
        self._allow(course, own=student)
        found = self.store.submission(course, lab, student, timestamp)
        if found is None:
            raise RefusedError(404, "Submission not found")
        return found

    def feedback(self, course: str, lab: str, student: str, timestamp: str) -> Mapping[str, bytes]:
        """Return the feedback on a submission; none yet is an empty folder."""
        self._allow(course, own=student)
        return self.store.feedback(course, lab, student, timestamp)

    def give_feedback(self, course: str, lab: str, student: str, timestamp: str, tree: Tree) -> None:
        """Give the feedback on a submission, in place of earlier."""
        self._allow(course, instructors_only=True)
        if not self.store.give_feedback(course, lab, student, timestamp, check_tree(tree)):
            raise RefusedError(404, "Submission not found")

    def given_feedback(self, course: str, lab: str) -> set[str]:
        """Return the students who can fetch feedback on a lab."""
        self._allow(course, instructors_only=True)
        return self.store.given_feedback(course, lab)

    def _allow(self, course: str, *, own: str | None = "", instructors_only: bool = False) -> None:
        """Let members in; ``own`` is the student whom it is about, None for everybody."""
        if course not in self.known:
            raise RefusedError(404, f"Course not found: {course[:64]}")
        if self.user == OPERATOR:
            return
        role = self.members(course).get(self.user)
        if role == "instructor":
            return
        if role is None or instructors_only or (own != "" and own != self.user):
            raise RefusedError(403, "Permission denied")
