"""What everybody has for a lab, read from the gradebook without nbgrader, which takes seconds to import."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sql

from fpgaclass.classroom.gradebook import tables
from fpgaclass.classroom.gradebook.database import in_use, open_engine
from fpgaclass.classroom.gradebook.lateness import points_of


@dataclass(frozen=True)
class Standing:
    """What a student has for a lab, before and after a person marked it.

    Attributes:
        score: points, without the penalty.
        penalty: points that come off for lateness.
        waits: something has to be marked by a person.
        submitted: when, in UTC without a zone.
    """

    score: float
    penalty: float
    waits: bool
    submitted: datetime | None


def standings(url: str, lab: str) -> tuple[float, dict[str, Standing]]:
    """Return the points to be had in a lab, and what each student who submitted has.

    Raises:
        ClassroomError: the gradebook cannot be read.
    """
    engine = open_engine(url)
    here = tables.notebook.join(tables.assignment, tables.notebook.c.assignment_id == tables.assignment.c.id)
    work = here.join(
        tables.submitted_notebook, tables.submitted_notebook.c.notebook_id == tables.notebook.c.id
    )
    work = work.join(tables.submitted, tables.submitted_notebook.c.assignment_id == tables.submitted.c.id)
    try:
        with in_use(engine), engine.connect() as db:
            most = 0.0
            for cells in (tables.grade_cell, tables.task_cell):
                joined = here.join(tables.base_cell, tables.base_cell.c.notebook_id == tables.notebook.c.id)
                joined = joined.join(cells, cells.c.id == tables.base_cell.c.id)
                total = sql.select(sql.func.sum(cells.c.max_score)).select_from(joined)
                most += float(db.scalar(total.where(tables.assignment.c.name == lab)) or 0.0)
            columns = (tables.submitted.c.student_id, tables.submitted.c.timestamp, tables.submitted_notebook)
            rows = db.execute(
                sql.select(*columns).select_from(work).where(tables.assignment.c.name == lab)
            ).all()
            points: dict[str, list[Any]] = {row.id: [] for row in rows}
            graded = work.join(tables.grade, tables.grade.c.notebook_id == tables.submitted_notebook.c.id)
            for grade in db.execute(
                sql.select(tables.grade).select_from(graded).where(tables.assignment.c.name == lab)
            ):
                points[grade.notebook_id].append(grade)
    finally:
        engine.dispose()
    found: dict[str, Standing] = {}
    for row in rows:
        old = found.get(row.student_id, Standing(0.0, 0.0, False, row.timestamp))
        found[row.student_id] = Standing(
            old.score + sum(points_of(grade) for grade in points[row.id]),
            old.penalty + (row.late_submission_penalty or 0.0),
            old.waits or any(grade.needs_manual_grade for grade in points[row.id]),
            row.timestamp,
        )
    return most, found
