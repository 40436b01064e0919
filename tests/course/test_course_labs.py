"""The course's own labs, through the gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaclass.course import Course, drift, gate

COURSE = Course.load(Path(__file__).parents[2] / "course" / "course.yaml")


def test_the_students_notebooks_are_those_of_the_labs() -> None:
    """A notebook that lags behind its lab.py is graded by checks that the student never saw."""
    assert not drift(COURSE), "run ./fpgaclass course notebooks"


@pytest.mark.slow
@pytest.mark.parametrize("name", [entry.name for entry in COURSE.labs])
def test_every_check_checks(name: str) -> None:
    """The solution gets full marks, the blank none, and every listed wrong answer loses what it must."""
    report = gate(COURSE.lab(name), jobs=2)
    assert report.ok, report.table()
    assert {run.name for run in report.runs} >= {"solution", "blank"}
    assert len(report.runs) > 10, "each task has wrong answers"
    seconds = report.runs[0].seconds
    assert seconds < 300, f"a student waits {seconds:.0f} s for the whole lab; five minutes are the limit"
