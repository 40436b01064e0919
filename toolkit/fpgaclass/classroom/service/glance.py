"""The class at a glance: who is where, who is stuck, what came in, what has been graded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from fpgaclass.classroom.exchange import Desk, Receipt
from fpgaclass.classroom.exchange.doors import EVERYBODY, open_for
from fpgaclass.classroom.gradebook.contest import Board, read_boards
from fpgaclass.classroom.gradebook.gradebook import gradebook_url
from fpgaclass.classroom.gradebook.lateness import Grants, granted, read_extensions
from fpgaclass.classroom.hub.hosted import way_to_labs
from fpgaclass.classroom.layout import Layout
from fpgaclass.classroom.nbgrader_course import Mark, read_marks
from fpgaclass.classroom.service.cards import NO_CARDS, Cards, see_cards
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
        late: True if that came after the student's own deadline.
        times: how often they submitted.
        mark: the mark, or None.
        due: the student's own deadline, UTC: the lab's, with their extension; or None.
        is_open: whether the lab takes their submissions.
    """

    student: str
    cells: tuple[CellState, ...]
    saved: datetime | None
    submitted: Receipt | None
    late: bool
    times: int
    mark: Mark | None
    due: datetime | None = None
    is_open: bool = True

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

    @property
    def waits(self) -> bool:
        """Whether what was handed in last has not been graded."""
        if self.submitted is None:
            return False
        marked = self.mark.submitted if self.mark and self.graded else None
        return marked is None or self.submitted.when_utc > marked


@dataclass(frozen=True)
class LabView:
    """A lab in the class.

    Attributes:
        name: the lab's name.
        checks: its checks.
        due: the deadline, UTC, or None.
        rows: a row for each student.
        boards: the leaderboards of a contest lab; names of others than those looked at are left out.
    """

    name: str
    checks: tuple[Check, ...]
    due: datetime | None
    rows: tuple[Row, ...]
    boards: tuple[Board, ...] = ()

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
    def by_hand(self) -> int:
        """How many graded submissions wait for a person."""
        return sum(row.mark is not None and row.mark.status == "needs a person" for row in self.rows)

    @property
    def ungraded(self) -> int:
        """How many submissions have no mark yet, or came after it was given."""
        return sum(row.waits for row in self.rows)

    @property
    def is_open(self) -> bool:
        """Whether it takes submissions of anybody."""
        return any(row.is_open for row in self.rows)

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
        cards: the cards that the class shares, where it was asked for them.
    """

    title: str
    timezone: str
    at: datetime
    labs: tuple[LabView, ...]
    cards: Cards = NO_CARDS


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

    def look(self, students: tuple[str, ...], now: datetime | None = None, *, cards: bool = False) -> Glance:
        """Return the class as it is now.

        Args:
            students: whom to look at.
            now: the time, UTC; the clock's without it.
            cards: look at the cards, too, and who holds them.
        """
        now = now or datetime.now(UTC)
        course = Course.load(self.path)
        known = {entry.name for entry in course.labs}
        names = [name for name in self.desk.labs(self.layout.course_id) if name in known]
        book = self._book(names, students)
        labs = tuple(self._lab(course, name, students, book, now) for name in names)
        return Glance(course.title, course.timezone, now, labs, see_cards(course) if cards else NO_CARDS)

    def _lab(
        self,
        course: Course,
        lab: str,
        students: tuple[str, ...],
        book: _Book,
        now: datetime,
    ) -> LabView:
        files = self.desk.released(self.layout.course_id, lab)
        checks = checks_of(files.get(f"{lab}.ipynb", b'{"cells": []}'))
        due = course.deadline(lab)
        receipts: dict[str, list[Receipt]] = {}
        for receipt in self.desk.receipts(self.layout.course_id, lab):
            receipts.setdefault(receipt.student, []).append(receipt)
        rows = []
        doors = open_for(self.desk.store, self.layout.course_id, lab)
        for student in students:
            saved = read_saved(self.layout.home(student), lab, checks, way_to_labs(self.layout, student))
            cells = self._cells(student, lab, checks, saved, now)
            own = receipts.get(student, [])
            last = own[-1] if own else None
            mine = due + (granted(book.grants.get(lab, {}), student) or timedelta()) if due else None
            rows.append(
                Row(
                    student=student,
                    cells=cells,
                    saved=saved.at if saved else None,
                    submitted=last,
                    late=bool(last and mine and last.when_utc > mine),
                    times=len(own),
                    mark=book.marks.get((student, lab)),
                    due=mine,
                    is_open=doors.get(student, doors[EVERYBODY]),
                )
            )
        boards = tuple(_without_others(board, students) for board in book.boards.get(lab, ()))
        return LabView(lab, checks, due, tuple(rows), boards)

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

    def _book(self, labs: list[str], students: tuple[str, ...]) -> _Book:
        url, course = gradebook_url(self.layout.course), self.layout.course_id
        if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
            return _Book({}, {}, {})
        found = read_marks(self.layout, labs, students)
        marks = {(mark.student, mark.lab): mark for mark in found if mark.score is not None}
        return _Book(marks, read_extensions(url, course, labs), read_boards(url, course, labs))


@dataclass(frozen=True)
class _Book:
    """What the gradebook says: marks, extensions and leaderboards."""

    marks: Mapping[tuple[str, str], Mark]
    grants: Mapping[str, Grants]
    boards: Mapping[str, tuple[Board, ...]]


def _without_others(board: Board, students: tuple[str, ...]) -> Board:
    places = (place if place.student in students else replace(place, student="") for place in board.places)
    return replace(board, places=tuple(places))
