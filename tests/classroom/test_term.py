"""A term in fast motion: everybody hands in everything, early, late or never, and every total is right."""

from __future__ import annotations

import csv
import io
import json
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.classroom import Classroom, Settings
from fpgaclass.classroom.exchange import open_desk
from fpgaclass.classroom.gradebook.export import export_marks
from fpgaclass.core import say
from fpgaclass.course import Course
from fpgaclass.engine import NoJail, find_jail

DUE = datetime(2100, 1, 1, tzinfo=UTC)
PER_DAY, GRACE, DAYS = 20, 30, 3
LAB = """\
# ---
# title: Small lab {n}
# minutes: 5
# objectives: [multiply]
# needs: {{}}
# seed: shared
# ---

# %% task="times"
### BEGIN SOLUTION
def times(x):
    return x * {n}
### END SOLUTION

# %% [markdown] hint="times" level=1
# A nudge.

# %% [markdown] hint="times" level=2
# The method.

# %% [markdown] hint="times" level=3
# Almost the code.

# %% check="times" points=3
assert times(2) == {twice}

# %% check="times" points=2 name="negative"
### BEGIN HIDDEN TESTS
assert times(-3) == {minus}
### END HIDDEN TESTS

# %% wrong="times" name="nothing" loses=5
def times(x):
    return None

# %% [markdown] answer="why" points=5
# Why?
#
# ### BEGIN SOLUTION
# Because.
# ### END SOLUTION
"""
ANSWERS = {  # what a student writes -> the points of the checks
    "right": ("def times(x):\n    return x * {n}", 5),
    "positive": ("def times(x):\n    return abs(x) * {n}", 3),
    "negative": ("def times(x):\n    return -abs(x) * {n}", 2),
    "wrong": ("def times(x):\n    return x - 1000", 0),
    "crashes": ("def times(x):\n    raise ValueError(x)", 0),
    "ends": ("import os\nos._exit(1)", 0),
    "blank": (None, 0),
}
LATE = (None, None, None, 0, 10, 29, 31, 600, 1500, 2000, 3000, 4500, 10_000)  # minutes; None: in time


@dataclass(frozen=True)
class Handed:
    """What a student did for a lab, and what it must come to."""

    answer: str | None
    late_minutes: int | None
    extension_days: int
    by_hand: float | None

    def total(self) -> float | None:
        """Return the points, worked out from the rules as course.yaml has them and by no code of ours."""
        if self.answer is None:
            return None
        points = ANSWERS[self.answer][1] + (self.by_hand or 0)
        late = (self.late_minutes or 0) - 24 * 60 * self.extension_days - GRACE
        if late <= 0:
            return points
        begun = late // (24 * 60) + (1 if late % (24 * 60) else 0)
        return 0.0 if begun > DAYS else points * (100 - PER_DAY * begun) / 100


def _course(folder: Path, students: int, labs: int) -> Course:
    names = [f"{n:02}_lab" for n in range(1, labs + 1)]
    for n, name in enumerate(names, start=1):
        (folder / "notebooks" / name).mkdir(parents=True)
        text = LAB.format(n=n, twice=2 * n, minus=-3 * n)
        (folder / "notebooks" / name / "lab.py").write_text(text)
    late = {"grace_minutes": GRACE, "percent_per_day": PER_DAY, "days": DAYS}
    entries = [
        {"name": name, "points": 10, "deadline": "2100-01-01 00:00:00", "late": late} for name in names
    ]
    course = {
        "course_id": "term101",
        "title": "A term",
        "notebooks": "notebooks",
        "instructors": ["teacher"],
        "students": [f"s{n:03}" for n in range(students)],
        "labs": entries,
    }
    (folder / "course.yaml").write_text(json.dumps(course))
    return Course.load(folder / "course.yaml")


def _hand_in(classroom: Classroom, lab: str, student: str, handed: Handed, notebook: dict[str, Any]) -> None:
    """Hand in through the exchange, and turn the server's clock."""
    from sqlalchemy import text

    code = ANSWERS[handed.answer or ""][0]
    cells = [dict(cell) for cell in notebook["cells"]]
    for cell in cells:
        if cell["id"] == "task_times" and code:
            cell["source"] = code.format(n=int(lab[:2]))
        if cell["id"] == "answer_why" and handed.by_hand is not None:
            cell["source"] = f"So it is, says {student}."
    desk = open_desk(classroom.layout, student)
    receipt = desk.submit("term101", lab, {f"{lab}.ipynb": json.dumps(notebook | {"cells": cells}).encode()})
    early = timedelta(hours=-5 if handed.by_hand is None else -4)
    at = DUE + (early if handed.late_minutes is None else timedelta(minutes=handed.late_minutes))
    stamp = at.replace(tzinfo=None).strftime("%Y-%m-%d %H:%M:%S.%f")
    with desk.store.engine.begin() as db:
        db.execute(
            text("UPDATE submissions SET at = :at WHERE seal = :seal"), {"at": stamp, "seal": receipt.seal}
        )
    desk.store.close()


def _mark_by_hand(classroom: Classroom, term: dict[tuple[str, str], Handed]) -> None:
    """Give the points that a person gives, as the formgrader does: through nbgrader's gradebook."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{classroom.layout.course / 'gradebook.db'}", "term101") as book:
        for (lab, student), handed in term.items():
            if handed.by_hand is not None and handed.answer is not None:
                grade = book.find_grade("answer_why", lab, lab, student)
                assert grade.needs_manual_grade, (lab, student)
                grade.manual_score, grade.needs_manual_grade = handed.by_hand, False
        book.db.commit()


def _term(folder: Path, students: int, labs: int) -> None:
    draw, began = random.Random(students), time.monotonic()
    course = _course(folder / "course", students, labs)
    classroom = Classroom(course, folder / "state")
    classroom.prepare()
    times = {"prepared": time.monotonic() - began}
    names, people = [entry.name for entry in course.labs], course.students
    term: dict[tuple[str, str], Handed] = {}
    for lab in names:
        notebook = json.loads(open_desk(classroom.layout).released("term101", lab)[f"{lab}.ipynb"])
        for student in people:
            handed = Handed(
                answer=None if draw.random() < 0.08 else draw.choice(list(ANSWERS)),
                late_minutes=draw.choice(LATE),
                extension_days=2 if draw.random() < 0.05 else 0,
                by_hand=draw.choice([None, None, 0.0, 2.5, 5.0]),
            )
            term[lab, student] = handed
            if handed.answer is not None:
                if draw.random() < 0.1:  # somebody who hands in twice: the last one counts
                    other = Handed("wrong", -600, 0, None)
                    _hand_in(classroom, lab, student, other, notebook)
                _hand_in(classroom, lab, student, handed, notebook)
            if handed.extension_days:
                classroom.extend(lab, student, timedelta(days=2))
    times["handed in"] = time.monotonic() - began
    settings = Settings(jobs=2, jailed=not isinstance(find_jail(), NoJail))
    for lab in names:
        report = classroom.grade(lab, settings=settings)
        assert not report.failed, report.failed
    times["graded"] = time.monotonic() - began
    _mark_by_hand(classroom, term)
    times["marked by hand"] = time.monotonic() - began
    given = classroom.feedback(names[0], jobs=2)
    assert not given.notes
    assert set(given.students) == {
        student for student in people if term[names[0], student].answer is not None
    }
    times["one lab given back"] = time.monotonic() - began
    for lab in names:
        classroom.settle(lab)  # as `fpgaclass export` does
    marks = classroom.marks()

    truth = {key: handed.total() for key, handed in term.items()}
    rows = list(csv.DictReader(io.StringIO(export_marks(marks, "csv"))))
    found = {(row["lab"], row["student"]): float(row["score"]) if row["score"] else None for row in rows}
    wrong = {key: (found[key], total) for key, total in truth.items() if found[key] != pytest.approx(total)}
    assert not wrong, wrong
    moodle = {
        row.pop("username"): sum(float(value) for value in row.values() if value != "-")
        for row in csv.DictReader(io.StringIO(export_marks(marks, "moodle")))
    }
    totals = {student: sum(truth[lab, student] or 0 for lab in names) for student in people}
    assert moodle == pytest.approx(totals)
    lti = json.loads(export_marks(marks, "lti"))
    assert len(lti) == students * labs
    assert sum(one.get("scoreGiven", 0) for one in lti) == pytest.approx(sum(totals.values()))
    again = [classroom.grade(lab, settings=settings) for lab in names]
    assert [mark.score for report in again for mark in report.marks] == [mark.score for mark in marks]
    times["exported, verified and graded again"] = time.monotonic() - began
    told = ", ".join(f"{what} after {seconds:.0f} s" for what, seconds in times.items())
    say(f"{students} students x {labs} labs (measured): {told}")


def test_a_term_of_five_students_and_two_labs(tmp_path: Path) -> None:
    """Collected, graded, marked by hand, given back and exported: each total as worked out beside it."""
    _term(tmp_path, 5, 2)


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_a_term_of_a_hundred_students_and_eight_labs(tmp_path: Path) -> None:
    """The same, at full size."""
    _term(tmp_path, 100, 8)
