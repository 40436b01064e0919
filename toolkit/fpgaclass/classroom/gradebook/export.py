"""Marks for elsewhere: a table, Moodle's gradebook, or a learning platform by LTI."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from fpgaclass.classroom.nbgrader_course import Mark

FORMATS = ("csv", "moodle", "lti")


def export_marks(marks: Sequence[Mark], form: str) -> str:
    """Return marks as a file's text.

    Args:
        marks: one for each student and lab.
        form: ``"csv"``: a line a mark; ``"moodle"``: a line a student and a column a lab, as Moodle's
            *Import CSV file* reads it, by username; ``"lti"``: a JSON list of scores of LTI 1.3's Assignment
            and Grade Services, with the lab's name as ``lineItem``.
    """
    if form == "lti":
        return json.dumps([_score(mark) for mark in marks], indent=1) + "\n"
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    if form == "csv":
        writer.writerow(("student", "lab", "score", "max_score", "penalty", "status", "submitted_utc"))
        for mark in marks:
            when = mark.submitted.isoformat() if mark.submitted else ""
            row = (
                mark.student,
                mark.lab,
                _number(mark.score),
                _number(mark.max_score),
                _number(mark.penalty),
            )
            writer.writerow((*row, mark.status, when))
        return page.getvalue()
    labs = tuple(dict.fromkeys(mark.lab for mark in marks))
    by = {(mark.student, mark.lab): mark for mark in marks}
    writer.writerow(("username", *labs))
    for student in dict.fromkeys(mark.student for mark in marks):
        scores = [by[student, lab].score if (student, lab) in by else None for lab in labs]
        writer.writerow((student, *("-" if score is None else _number(score) for score in scores)))
    return page.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _score(mark: Mark) -> dict[str, object]:
    """Return a mark as a score of the Assignment and Grade Services (1EdTech, version 2.0)."""
    progress = {"graded": "FullyGraded", "needs a person": "PendingManual"}
    progress |= {"missing": "NotReady", "not graded": "Pending"}
    found: dict[str, object] = {
        "lineItem": mark.lab,
        "userId": mark.student,
        "activityProgress": "Initialized" if mark.status == "missing" else "Submitted",
        "gradingProgress": progress.get(mark.status, "Failed"),
    }
    if mark.score is not None:
        found |= {"scoreGiven": mark.score, "scoreMaximum": mark.max_score}
    if mark.submitted:
        found["timestamp"] = mark.submitted.isoformat()
    return found
