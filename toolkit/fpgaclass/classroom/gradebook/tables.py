"""The tables of nbgrader's gradebook (0.9) that grading reads and writes, and three of ours beside them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sql


def _table(name: str, *columns: str) -> Any:
    return sql.table(name, *(sql.column(one) for one in columns))


assignment = sql.table(
    "assignment", sql.column("id"), sql.column("name"), sql.column("duedate", sql.DateTime)
)
notebook = _table("notebook", "id", "name", "assignment_id")
base_cell = _table("base_cell", "id", "name", "type", "notebook_id")
grade_cell = _table("grade_cells", "id", "max_score", "cell_type")
task_cell = _table("task_cells", "id", "max_score")
source_cell = _table("source_cell", "name", "cell_type", "locked", "source", "checksum", "notebook_id")
student = _table("student", "id")
submitted = sql.table(
    "submitted_assignment",
    *(sql.column(one) for one in ("id", "assignment_id", "student_id")),
    sql.column("timestamp", sql.DateTime),
    sql.column("extension", sql.Interval),
)
submitted_notebook = _table(
    "submitted_notebook", "id", "assignment_id", "notebook_id", "flagged", "late_submission_penalty"
)
grade = _table(
    "grade",
    *("id", "cell_id", "notebook_id", "auto_score", "manual_score", "extra_credit", "needs_manual_grade"),
)
comment = _table("comment", "id", "cell_id", "notebook_id", "auto_comment", "manual_comment")
ledger = sql.Table(
    "fpgaclass_graded",
    sql.MetaData(),
    sql.Column("course", sql.String(128), primary_key=True),
    sql.Column("lab", sql.String(128), primary_key=True),
    sql.Column("student", sql.String(128), primary_key=True),
    sql.Column("digest", sql.String(64), nullable=False),
    sql.Column("note", sql.Text, nullable=False),
    sql.Column("times", sql.Integer, nullable=False),
    sql.Column("at", sql.DateTime, nullable=False),
)
extensions = sql.Table(
    "fpgaclass_extensions",
    ledger.metadata,
    sql.Column("course", sql.String(128), primary_key=True),
    sql.Column("lab", sql.String(128), primary_key=True),
    sql.Column("student", sql.String(128), primary_key=True),
    sql.Column("seconds", sql.Integer, nullable=False),
)
figures = sql.Table(
    "fpgaclass_figures",
    ledger.metadata,
    sql.Column("course", sql.String(128), primary_key=True),
    sql.Column("lab", sql.String(128), primary_key=True),
    sql.Column("student", sql.String(128), primary_key=True),
    sql.Column("name", sql.String(128), primary_key=True),
    sql.Column("value", sql.Float, nullable=False),
    sql.Column("unit", sql.String(64), nullable=False),
    sql.Column("best", sql.String(16), nullable=False),
)
