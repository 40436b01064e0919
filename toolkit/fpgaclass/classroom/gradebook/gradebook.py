"""nbgrader's gradebook, written by one writer, each submission whole or not at all.

The tables are nbgrader's own (0.9), on SQLite or PostgreSQL. One of ours stands beside them and is written in
the same transaction: which submission was graded, with which release and which environment. That is what
makes grading resumable: a kill at any point leaves a submission graded, or as it was.
"""

from __future__ import annotations

import os
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from fpgaclass.classroom.gradebook import tables
from fpgaclass.classroom.gradebook.contest import write_figures
from fpgaclass.classroom.gradebook.database import URL_VARIABLE, in_use, open_engine
from fpgaclass.classroom.gradebook.lateness import Late, granted, read_grants, settle, write_grant
from fpgaclass.classroom.gradebook.points import new_notebook, write_points
from fpgaclass.core import ClassroomError
from fpgaclass.course import LatePolicy
from fpgaclass.engine import SourceCell


def gradebook_url(course: Path) -> str:
    """Return where the gradebook of a course folder is."""
    return os.environ.get(URL_VARIABLE) or f"sqlite:///{course / 'gradebook.db'}"


@dataclass(frozen=True)
class Graded:
    """What the ledger says of a submission.

    Attributes:
        digest: of the submission, the release and the environment that it was graded with.
        note: what the instructor should know.
        times: how often it was graded.
    """

    digest: str
    note: str
    times: int


@dataclass(frozen=True)
class Entry:
    """A submission whose marks are to be written.

    Attributes:
        student: the login name.
        submitted: when, in UTC without a zone.
        notebooks: name -> the executed notebook; one that is missing gets no points.
        late: what lateness costs.
        digest: of what was graded.
        note: what the instructor should know.
    """

    student: str
    submitted: datetime | None
    notebooks: Mapping[str, dict[str, Any]]
    late: LatePolicy
    digest: str
    note: str


class Writer:
    """The one writer of a lab's marks.

    Args:
        url: the gradebook.
        course_id: nbgrader's name of the course.
        lab: the lab's name.

    Raises:
        ClassroomError: the gradebook cannot be opened, or does not know the lab.
    """

    def __init__(self, url: str, course_id: str, lab: str) -> None:
        self._course, self._lab = course_id, lab
        self._engine = open_engine(url)
        with in_use(self._engine), self._engine.begin() as db:
            tables.ledger.metadata.create_all(db)
            self._read_lab(db)

    def _read_lab(self, db: Any) -> None:
        row = db.execute(
            sql.select(tables.assignment.c.id, tables.assignment.c.duedate).where(
                tables.assignment.c.name == self._lab
            )
        ).first()
        if row is None:
            raise ClassroomError(f"the gradebook does not know {self._lab}", next_step="release it first")
        self._assignment, self.due = row
        found = db.execute(
            sql.select(tables.notebook.c.name, tables.notebook.c.id).where(
                tables.notebook.c.assignment_id == self._assignment
            )
        )
        self._notebooks: dict[str, str] = {str(name): str(number) for name, number in found}
        self._cells: dict[str, list[tuple[str, str, str]]] = {name: [] for name in self._notebooks}
        names = {number: name for name, number in self._notebooks.items()}
        cells = sql.select(tables.base_cell).where(tables.base_cell.c.notebook_id.in_(names))
        for row in db.execute(cells):
            self._cells[names[row.notebook_id]].append((row.id, row.name, row.type))
        self._known = set(db.scalars(sql.select(tables.student.c.id)))
        self._grants = read_grants(db, self._course, self._lab)

    @property
    def notebooks(self) -> tuple[str, ...]:
        """The names of the lab's notebooks."""
        return tuple(sorted(self._notebooks))

    def sources(self, notebook: str) -> dict[str, SourceCell]:
        """Return the cells of a notebook as they were released, by their name."""
        chosen = sql.select(tables.source_cell).where(
            tables.source_cell.c.notebook_id == self._notebooks[notebook]
        )
        with in_use(self._engine), self._engine.connect() as db:
            return {
                row.name: SourceCell(row.name, row.cell_type, bool(row.locked), row.source, row.checksum)
                for row in db.execute(chosen)
            }

    def ensure_due(self, due: datetime | None) -> None:
        """Have the lab's deadline (UTC, without a zone) be this one."""
        if due == self.due:
            return
        mine = tables.assignment.c.id == self._assignment
        with in_use(self._engine), self._engine.begin() as db:
            db.execute(sql.update(tables.assignment).where(mine).values(duedate=due))
        self.due = due

    def extend(self, student: str, by: timedelta) -> None:
        """Give a student, or `EVERYBODY`, more time for the lab, from its deadline on; zero takes it back."""
        with in_use(self._engine), self._engine.begin() as db:
            write_grant(db, self._course, self._lab, student, by)
        self._grants[student] = by

    def extension(self, student: str) -> timedelta:
        """Return how much more time a student has."""
        return granted(self._grants, student) or timedelta()

    def settle(self, late: Late, student: str | None = None) -> tuple[str, ...]:
        """Make the penalties follow the extensions and the rules; return the students whose penalty changed.

        Raises:
            ClassroomError: the gradebook cannot be written.
        """
        only = None if student is None else (student,)
        with in_use(self._engine), self._engine.begin() as db:
            return settle(db, self._assignment, self.due, self._grants, late, only=only)

    def graded(self) -> dict[str, Graded]:
        """Return what the ledger says of the lab: student -> what was graded."""
        here = (tables.ledger.c.course == self._course) & (tables.ledger.c.lab == self._lab)
        chosen = sql.select(tables.ledger).where(here)
        with in_use(self._engine), self._engine.connect() as db:
            return {row.student: Graded(row.digest, row.note, row.times) for row in db.execute(chosen)}

    def write(self, entries: Sequence[Entry]) -> None:
        """Write the marks of some submissions, and that they were graded, in one transaction.

        Raises:
            ClassroomError: the gradebook cannot be written; none of them was.
        """
        with in_use(self._engine), self._engine.begin() as db:
            for entry in entries:
                self._write(db, entry)
                self._tick(db, entry.student, entry.digest, entry.note)

    def _write(self, db: Any, entry: Entry) -> None:
        student = entry.student
        if student not in self._known:
            db.execute(sql.insert(tables.student).values(id=student))
            self._known.add(student)
        number = self._submission(db, student, entry.submitted)
        mine = tables.submitted_notebook.c.assignment_id == number
        rows = {
            row.notebook_id: row.id for row in db.execute(sql.select(tables.submitted_notebook).where(mine))
        }
        for name, notebook in self._notebooks.items():
            cells = self._cells[name]
            row = rows.get(notebook) or new_notebook(db, number, notebook, cells)
            write_points(db, row, cells, entry.notebooks.get(name))
        write_figures(db, (self._course, self._lab, student), entry.notebooks.values())
        handed_in = [(student, self._notebooks[name]) for name in entry.notebooks]
        settle(
            db,
            self._assignment,
            self.due,
            self._grants,
            lambda _: entry.late,
            only=(student,),
            handed_in=handed_in,
        )

    def _submission(self, db: Any, student: str, submitted: datetime | None) -> str:
        mine = (tables.submitted.c.assignment_id == self._assignment) & (
            tables.submitted.c.student_id == student
        )
        row = db.execute(sql.select(tables.submitted.c.id).where(mine)).first()
        if row is not None:
            db.execute(sql.update(tables.submitted).where(mine).values(timestamp=submitted))
            return str(row.id)
        number = uuid.uuid4().hex
        values = {"id": number, "assignment_id": self._assignment, "student_id": student}
        db.execute(sql.insert(tables.submitted).values(**values, timestamp=submitted))
        return number

    def _tick(self, db: Any, student: str, digest: str, note: str) -> None:
        here = (
            (tables.ledger.c.course == self._course)
            & (tables.ledger.c.lab == self._lab)
            & (tables.ledger.c.student == student)
        )
        now = datetime.now(UTC).replace(tzinfo=None)
        changed = db.execute(
            sql.update(tables.ledger)
            .where(here)
            .values(digest=digest, note=note, at=now, times=tables.ledger.c.times + 1)
        )
        if not changed.rowcount:
            values = {"course": self._course, "lab": self._lab, "student": student, "digest": digest}
            db.execute(sql.insert(tables.ledger).values(**values, note=note, at=now, times=1))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


@contextmanager
def open_writer(url: str, course_id: str, lab: str) -> Iterator[Writer]:
    """Give the one writer of a lab's marks; on PostgreSQL nobody else's at the same time, on any machine.

    Raises:
        ClassroomError: the gradebook cannot be opened, or somebody else is grading.
    """
    writer = Writer(url, course_id, lab)
    try:
        with _alone(writer._engine, f"fpgaclass {course_id}"):
            yield writer
    finally:
        writer.close()


@contextmanager
def _alone(engine: sql.Engine, what: str) -> Iterator[None]:
    if engine.dialect.name != "postgresql":
        yield
        return
    key = zlib.crc32(what.encode())
    with in_use(engine), engine.connect() as db:
        if not db.scalar(sql.text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
            step = "wait for it to end"
            raise ClassroomError("another command is grading in this gradebook", next_step=step)
        try:
            yield
        finally:
            db.execute(sql.text("SELECT pg_advisory_unlock(:key)"), {"key": key})
