"""The class at a glance: who is where, who is stuck, what came in, what has been graded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from fpgaclass.classroom.exchange import Desk, Receipt
from fpgaclass.classroom.layout import Layout
from fpgaclass.classroom.nbgrader_course import Mark, read_marks
from fpgaclass.classroom.service.saved import Check, Saved, checks_of, read_saved
from fpgaclass.course import Course

STUCK_AFTER = timedelta(minutes=10)
"""A check that fails for so long, while its student goes on saving, is where they are stuck."""

CellState = Literal["untouched", "passed", "failing", "stuck"]


@dataclass(frozen=True)
class Row:
    """A student in one lab.

    Attributes:
        student: the login name.
        cells: the state of each check, in the lab's order, as the student's saved notebook has it.
        saved: when they last saved, UTC; None before they fetched it.
        submitted: the newest receipt, or None.
        late: True if that came after the deadline.
        times: how often they submitted.
        mark: the mark, or None.
    """

    student: str
    cells: tuple[CellState, ...]
    saved: datetime | None
    submitted: Receipt | None
    late: bool
    times: int
    mark: Mark | None

    @property
    def passed(self) -> int:
        """How many checks pass."""
        return self.cells.count("passed")

    @property
    def stuck(self) -> bool:
        """Whether they are stuck somewhere."""
        return "stuck" in self.cells

    @property
    def graded(self) -> bool:
        """Whether there is a mark."""
        return self.mark is not None and self.mark.score is not None


@dataclass(frozen=True)
class LabView:
    """A lab in the class.

    Attributes:
        name: the lab's name.
        checks: its checks.
        due: the deadline, UTC, or None.
        rows: a row for each student.
    """

    name: str
    checks: tuple[Check, ...]
    due: datetime | None
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """The name for people."""
        number, _, words = self.name.partition("_")
        return f"{number} {words.replace('_', ' ')}".strip()

    @property
    def submitted(self) -> int:
        """How many students submitted."""
        return sum(row.submitted is not None for row in self.rows)

    @property
    def graded(self) -> int:
        """How many students have a mark."""
        return sum(row.graded for row in self.rows)

    @property
    def stuck(self) -> tuple[str, ...]:
        """Who is stuck."""
        return tuple(row.student for row in self.rows if row.stuck)

    def hardest(self) -> Check | None:
        """Return the check at which most students fail now, if any does."""
        failing = [
            sum(row.cells[i] in ("failing", "stuck") for row in self.rows) for i in range(len(self.checks))
        ]
        return self.checks[failing.index(max(failing))] if any(failing) else None


@dataclass(frozen=True)
class Glance:
    """The class at one moment.

    Attributes:
        title: of the course.
        timezone: of the course.
        at: the moment, UTC.
        labs: the released labs.
    """

    title: str
    timezone: str
    at: datetime
    labs: tuple[LabView, ...]


class Watcher:
    """Looks at a class again and again, and remembers since when a check fails.

    Args:
        layout: the class.
        course: the path of its course.yaml.
        desk: the exchange, as its operator.
    """

    def __init__(self, layout: Layout, course: Path, desk: Desk) -> None:
        self.layout, self.path, self.desk = layout, course, desk
        self._failing_since: dict[tuple[str, str, str], datetime] = {}

    def look(self, students: tuple[str, ...], now: datetime | None = None) -> Glance:
        """Return the class as it is now.

        Args:
            students: whom to look at.
            now: the time, UTC; the clock's without it.
        """
        now = now or datetime.now(UTC)
        course = Course.load(self.path)
        known = {entry.name for entry in course.labs}
        names = [name for name in self.desk.labs(self.layout.course_id) if name in known]
        marks = self._marks(names, students)
        labs = tuple(self._lab(course, name, students, marks, now) for name in names)
        return Glance(course.title, course.timezone, now, labs)

    def _lab(
        self,
        course: Course,
        lab: str,
        students: tuple[str, ...],
        marks: Mapping[tuple[str, str], Mark],
        now: datetime,
    ) -> LabView:
        files = self.desk.released(self.layout.course_id, lab)
        checks = checks_of(files.get(f"{lab}.ipynb", b'{"cells": []}'))
        due = course.deadline(lab)
        receipts: dict[str, list[Receipt]] = {}
        for receipt in self.desk.receipts(self.layout.course_id, lab):
            receipts.setdefault(receipt.student, []).append(receipt)
        rows = []
        for student in students:
            saved = read_saved(self.layout.home(student), lab, checks)
            cells = self._cells(student, lab, checks, saved, now)
            own = receipts.get(student, [])
            last = own[-1] if own else None
            late = bool(last and due and last.when_utc > due)
            mark = marks.get((student, lab))
            rows.append(Row(student, cells, saved.at if saved else None, last, late, len(own), mark))
        return LabView(lab, checks, due, tuple(rows))

    def _cells(
        self, student: str, lab: str, checks: tuple[Check, ...], saved: Saved | None, now: datetime
    ) -> tuple[CellState, ...]:
        """Return the states, with the first check that fails for long, and is worked at, marked as stuck."""
        cells: list[CellState] = [saved.states[check.name] if saved else "untouched" for check in checks]
        for check, state in zip(checks, cells, strict=True):
            key = (student, lab, check.name)
            if state != "failing":
                self._failing_since.pop(key, None)
            elif saved:
                self._failing_since.setdefault(key, min(saved.at, now))
        working = saved is not None and now - saved.at < 3 * STUCK_AFTER
        for place, check in enumerate(checks):
            since = self._failing_since.get((student, lab, check.name))
            if working and since and now - since >= STUCK_AFTER:
                cells[place] = "stuck"
                break
        return tuple(cells)

    def _marks(self, labs: list[str], students: tuple[str, ...]) -> dict[tuple[str, str], Mark]:
        if not (self.layout.course / "gradebook.db").is_file():
            return {}
        found = read_marks(self.layout, labs, students)
        return {(mark.student, mark.lab): mark for mark in found if mark.score is not None}
