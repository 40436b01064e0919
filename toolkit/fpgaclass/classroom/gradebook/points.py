"""The rows of nbgrader's gradebook that a graded notebook fills."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sql

from fpgaclass.classroom.gradebook import tables
from fpgaclass.engine import auto_comment, auto_score

Cells = Sequence[tuple[str, str, str]]
"""nbgrader's number, name and type of each cell of a lab's notebook."""


def new_notebook(db: Any, submission: str, notebook: str, cells: Cells) -> str:
    """Make the rows of a notebook that a student handed in for the first time, and return its number."""
    number = uuid.uuid4().hex
    values = {"id": number, "assignment_id": submission, "notebook_id": notebook, "flagged": False}
    db.execute(sql.insert(tables.submitted_notebook).values(**values))
    grades = [cell for cell, _, kind in cells if kind in ("GradeCell", "TaskCell")]
    comments = [cell for cell, _, kind in cells if kind in ("SolutionCell", "TaskCell")]
    if grades:
        new = [{"id": uuid.uuid4().hex, "cell_id": cell, "notebook_id": number} for cell in grades]
        db.execute(sql.insert(tables.grade), [one | {"needs_manual_grade": True} for one in new])
    if comments:
        new = [{"id": uuid.uuid4().hex, "cell_id": cell, "notebook_id": number} for cell in comments]
        db.execute(sql.insert(tables.comment), new)
    return number


def write_points(db: Any, number: str, cells: Cells, notebook: dict[str, Any] | None) -> None:
    """Write the points and comments of a notebook; None, one that is missing, gets nothing.

    What a person gave stays, and waits for them to look again, as with nbgrader.
    """
    done = {
        cell["metadata"]["nbgrader"]["grade_id"]: cell
        for cell in (notebook or {"cells": ()})["cells"]
        if "nbgrader" in cell["metadata"]
    }
    names = {cell: (name, kind) for cell, name, kind in cells}
    grades, comments = [], []
    for grade in db.execute(sql.select(tables.grade).where(tables.grade.c.notebook_id == number)):
        name, kind = names[grade.cell_id]
        cell, score, waits = done.get(name), grade.auto_score, bool(grade.needs_manual_grade)
        if notebook is None or (cell is None and kind == "GradeCell"):
            score, waits = 0.0, False
        elif cell is not None and cell["metadata"]["nbgrader"].get("grade"):
            score = auto_score(cell)
            waits = grade.manual_score is not None or score is None
        grades.append({"row": grade.id, "score": score, "waits": waits})
    for comment in db.execute(sql.select(tables.comment).where(tables.comment.c.notebook_id == number)):
        cell = done.get(names[comment.cell_id][0])
        if cell is not None:
            comments.append({"row": comment.id, "text": auto_comment(cell)})
    if grades:
        change = sql.update(tables.grade).where(tables.grade.c.id == sql.bindparam("row"))
        values: dict[str, Any] = {
            "auto_score": sql.bindparam("score"),
            "needs_manual_grade": sql.bindparam("waits"),
        }
        db.execute(change.values(**values), grades)
    if comments:
        change = sql.update(tables.comment).where(tables.comment.c.id == sql.bindparam("row"))
        db.execute(change.values(auto_comment=sql.bindparam("text")), comments)
