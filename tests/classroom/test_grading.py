"""Grading a class: everybody honest gets what they earned, and a broken file stops nobody else."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from fpgaclass.classroom import Classroom, Settings
from fpgaclass.classroom.exchange import open_desk
from fpgaclass.core import ClassroomError, UsageError

LAB = "01_square"
Submit = Callable[..., Path]


def _cells(change: Callable[[list[dict[str, object]]], None]) -> Callable[[str], str]:
    """Make a change of a notebook's text out of a change of its cells."""

    def apply(text: str) -> str:
        notebook = json.loads(text)
        change(notebook["cells"])
        return json.dumps(notebook)

    return apply


def test_right_wrong_and_missing(classroom: Classroom, submit: Submit) -> None:
    """The whole point: full marks, fewer marks, and a name for who did not submit."""
    submit("ada")
    submit("emmy", "def square(x):\n    return 3 * x")
    report = classroom.grade(LAB)
    assert [(mark.student, mark.score, mark.status) for mark in report.marks[:3]] == [
        ("ada", 3, "graded"),
        ("emmy", 2, "graded"),
        ("hedy", None, "missing"),
    ]
    assert report.marks[0].max_score == 3
    assert json.loads(json.dumps(report.as_dict()))["marks"][1]["score"] == 2


def test_the_table_fits_a_terminal(classroom: Classroom, submit: Submit) -> None:
    """A note of thirty words in a column makes a table of thirty lines; times are the course's own."""
    submit("ada", name="my answer.ipynb")
    submit("emmy", when=datetime(2100, 1, 1, 23, 30, tzinfo=UTC))
    report = classroom.grade(LAB)
    page = StringIO()
    Console(width=80, file=page).print(report.table(ZoneInfo("Europe/Rome")))
    lines = page.getvalue().splitlines()
    assert len(lines) == len(classroom.students) + 5
    assert "02 Jan 00:30" in next(line for line in lines if "emmy" in line)
    assert "-1.5" in next(line for line in lines if "emmy" in line)
    (word,) = report.words()
    assert word.startswith("ada: 01_square.ipynb is missing; there is my answer.ipynb")


def test_who_handed_in_what_cannot_be_graded_is_not_missing(classroom: Classroom, submit: Submit) -> None:
    """A table of marks that calls them missing accuses them of what they did not do."""
    submit("ada", change=lambda _: "")
    assert classroom.grade(LAB).marks[0].status == "failed"
    assert [mark.status for mark in classroom.marks(LAB)[:2]] == ["not graded", "missing"]


def test_a_cell_without_end_is_told(classroom: Classroom, submit: Submit) -> None:
    """Half of a mark, and no word why, is what an instructor is asked about."""
    submit("ada", "def square(x):\n    return x * x\nwhile True:\n    pass")
    mark = classroom.grade(LAB, "ada", settings=Settings(cell_seconds=1)).marks[0]
    assert "1 cell was stopped after 1 s" in mark.note


def test_a_notebook_of_too_many_outputs_is_to_be_cleared(classroom: Classroom, submit: Submit) -> None:
    """Saving it once more would not make it smaller."""
    submit("ada", change=lambda text: text + " " * 50_000_000)
    note = classroom.grade(LAB, "ada").marks[0].note
    assert "is too large (it has 50.0 MB, and 50 are allowed): ask ada to clear its outputs" in note


def test_broken_submissions_are_named_and_the_rest_is_graded(classroom: Classroom, submit: Submit) -> None:
    """Thirty notebooks wait behind the one that a student edited by hand."""
    submit("ada", change=lambda _: '{"cells": [')
    submit("emmy", change=lambda _: "")
    submit("hedy", change=lambda _: "[]")
    submit("ida", name="my answer.ipynb")
    submit("lise", change=_cells(lambda cells: [cell.update(metadata={}) for cell in cells] and None))
    submit("vera")
    marks = {mark.student: mark for mark in classroom.grade(LAB).marks}
    assert (marks["vera"].status, marks["vera"].score) == ("graded", 3)
    assert (marks["lise"].status, marks["lise"].score) == ("graded", 3), "put back by the cells' ids"
    for student, note in {
        "ada": "01_square.ipynb is not a notebook (Expecting value",
        "emmy": "01_square.ipynb is not a notebook (Expecting value",
        "hedy": "01_square.ipynb is not a notebook (it has no cells)",
        "ida": "01_square.ipynb is missing; there is my answer.ipynb",
    }.items():
        assert (marks[student].status, marks[student].score) == ("failed", None)
        assert note in marks[student].note
        assert f"ask {student} to" in marks[student].note


def test_deleted_and_edited_checks_do_not_help(classroom: Classroom, submit: Submit) -> None:
    """nbgrader gives full marks to a check without output, so both must come back as they were."""

    def edit(cells: list[dict[str, object]]) -> None:
        cells[:] = [cell for cell in cells if cell["id"] != "check_square"]
        next(c for c in cells if c["id"] == "check_square_sign")["source"] = "pass"

    submit("ada", "def square(x):\n    return 0", change=_cells(edit))
    mark = classroom.grade(LAB, "ada").marks[0]
    assert (mark.status, mark.score) == ("graded", 0)


def test_a_kernel_that_ends_gets_no_points_for_the_rest(classroom: Classroom, submit: Submit) -> None:
    """Stock nbgrader leaves such a submission without a mark, and says so nowhere."""
    submit("ada", "import os\nos._exit(0)")
    mark = classroom.grade(LAB, "ada").marks[0]
    assert mark.score == 0
    assert "the kernel died" in mark.note


def test_lateness_costs_what_the_course_says(classroom: Classroom, submit: Submit) -> None:
    """course.yaml: half of the mark for each day."""
    submit("ada", when=datetime(2100, 1, 1, 12, tzinfo=UTC))
    mark = classroom.grade(LAB).marks[0]
    assert (mark.score, mark.penalty) == (1.5, 1.5)


def test_feedback_reaches_only_its_own_box(classroom: Classroom, submit: Submit) -> None:
    """Feedback holds the student's work and mark."""
    submit("ada")
    submit("emmy", "def square(x):\n    return 3 * x")
    with pytest.raises(ClassroomError, match=r"has been graded yet.*Next: fpgaclass grade 01_square"):
        classroom.feedback(LAB)
    classroom.grade(LAB)
    assert classroom.feedback(LAB, jobs=2).students == ("ada", "emmy")
    pages = {}
    for student in ("ada", "emmy"):
        desk = open_desk(classroom.layout, student)
        (receipt,) = desk.receipts("tiny101", LAB, student)
        pages[student] = desk.feedback("tiny101", LAB, student, receipt.timestamp)[f"{LAB}.html"].decode()
    assert "AssertionError" not in pages["ada"]
    assert "AssertionError" in pages["emmy"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_feedback_that_cannot_be_written_stops_nobody_elses(
    classroom: Classroom, submit: Submit, jobs: int
) -> None:
    """A class of thirty must not wait for the one whose graded notebook a disk has cut short."""
    for student in ("ada", "emmy", "lise"):
        submit(student)
    classroom.grade(LAB)
    (classroom.layout.course / "autograded" / "emmy" / LAB / f"{LAB}.ipynb").write_text("{")
    given = classroom.feedback(LAB, jobs=jobs)
    assert given.students == ("ada", "lise")
    (note,) = given.notes
    assert note.startswith("emmy: the feedback was not written: ")


def test_one_student_can_be_graded_alone(classroom: Classroom, submit: Submit) -> None:
    """A late submission must not make the instructor wait for the whole class."""
    submit("ada")
    submit("emmy")
    report = classroom.grade(LAB, "emmy")
    assert [mark.student for mark in report.marks] == ["emmy"]
    assert not (classroom.layout.course / "autograded" / "ada").exists()


def test_two_instructors_grade_at_once(classroom: Classroom, submit: Submit) -> None:
    """One of them grades, the other is told in a line; or both do, one after the other."""
    for student in classroom.students:
        submit(student)
    code = "import sys; from fpgaclass.cli import main; sys.argv[0] = 'fpgaclass'; main()"
    where = ["--course", str(classroom.course.path), "--state", str(classroom.layout.state)]
    words = [sys.executable, "-c", code, "grade", LAB, *where]
    both = [
        subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate()[1] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 0], [0, 1]), told
    if codes == [0, 1]:
        refused = next(text for text, process in zip(told, both, strict=True) if process.returncode)
        assert "another command is working on this course" in refused
    assert [mark.score for mark in classroom.marks(LAB)] == [3] * len(classroom.students)
    with sqlite3.connect(classroom.layout.course / "gradebook.db") as db:
        assert set(db.execute("SELECT times FROM fpgaclass_graded")) == {(1,)}


def test_wrong_names_are_answered_with_the_right_ones(classroom: Classroom) -> None:
    """A typing error should cost seconds."""
    with pytest.raises(UsageError, match=r"no lab '01_sqare'.*one of: 01_square"):
        classroom.grade("01_sqare")
    with pytest.raises(UsageError, match=r"no student adda.*students: ada, emmy, hedy"):
        classroom.grade(LAB, "adda")


def test_a_lab_that_was_not_released_is_no_surprise(tiny_course: Path, tmp_path: Path) -> None:
    """Grading before the first `up` is a mistake of the first day."""
    from fpgaclass import classroom

    with pytest.raises(ClassroomError, match=r"was not released.*run `fpgaclass up` first"):
        classroom.grade(tiny_course, LAB, state=tmp_path / "nothing")
