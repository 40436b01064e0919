"""The formgrader's button: nbgrader's own steps around the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbformat import v4

from fpgaclass.classroom import Classroom
from fpgaclass.classroom.grading.execute import JailedExecute
from fpgaclass.classroom.nbgrader_course import nbgrader_api, read_marks
from fpgaclass.core import ClassroomError
from fpgaclass.engine import NoJail, find_jail

LAB = "01_square"


def test_the_button_gives_the_marks_of_the_command(classroom: Classroom, submit: Callable[..., Any]) -> None:
    """Two ways to grade with two results would be a quarrel with a student."""
    if isinstance(find_jail(), NoJail):
        pytest.skip(find_jail().reason)
    submit("ada")
    submit("emmy", "def square(x):\n    return 3 * x")
    submit("ida", "class E:\n    def __eq__(self, other): return True\ndef square(x): return E()")
    classroom.collect(LAB)
    with nbgrader_api(classroom.layout) as api:
        for student in ("ada", "emmy", "ida"):
            done = api.autograde(LAB, student)
            assert done["success"], done["log"]
    pressed = read_marks(classroom.layout, [LAB], ("ada", "emmy", "ida"))
    assert [mark.score for mark in pressed] == [3, 2, 0]
    assert [mark.score for mark in classroom.grade(LAB).marks[:2]] == [3, 2]


def test_a_server_of_a_class_with_jails_never_goes_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The formgrader's button must not run students' code where it can change the gradebook."""
    monkeypatch.setenv("FPGACLASS_SEAT", "jailed")
    monkeypatch.setenv("FPGACLASS_NO_JAIL", "1")
    find_jail.cache_clear()
    try:
        with pytest.raises(ClassroomError, match=r"cannot be run safely.*Next: run `fpgaclass grade`"):
            JailedExecute().preprocess(v4.new_notebook(), {"metadata": {"path": str(tmp_path)}})
    finally:
        find_jail.cache_clear()


def test_a_button_that_cannot_work_says_so_in_one_line(
    classroom: Classroom, submit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where root runs the class, its servers cannot make jails of their own; a traceback helps nobody."""
    submit("ada")
    classroom.collect(LAB)
    monkeypatch.setenv("FPGACLASS_SEAT", "jailed")
    monkeypatch.setenv("FPGACLASS_NO_JAIL", "1")
    find_jail.cache_clear()
    try:
        with nbgrader_api(classroom.layout) as api:
            done = api.autograde(LAB, "ada")
    finally:
        find_jail.cache_clear()
    assert done["success"] is False
    assert done["log"].count("\n") == 0
    assert f"Next: run `fpgaclass grade {LAB} --student ada` in a terminal" in done["log"]
    assert "error" not in done, "the page would show a traceback"
    assert not (classroom.layout.course / "autograded").exists()


def test_without_a_jail_grading_refuses_unless_told(
    classroom: Classroom, submit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A warning that scrolls by is no protection; whoever wants it unsafe says so in so many words."""
    from fpgaclass.classroom import Settings

    submit("ada")
    monkeypatch.setenv("FPGACLASS_NO_JAIL", "1")
    find_jail.cache_clear()
    try:
        with pytest.raises(ClassroomError, match=r"cannot be jailed here.*--unsafe-no-sandbox"):
            classroom.grade(LAB)
        report = classroom.grade(LAB, settings=Settings(jailed=False))
    finally:
        find_jail.cache_clear()
    assert report.marks[0].score == 3
    assert not report.jailed
    assert "WITHOUT a sandbox" in capsys.readouterr().err
