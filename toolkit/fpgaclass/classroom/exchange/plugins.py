"""nbgrader's seven steps of an exchange, over `Desk` or `Client`; its configuration names them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.exchange import ExchangeError, abc
from nbgrader.utils import ignore_patterns
from traitlets import Bool, Unicode

from fpgaclass.classroom.exchange.desk import Exchange
from fpgaclass.classroom.exchange.errors import RefusedError
from fpgaclass.classroom.exchange.opening import open_exchange
from fpgaclass.classroom.exchange.store import Receipt
from fpgaclass.classroom.exchange.trees import read_tree, write_tree


class HubExchange(abc.Exchange):  # type: ignore[misc]
    """What the steps have in common.

    A step's work is `work`; what the exchange refuses becomes nbgrader's own error, with the reason.
    """

    url = Unicode(help="Where the exchange is: the API's http(s) address, or a class's folder.").tag(
        config=True
    )
    path_includes_course = Bool(False, help="Whether labs lie in a folder of their course.").tag(config=True)

    @cached_property
    def exchange(self) -> Exchange:
        """The exchange."""
        return open_exchange(self.url or os.environ.get("FPGACLASS_EXCHANGE", ""))

    @property
    def course(self) -> str:
        """The course's name."""
        if not self.coursedir.course_id:
            self.fail("No course id specified. Re-run with --course flag.")
        return str(self.coursedir.course_id)

    @property
    def lab(self) -> str:
        """The lab's name."""
        return Path(str(self.coursedir.assignment_id)).name

    def folder(self, lab: str, course: str = "") -> Path:
        """Return the student's folder of a lab."""
        parts = [course or self.course] if self.path_includes_course else []
        return Path(self.assignment_dir).joinpath(*parts, lab).absolute()

    def place(self, pattern: str, student: str) -> Path:
        """Return one of nbgrader's folders of a submission, such as ``submitted``."""
        return Path(self.coursedir.format_path(pattern, student, self.lab))

    def read(self, folder: Path) -> dict[str, bytes]:
        """Return a folder's files, without what nbgrader is configured to leave out."""
        leave_out = ignore_patterns(
            exclude=self.coursedir.ignore,
            include=self.coursedir.include,
            max_file_size=self.coursedir.max_file_size,
            log=self.log,
        )
        return read_tree(folder, leave_out)

    def start(self) -> Any:
        """Do the step."""
        try:
            return self.work()
        except RefusedError as refused:
            self.fail(str(refused))

    def work(self) -> Any:
        """Do the step; overridden."""
        raise NotImplementedError


class FetchAssignment(HubExchange, abc.ExchangeFetchAssignment):  # type: ignore[misc]
    """Fetch a lab into the student's home."""

    def work(self) -> None:
        """Write the lab's files; with ``replace_missing_files``, those that are not there."""
        folder = self.folder(self.lab)
        if folder.exists() and not self.replace_missing_files:
            self.fail(f"You already have a copy of the assignment in this directory: {folder.name}")
        write_tree(self.exchange.released(self.course, self.lab), folder, keep=True)
        self.log.info("Fetched as: %s %s", self.course, self.lab)


class Submit(HubExchange, abc.ExchangeSubmit):  # type: ignore[misc]
    """Hand a lab in."""

    def work(self) -> Receipt:
        """Send the folder, and say when it arrived."""
        folder = self.folder(self.lab)
        if not folder.is_dir():
            raise ExchangeError(f"Assignment not found at: {folder}")
        tree = self.read(folder)
        self._compare(tree, self.exchange.released(self.course, self.lab))
        receipt = self.exchange.submit(self.course, self.lab, tree)
        self.log.info("Submitted as: %s %s %s", receipt.course, receipt.lab, receipt.timestamp)
        self.log.info("Receipt: %s, sealed %s", receipt.digest, receipt.seal)
        return receipt

    def _compare(self, tree: Mapping[str, bytes], released: Mapping[str, bytes]) -> None:
        missing = sorted(name for name in released if name.endswith(".ipynb") and name not in tree)
        if missing:
            text = f"Assignment {self.lab}: missing notebooks: {', '.join(missing)}"
            if self.strict:
                self.fail(f"{text}; not submitted. Give the notebook its first name again, or fetch it anew.")
            self.log.warning(text)


class FetchFeedback(HubExchange, abc.ExchangeFetchFeedback):  # type: ignore[misc]
    """Fetch the feedback on all own submissions of a lab."""

    def work(self) -> None:
        """Write each page below ``feedback/<time of submission>``."""
        user = self.exchange.user
        for receipt in self.exchange.receipts(self.course, self.lab, user):
            tree = self.exchange.feedback(self.course, self.lab, user, receipt.timestamp)
            if tree:
                write_tree(tree, self.folder(self.lab) / "feedback" / receipt.timestamp)
                self.log.info("Fetched feedback: %s %s", self.lab, receipt.timestamp)


class ReleaseAssignment(HubExchange, abc.ExchangeReleaseAssignment):  # type: ignore[misc]
    """Release a lab to all students."""

    def work(self) -> None:
        """Send the students' version."""
        folder = self.place(self.coursedir.release_directory, ".")
        if not folder.is_dir():
            raise ExchangeError(
                f"Assignment not found at: {folder}; run `nbgrader generate_assignment` first."
            )
        self.exchange.release(self.course, self.lab, self.read(folder), force=self.force)
        self.log.info("Released as: %s %s", self.course, self.lab)


class Collect(HubExchange, abc.ExchangeCollect):  # type: ignore[misc]
    """Bring each student's newest submission into the course folder."""

    def work(self) -> None:
        """Write what is newer than what is there; one student's trouble stops nobody else."""
        wanted = self.coursedir.student_id if self.coursedir.student_id not in ("", "*") else None
        newest: dict[str, list[Receipt]] = {}
        for receipt in self.exchange.receipts(self.course, self.lab, wanted):
            newest.setdefault(receipt.student, []).append(receipt)
        due = self._due() if self.before_duedate else None
        for student, receipts in newest.items():
            in_time = [receipt for receipt in receipts if due is None or receipt.when <= due]
            try:
                self._take((in_time or receipts)[-1])
            except (RefusedError, OSError) as trouble:
                self.log.error("%s: the submission was not collected: %s", student, trouble)
        self.log.info("Processed %d submissions of %s", len(newest), self.lab)

    def _take(self, receipt: Receipt) -> None:
        target = self.place(self.coursedir.submitted_directory, receipt.student)
        there = self.coursedir.get_existing_timestamp(str(target)) if target.is_dir() else None
        if target.is_dir():
            known = there.astimezone(UTC).replace(tzinfo=None) if there and there.tzinfo else there
            newer = known is None or receipt.when > known
            if not ((self.update and newer) or (self.before_duedate and receipt.when != known)):
                return
        _, tree = self.exchange.submission(self.course, self.lab, receipt.student, receipt.timestamp)
        scratch = target.with_name(f".{target.name}.new")
        shutil.rmtree(scratch, ignore_errors=True)
        write_tree({**tree, "timestamp.txt": receipt.timestamp.encode()}, scratch)
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)

    def _due(self) -> datetime | None:
        with Gradebook(self.coursedir.db_url, self.course) as gradebook:
            try:
                due: datetime | None = gradebook.find_assignment(self.lab).duedate
                return due
            except MissingEntry:
                return None


class ReleaseFeedback(HubExchange, abc.ExchangeReleaseFeedback):  # type: ignore[misc]
    """Give the feedback pages back."""

    def work(self) -> None:
        """Send each student's pages, on the submission that was graded."""
        left_out = set(str(self.coursedir.student_id_exclude or "").split(","))
        wanted = self.coursedir.student_id or "*"
        pattern = self.place(self.coursedir.feedback_directory, wanted)
        for folder in sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))):
            student = folder.parent.name
            pages = {path.name: path.read_bytes() for path in sorted(folder.glob("*.html"))}
            if student in left_out or not pages:
                continue
            try:
                self.exchange.give_feedback(self.course, self.lab, student, self._graded(student), pages)
            except (RefusedError, OSError) as trouble:
                self.log.warning("%s: no feedback released: %s", student, trouble)

    def _graded(self, student: str) -> str:
        """Return the time of the submission that the feedback is on."""
        for kind in (self.coursedir.autograded_directory, self.coursedir.submitted_directory):
            stamp = self.place(kind, student) / "timestamp.txt"
            if stamp.is_file():
                return stamp.read_text().strip()
        raise OSError("there is no submission to give it on")


class List(HubExchange, abc.ExchangeList):  # type: ignore[misc]
    """List labs, or submissions; withdraw labs."""

    def work(self) -> list[dict[str, Any]]:
        """Return what nbgrader's lists show."""
        if self.inbound and self.cached:
            self.fail("Options --inbound and --cached are incompatible.")
        wanted = self.coursedir.course_id
        courses = [wanted] if wanted and wanted != "*" else self.exchange.courses()
        labs = [(course, lab) for course in courses for lab in self.exchange.labs(course)]
        if self.coursedir.assignment_id:
            labs = [(course, lab) for course, lab in labs if lab == self.lab]
        if self.inbound or self.cached:
            return [entry for course, lab in labs for entry in self._submitted(course, lab)]
        return [self._released(course, lab) for course, lab in labs]

    def _released(self, course: str, lab: str) -> dict[str, Any]:
        folder = self.folder(lab, course)
        entry: dict[str, Any] = {"course_id": course, "assignment_id": lab, "path": str(folder)}
        if self.remove:
            self.exchange.withdraw(course, lab)
            return {**entry, "status": "removed", "notebooks": []}
        if folder.is_dir():
            notebooks = [
                {"notebook_id": path.stem, "path": str(path)} for path in sorted(folder.glob("*.ipynb"))
            ]
            return {**entry, "status": "fetched", "notebooks": notebooks}
        names = [Path(name) for name in self.exchange.released(course, lab) if name.endswith(".ipynb")]
        notebooks = [{"notebook_id": name.stem, "path": str(folder / name)} for name in names]
        return {**entry, "status": "released", "notebooks": notebooks}

    def _submitted(self, course: str, lab: str) -> list[dict[str, Any]]:
        if self.remove:
            self.fail("Submissions are kept: they are what a mark is about.")
        student = self.exchange.user if self.cached else None
        entries: dict[str, dict[str, Any]] = {}
        for receipt in self.exchange.receipts(course, lab, student):
            head = {"course_id": course, "assignment_id": lab, "student_id": receipt.student}
            entry = entries.setdefault(receipt.student, {**head, "status": "submitted", "submissions": []})
            entry["submissions"].append({**head, **self._submission(receipt)})
        return list(entries.values())

    def _submission(self, receipt: Receipt) -> dict[str, Any]:
        there = self.exchange.feedback(receipt.course, receipt.lab, receipt.student, receipt.timestamp)
        folder = self.folder(receipt.lab, receipt.course) / "feedback" / receipt.timestamp
        here = {path.name: path.read_bytes() for path in folder.glob("*.html")} if folder.is_dir() else {}
        names = sorted({*there, *here}) or [f"{receipt.lab}.html"]
        notebooks = []
        for name in names:
            notebooks.append(
                {
                    "notebook_id": Path(name).stem,
                    "has_local_feedback": name in here,
                    "has_exchange_feedback": name in there,
                    "local_feedback_path": str(folder / name) if name in here else None,
                    "feedback_updated": name in here
                    and name in there
                    and _md5(here[name]) != _md5(there[name]),
                }
            )
        return {
            "timestamp": receipt.timestamp,
            "status": "submitted",
            "path": str(folder),
            "notebooks": notebooks,
            "has_local_feedback": all(notebook["has_local_feedback"] for notebook in notebooks),
            "has_exchange_feedback": all(notebook["has_exchange_feedback"] for notebook in notebooks),
            "feedback_updated": any(notebook["feedback_updated"] for notebook in notebooks),
            "local_feedback_path": str(folder) if here else None,
            "receipt": receipt.as_dict(),
        }


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
