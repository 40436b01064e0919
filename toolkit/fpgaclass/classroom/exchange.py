"""nbgrader's folder exchange with a box for each student; docs/decisions/classroom_exchange.md tells why.

Students run nbgrader's own fetch, submit and fetch-feedback: their jail shows ``inbound`` and ``feedback`` as
ordinary folders, which are the student's own boxes. The instructor's half, in this module, reads the boxes,
and takes the name of the submitter from the box, never from what was written into it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.exchange.default import (
    ExchangeCollect,
    ExchangeReleaseAssignment,
    ExchangeReleaseFeedback,
)
from nbgrader.utils import ignore_patterns, parse_utc

MAX_FILES = 2000
"""A submission with more files than this is refused."""


class BoxRelease(ExchangeReleaseAssignment):  # type: ignore[misc]
    """Release a lab to all students; the boxes are made with the roster, not here."""

    def ensure_root(self) -> None:
        """Make the exchange folder; nobody but its owner writes there."""
        Path(self.root).mkdir(parents=True, exist_ok=True)

    def init_dest(self) -> None:
        """Make the way to ``outbound``, without nbgrader's folder that everybody may write."""
        course = Path(self.root) / self.coursedir.course_id
        (course / "outbound").mkdir(parents=True, exist_ok=True)
        self.dest_path = str(course / "outbound" / self.coursedir.assignment_id)


class BoxCollect(ExchangeCollect):  # type: ignore[misc]
    """Collect each student's newest submission from the box that only they can write."""

    def init_src(self) -> None:
        """Find the submissions; one that names another student than its box is left out and logged."""
        boxes = Path(self.root) / self.coursedir.course_id / "inbound"
        self.inbound_path = str(boxes)
        if not boxes.is_dir():
            self.fail(f"Course not found: {boxes}")
        wanted = self.coursedir.student_id or "*"
        duedate = self._duedate()
        self.src_records = []
        for box in sorted(boxes.glob(wanted)):
            records = [record for record in map(self._record, sorted(box.iterdir())) if record]
            records.sort(key=lambda record: record["timestamp"])
            in_time = [r for r in records if duedate is None or r["timestamp"] <= duedate]
            chosen = in_time if self.before_duedate and in_time else records
            self.src_records += chosen[-1:]

    def ensure_root(self) -> None:
        """Collecting reads; what is missing shows in `init_src`."""

    def _duedate(self) -> Any:
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            try:
                return gradebook.find_assignment(self.coursedir.assignment_id).duedate
            except MissingEntry:
                return None

    def _record(self, path: Path) -> dict[str, Any] | None:
        parts = path.name.rsplit("+", 3)
        if len(parts) < 3 or parts[1] != self.coursedir.assignment_id or path.is_symlink():
            return None
        student = path.parent.name
        if parts[0] != student:
            self.log.warning("%s: a submission that says it is from %s, left out", student, parts[0])
            return None
        try:
            timestamp = parse_utc(parts[2])
        except ValueError:
            self.log.warning("%s: a submission without a time, left out: %s", student, path.name)
            return None
        changed = path.stat().st_ctime
        if changed - timestamp.timestamp() > 300:
            self.log.warning("%s: %s was changed after the time it bears", student, path.name)
        return {"username": student, "filename": f"{student}/{path.name}", "timestamp": timestamp}

    def do_copy(self, src: str, dest: str, log: Any = None) -> None:
        """Copy plain files only: a link would make us read, as the instructor, what the student cannot.

        A submission that is refused stops nobody else's.
        """
        ignore = ignore_patterns(
            exclude=self.coursedir.ignore,
            include=self.coursedir.include,
            max_file_size=self.coursedir.max_file_size,
            log=log or self.log,
        )
        try:
            copy_plain(Path(src), Path(dest), 1000 * self.coursedir.max_dir_size, ignore)
        except OSError as trouble:
            shutil.rmtree(dest, ignore_errors=True)
            self.log.error("%s: the submission was not collected: %s", Path(src).parent.name, trouble)


class BoxReleaseFeedback(ExchangeReleaseFeedback):  # type: ignore[misc]
    """Release feedback into each student's own box."""

    def ensure_root(self) -> None:
        """The boxes are made with the roster."""

    src_path: str

    def init_dest(self) -> None:
        """Find the boxes."""
        self.boxes = Path(self.root) / self.coursedir.course_id / "feedback"

    def copy_files(self) -> None:
        """Release for one student after the other; one without a submission's secret stops nobody else."""
        whole, lab = Path(self.src_path).parent, Path(self.src_path).name
        for folder in sorted(whole.parent.glob(f"{whole.name}/{lab}")):
            student = folder.parent.name
            self.src_path, self.dest_path = str(folder), str(self.boxes / student)
            if not (self.boxes / student).is_dir():
                self.log.warning("%s is not in the class, no feedback released", student)
                continue
            try:
                super().copy_files()
            except OSError as trouble:
                self.log.warning("%s: no feedback released: %s", student, trouble)


def copy_plain(
    source: Path, target: Path, most_bytes: int, ignore: Callable[[str, list[str]], Iterable[str]]
) -> None:
    """Copy a folder that somebody else can still write: plain files and folders, no links, nothing special.

    Args:
        source: the folder.
        target: where it goes; must not exist.
        most_bytes: how much is copied at most.
        ignore: tells which names of a folder to leave out, as `shutil.copytree` asks.

    Raises:
        OSError: there is a link or a special file, or more than the limits allow.
    """
    left, files = most_bytes, 0
    for folder, folders, names, handle in os.fwalk(source, follow_symlinks=False):
        relative = Path(folder).relative_to(source)
        left_out = set(ignore(folder, [*folders, *names]))
        folders[:] = sorted(set(folders) - left_out)
        (target / relative).mkdir(parents=True)
        for name in sorted(set(names) - left_out):
            files += 1
            if files > MAX_FILES:
                raise OSError(f"more than {MAX_FILES} files were submitted")
            data = _read_plain(name, handle, left, str(relative / name))
            left -= len(data)
            if left < 0:
                raise OSError(f"more than {most_bytes // 10**6} MB were submitted")
            (target / relative / name).write_bytes(data)


def _read_plain(name: str, folder: int, most_bytes: int, shown: str) -> bytes:
    """Return a file's bytes, one more than allowed at most; never through a link."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as trouble:
        if trouble.errno == errno.ELOOP:
            raise OSError(f"{shown} is a link; only plain files can be submitted") from trouble
        raise
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{shown} is not a plain file")
        return file.read(most_bytes + 1)
