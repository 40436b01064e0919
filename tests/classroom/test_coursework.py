"""Deadlines that move, doors that close, and what reaches whom: without a hub."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fpgaclass.classroom import Classroom
from fpgaclass.classroom.exchange import RefusedError, open_desk
from fpgaclass.classroom.roster import check_password, load_roster
from fpgaclass.cli.app import app
from fpgaclass.core import ClassroomError, UsageError
from fpgaclass.course import Course

LAB = "01_square"
Submit = Callable[..., Any]
LATE = datetime(2100, 1, 1, 12, tzinfo=UTC)  # half a day after the deadline: half of the mark


def _marks(classroom: Classroom) -> dict[str, tuple[float | None, float]]:
    return {mark.student: (mark.score, mark.penalty) for mark in classroom.marks(LAB)}


def _class(classroom: Classroom, *words: str) -> str:
    where = ["--course", str(classroom.course.path), "--state", str(classroom.layout.state)]
    # in a context of its own: a command remembers how it was called, for its hints
    run = copy_context().run
    done = run(CliRunner().invoke, app, [*words, *where], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_closed_lab_takes_nothing_until_it_is_opened_again(classroom: Classroom, submit: Submit) -> None:
    """For everybody, and for one: who was ill may hand in when the others may not."""
    submit("ada")
    assert "closed for everybody" in _class(classroom, "class", "close", LAB)
    with pytest.raises(RefusedError, match=r"01_square is closed.*Next: ask your instructor"):
        submit("ada")
    _class(classroom, "class", "reopen", LAB, "emmy")
    submit("emmy")
    with pytest.raises(RefusedError, match="is closed"):
        submit("ada")
    _class(classroom, "class", "reopen", LAB)
    submit("ada")
    _class(classroom, "class", "close", LAB, "hedy")
    submit("ida")
    with pytest.raises(RefusedError, match="is closed"):
        submit("hedy")
    with pytest.raises(RefusedError, match="Permission denied"):
        open_desk(classroom.layout, "hedy").set_open("tiny101", LAB, "hedy", True)


def test_a_forgotten_password_costs_a_line(classroom: Classroom) -> None:
    """It happens in the first minute of every class, and its instructor has a terminal, not Python."""
    role, name, word = _class(classroom, "class", "password", "ada").split()
    assert (role, name) == ("student", "ada")
    assert check_password(load_roster(classroom.layout), "ada", word)


def test_marks_follow_a_deadline_that_moves(classroom: Classroom, submit: Submit) -> None:
    """Nothing is graded again for it, and nobody has to remember to."""
    for student in ("ada", "emmy", "hedy"):
        submit(student, when=LATE)
    classroom.grade(LAB)
    assert _marks(classroom)["ada"] == (1.5, 1.5)
    assert classroom.extend(LAB, "ada", timedelta(days=1)) == ("ada",)
    assert _marks(classroom)["ada"] == (3, 0)
    out = _class(classroom, "class", "reopen", LAB, "--until", "2100-01-02 12:00:00")
    assert "the penalty for lateness changed for: emmy, hedy" in out
    assert {student: _marks(classroom)[student] for student in ("ada", "emmy", "hedy")} == dict.fromkeys(
        ("ada", "emmy", "hedy"), (3, 0)
    )
    with pytest.raises(UsageError, match="is due later than that"):
        classroom.reopen(LAB, until=datetime(2099, 1, 1))
    report = classroom.grade(LAB)
    assert [mark.score for mark in report.marks[:3]] == [3, 3, 3]


def test_what_course_yaml_says_by_now_counts(classroom: Classroom, submit: Submit) -> None:
    """The pages show its deadline: marks that follow another one would be no end of questions."""
    submit("ada", when=LATE)
    classroom.grade(LAB)
    assert _marks(classroom)["ada"] == (1.5, 1.5)
    path = classroom.course.path
    before = path.read_text()
    try:
        path.write_text(before.replace("percent_per_day: 50", "percent_per_day: 10"))
        classroom.course = Course.load(path)
        classroom.settle(LAB)
        assert _marks(classroom)["ada"] == pytest.approx((2.7, 0.3))
        path.write_text(before.replace("2100-01-01", "2100-02-01"))
        _class(classroom, "grade", LAB)
        assert _marks(classroom)["ada"] == (3.0, 0.0)
    finally:
        path.write_text(before)


def test_a_release_that_is_refused_leaves_the_lab_as_it_was(classroom: Classroom, submit: Submit) -> None:
    """nbgrader removes what was released before it looks whether the new one will do."""
    submit("ada")
    classroom.grade(LAB)
    path = classroom.course.path.parent / "notebooks" / LAB / "lab.py"
    before = path.read_text()
    try:
        path.write_text(before.replace('name="sign"', 'name="negative"'))
        with pytest.raises(ClassroomError, match="none may come, go, or get another name"):
            Classroom(classroom.course, classroom.layout.state).release(LAB)
    finally:
        path.write_text(before)
    submit("emmy")
    classroom.grade(LAB)
    assert _marks(classroom)["emmy"][0] == 3
    assert not (classroom.layout.course / ".released").exists()


def test_lateness_may_cost_one_student_something_else(classroom: Classroom, submit: Submit) -> None:
    """A doctor's letter is no matter for the whole class."""
    for student in ("ada", "emmy"):
        submit(student, when=LATE)
    classroom.grade(LAB)
    assert "per day 10" in _class(classroom, "class", "late", LAB, "ada", "--percent-per-day", "10")
    assert _marks(classroom)["ada"] == (2.7, pytest.approx(0.3))
    assert _marks(classroom)["emmy"] == (1.5, 1.5)
    assert classroom.grade(LAB).marks[0].score == 2.7
    _class(classroom, "class", "late", LAB, "ada", "--reset")
    assert _marks(classroom)["ada"] == (1.5, 1.5)
    with pytest.raises(UsageError, match="there is no student adda"):
        classroom.set_late(LAB, "adda", {"percent_per_day": 0})


def test_lateness_follows_what_a_person_gave(classroom: Classroom, submit: Submit) -> None:
    """Half of the mark is half of the whole mark, with the points that were given by hand."""
    from nbgrader.api import Gradebook

    submit("ada", "def square(x):\n    return 3 * x", when=LATE)
    classroom.grade(LAB)
    assert _marks(classroom)["ada"] == (1, 1)
    with Gradebook(f"sqlite:///{classroom.layout.course / 'gradebook.db'}", "tiny101") as book:
        book.find_grade("check_square_sign", LAB, LAB, "ada").extra_credit = 2
        book.db.commit()
    classroom.feedback(LAB)
    assert _marks(classroom)["ada"] == (2, 2)


def test_similar_answers_are_shown_side_by_side(classroom: Classroom, submit: Submit, tmp_path: Any) -> None:
    """The instructor reads them; the command only says where to look."""
    long = "def square({0}):\n    total = 0\n    for {1} in range(abs({0})):\n        total += abs({0}) * 1\n"
    long += "    if total != {0} * {0}:\n        raise ValueError(total)\n    return total"
    submit("ada", long.format("x", "step"))
    submit("emmy", long.format("number", "i"))
    submit("hedy")
    page = tmp_path / "similar.html"
    told = json.loads(_class(classroom, "class", "similarity", LAB, "--out", str(page), "--json"))
    assert [(pair["first"], pair["second"]) for pair in told["pairs"]] == [("ada", "emmy")]
    assert told["too_short"] == ["hedy"]
    assert "<mark>" in page.read_text()
    assert "100%" in _class(classroom, "class", "similarity", LAB)


def test_before_the_first_up_each_of_them_says_so(tiny_course: Path, tmp_path: Path) -> None:
    """A command on the first day makes no files, and names the next one."""
    fresh = Classroom(Course.load(tiny_course), tmp_path / "state")
    calls: tuple[Callable[[], Any], ...] = (
        lambda: fresh.close(LAB),
        lambda: fresh.reopen(LAB),
        lambda: fresh.extend(LAB, "ada", timedelta(days=1)),
        lambda: fresh.set_late(LAB, "ada", None),
        lambda: fresh.similarity(LAB),
        lambda: fresh.boards(LAB),
    )
    for call in calls:
        with pytest.raises(ClassroomError, match=r"was not released.*up` first"):
            call()
    assert not (tmp_path / "state").exists()


def test_rules_that_lateness_cannot_follow_are_refused_before_they_are_kept(
    classroom: Classroom, submit: Submit
) -> None:
    """A minus too many in a command had stopped grading, feedback and export of the lab from then on."""
    submit("ada", when=LATE)
    classroom.grade(LAB)
    with pytest.raises(UsageError, match=r"percent per day: .* 0, not -5"):
        _class(classroom, "class", "late", LAB, "ada", "--percent-per-day", "-5")
    assert classroom.settle(LAB) == (), "nothing of it is kept"
    kept = classroom.layout.course / "late_exceptions.json"
    kept.write_text(json.dumps({LAB: {"ada": {"days": 0}}}))
    with pytest.raises(
        ClassroomError, match=r"cannot be followed for ada: days.*class late 01_square ada --reset"
    ):
        classroom.settle(LAB)
    _class(classroom, "class", "late", LAB, "ada", "--reset")
    for wrong in ("nan", "-1", "1e9"):
        with pytest.raises(UsageError, match="days cannot be given"):
            _class(classroom, "extend", LAB, "ada", "--days", wrong)
    with pytest.raises(UsageError, match=r"cannot be written: Is a directory.*--out"):
        _class(classroom, "export", "--out", str(classroom.layout.state))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense://host/base", "Can't load plugin"),
        ("no url", "Could not parse"),
        ("postgresql+psycopg://teacher:secret@127.0.0.1:1/x", "Connection refused"),
    ],
)
def test_a_gradebook_that_cannot_be_opened_is_named(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch, url: str, says: str
) -> None:
    """A typing error in a variable, or a database that is down; its password is nobody's to read."""
    monkeypatch.setenv("FPGACLASS_GRADEBOOK", url)
    for use in (lambda: classroom.marks(LAB), lambda: classroom.extend(LAB, "ada", timedelta(days=1))):
        with pytest.raises(ClassroomError, match=f"cannot be used: .*{says}") as error:
            use()
        assert "secret" not in str(error.value)


def test_a_gradebook_that_somebody_writes_to_for_long_is_named(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A formgrader that hangs, or a browser of databases left open."""
    monkeypatch.setattr("fpgaclass.classroom.gradebook.database.PATIENCE", 0.2)
    with sqlite3.connect(classroom.layout.course / "gradebook.db") as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ClassroomError, match=r"database is locked.*another program writes to it"):
            classroom.extend(LAB, "ada", timedelta(days=1))
