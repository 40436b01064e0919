"""The course's own labs: the notebooks are what lab.py gives, and every check is proved."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fpgaclass.course import Course, Lab, drift, gate
from fpgaclass.course.percent import read_percent
from fpgaclass.engine import NoJail, find_jail

COURSE = Course.load(Path(__file__).parents[2] / "course")
LABS = [entry.name for entry in COURSE.labs]


def test_the_students_notebooks_are_what_lab_py_gives() -> None:
    """`fpgaclass course notebooks` writes them again."""
    assert [str(one) for one in drift(COURSE)] == []


@pytest.mark.parametrize("name", LABS)
def test_jupytext_reads_the_same_lab(name: str) -> None:
    """An instructor may open lab.py as a notebook, and must find what students get."""
    import jupytext

    path = COURSE.lab(name).path
    theirs = [cell.source for cell in jupytext.read(path).cells if cell.cell_type != "raw"]
    assert [cell.source for cell in read_percent(path).cells] == theirs


@pytest.mark.parametrize("name", LABS)
def test_every_task_has_wrong_answers_of_more_than_one_kind(name: str) -> None:
    """A single wrong answer shows that a check can fail, and not what it lets through."""
    lab = COURSE.lab(name)
    single = [task for task in lab.tasks if len(lab.of("wrong", task)) < 2]
    assert single == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in LABS])
def test_the_gate(name: str) -> None:
    """Real grading: the solution full, the blank nothing, each wrong answer less."""
    lab: Lab = COURSE.lab(name)
    report = gate(lab, jobs=1 if "PYTEST_XDIST_WORKER" in os.environ else 2)
    print(report.table())
    assert report.ok, report.table()


@pytest.mark.proof
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", LABS)
def test_the_solution_in_the_jail(name: str) -> None:
    """Where submissions run nothing is found in a cache, and no device of the machine is there."""
    if isinstance(find_jail(), NoJail):
        pytest.skip(find_jail().reason)
    report = gate(COURSE.lab(name), only="solution", jailed=True)
    assert report.ok, report.table()
    assert report.runs[0].seconds < 300, "a student should not wait longer for the whole notebook"
