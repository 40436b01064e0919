"""Marks leave the class without losing one, and in the form that the other side reads."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

from fpgaclass.classroom.gradebook.export import export_marks
from fpgaclass.classroom.nbgrader_course import Mark

MARKS = (
    Mark("ada", "01_a", "graded", 2.5, 3, 0.5, datetime(2026, 1, 2, tzinfo=UTC)),
    Mark("ada", "02_b", "needs a person", 4, 8),
    Mark("emmy", "01_a", "missing", None, 3),
    Mark("emmy", "02_b", "not graded", None, 8),
)


def test_a_table_has_a_line_for_each_mark() -> None:
    """Also for those who did not submit: a sum over the file must count them."""
    rows = list(csv.DictReader(io.StringIO(export_marks(MARKS, "csv"))))
    assert [(row["student"], row["lab"], row["score"]) for row in rows] == [
        ("ada", "01_a", "2.5"),
        ("ada", "02_b", "4"),
        ("emmy", "01_a", ""),
        ("emmy", "02_b", ""),
    ]
    assert rows[0]["submitted_utc"] == "2026-01-02T00:00:00+00:00"


def test_moodle_gets_a_line_for_each_student() -> None:
    """Its import takes one column a grade item, and a dash for none."""
    assert export_marks(MARKS, "moodle") == "username,01_a,02_b\nada,2.5,4\nemmy,-,-\n"


def test_lti_tells_what_waits_for_a_person() -> None:
    """A platform shows a mark as final only when it is."""
    scores = json.loads(export_marks(MARKS, "lti"))
    progress = ["FullyGraded", "PendingManual", "NotReady", "Pending"]
    assert [score["gradingProgress"] for score in scores] == progress
    assert "scoreGiven" not in scores[2]
