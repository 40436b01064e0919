"""Extensions, and what lateness costs: it follows the marks, the deadline and the rules at any time.

Nothing is run again for it. Each grading, each extension and each exception settles the penalties of what has
been graded, from the points that it has now, those of a person included.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sql

from fpgaclass.classroom.gradebook import tables
from fpgaclass.classroom.gradebook.database import in_use, open_engine
from fpgaclass.course import LatePolicy

EVERYBODY = "*"
"""In place of a login name: the whole class."""

Late = Callable[[str], LatePolicy]
"""Student -> what lateness costs."""
Grants = Mapping[str, timedelta]
"""Student, or `EVERYBODY` -> how much more time was given."""


def read_grants(db: Any, course: str, lab: str) -> dict[str, timedelta]:
    """Return the extensions of a lab."""
    here = (tables.extensions.c.course == course) & (tables.extensions.c.lab == lab)
    rows = db.execute(sql.select(tables.extensions).where(here))
    return {row.student: timedelta(seconds=row.seconds) for row in rows}


def read_extensions(url: str, course: str, labs: Sequence[str]) -> dict[str, dict[str, timedelta]]:
    """Return the extensions of labs, by lab; none where nothing was ever graded or extended."""
    engine = open_engine(url)
    try:
        with in_use(engine), engine.connect() as db:
            if not sql.inspect(db).has_table(tables.extensions.name):
                return {lab: {} for lab in labs}
            return {lab: read_grants(db, course, lab) for lab in labs}
    finally:
        engine.dispose()


def write_grant(db: Any, course: str, lab: str, student: str, by: timedelta) -> None:
    """Give a student, or `EVERYBODY`, more time for a lab, in place of what they were given before."""
    values = {"course": course, "lab": lab, "student": student}
    mine = sql.and_(*(tables.extensions.c[key] == value for key, value in values.items()))
    db.execute(sql.delete(tables.extensions).where(mine))
    db.execute(sql.insert(tables.extensions).values(**values, seconds=int(by.total_seconds())))


def granted(grants: Grants, student: str) -> timedelta | None:
    """Return how much more time a student has, their own or everybody's; None: none was given."""
    given = [grants[name] for name in (student, EVERYBODY) if name in grants]
    return max(given) if given else None


def settle(
    db: Any,
    assignment: str,
    due: datetime | None,
    grants: Grants,
    late: Late,
    *,
    only: Collection[str] | None = None,
    handed_in: Collection[tuple[str, str]] = (),
) -> tuple[str, ...]:
    """Write the extension and the penalty of submissions that have been graded.

    Args:
        db: the gradebook's connection, in a transaction.
        assignment: nbgrader's number of the lab.
        due: the deadline, UTC without a zone.
        grants: the extensions.
        late: what lateness costs a student.
        only: settle only these students.
        handed_in: (student, number of the lab's notebook) of notebooks that are there, whatever they gave.

    Returns:
        The students whose penalty changed.
    """
    here = tables.submitted.c.assignment_id == assignment
    if only is not None:
        here &= tables.submitted.c.student_id.in_(only)
    notebooks = _notebooks(db, here)
    changed = []
    for row in db.execute(sql.select(tables.submitted).where(here)).all():
        student, extension = row.student_id, granted(grants, row.student_id)
        if extension is None:
            extension = row.extension
        elif extension != row.extension:
            mine = tables.submitted.c.id == row.id
            db.execute(sql.update(tables.submitted).where(mine).values(extension=extension))
        seconds = 0.0
        if row.timestamp and due:
            seconds = (row.timestamp - due - (extension or timedelta())).total_seconds()
        for number, notebook, old, score in notebooks.get(row.id, ()):
            there = score > 0 or old is not None or (student, notebook) in handed_in
            new = None
            if seconds > 0 and there:
                new = min(max(0.0, late(student).penalty(score, seconds)), score)
            if new != old:
                mine = tables.submitted_notebook.c.id == number
                change = sql.update(tables.submitted_notebook).where(mine)
                db.execute(change.values(late_submission_penalty=new))
                changed.append(student)
    return tuple(dict.fromkeys(changed))


def _notebooks(db: Any, here: Any) -> dict[str, list[tuple[str, str, float | None, float]]]:
    """Return submission -> (number, of which notebook, penalty, score without it) of its notebooks."""
    work = tables.submitted.join(
        tables.submitted_notebook, tables.submitted_notebook.c.assignment_id == tables.submitted.c.id
    )
    rows = db.execute(sql.select(tables.submitted_notebook).select_from(work).where(here)).all()
    points = dict.fromkeys((row.id for row in rows), 0.0)
    graded = work.join(tables.grade, tables.grade.c.notebook_id == tables.submitted_notebook.c.id)
    for grade in db.execute(sql.select(tables.grade).select_from(graded).where(here)):
        points[grade.notebook_id] += points_of(grade)
    found: dict[str, list[tuple[str, str, float | None, float]]] = {}
    for row in rows:
        entry = (row.id, row.notebook_id, row.late_submission_penalty, points[row.id])
        found.setdefault(row.assignment_id, []).append(entry)
    return found


def points_of(grade: Any) -> float:
    """Return the points of a row of nbgrader's table of grades: a person's go before the check's."""
    best = grade.manual_score if grade.manual_score is not None else grade.auto_score
    return 0.0 if best is None else float(best + (grade.extra_credit or 0.0))
