"""The class: JupyterHub, the exchange, grading in a jail, feedback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fpgaclass.classroom.classroom import Classroom, ClassStatus
from fpgaclass.classroom.grading.giving import Given
from fpgaclass.classroom.grading.grading import Collected, GradeReport
from fpgaclass.classroom.grading.marking import Settings
from fpgaclass.classroom.nbgrader_course import Mark
from fpgaclass.classroom.roster import Login
from fpgaclass.course import Course

if TYPE_CHECKING:
    from fpgaclass.classroom.service.glance import Glance

__all__ = [
    "ClassStatus",
    "Classroom",
    "Collected",
    "Given",
    "GradeReport",
    "Login",
    "Mark",
    "Settings",
    "collect",
    "down",
    "feedback",
    "glance",
    "grade",
    "release",
    "status",
    "up",
]


def up(
    course_path: Path | str,
    port: int = 8000,
    state: Path | str | None = None,
    foreground: bool = True,
    idle_minutes: float = 0,
) -> ClassStatus:
    """Bring up the class of a course.yaml; see `Classroom.up`."""
    return _classroom(course_path, state).up(port, foreground=foreground, idle_minutes=idle_minutes)


def down(course_path: Path | str, state: Path | str | None = None) -> bool:
    """Take a class down; return False if it was not up."""
    return _classroom(course_path, state).down()


def status(course_path: Path | str, state: Path | str | None = None) -> ClassStatus:
    """Return what a class is doing."""
    return _classroom(course_path, state).status()


def glance(course_path: Path | str, state: Path | str | None = None) -> Glance:
    """Return the class at a glance: each student's checks, submissions and marks, lab by lab."""
    return _classroom(course_path, state).glance()


def release(course_path: Path | str, lab: str, state: Path | str | None = None) -> None:
    """Give a lab to the students, again if it was given before."""
    _classroom(course_path, state).release(lab)


def collect(course_path: Path | str, lab: str, state: Path | str | None = None) -> Collected:
    """Bring the submissions of a lab into the course folder."""
    return _classroom(course_path, state).collect(lab)


def grade(
    course_path: Path | str,
    lab: str,
    student: str | None = None,
    state: Path | str | None = None,
    *,
    settings: Settings | None = None,
    collect_first: bool = True,
) -> GradeReport:
    """Collect and grade a lab, for everybody or for one student."""
    return _classroom(course_path, state).grade(lab, student, settings=settings, collect_first=collect_first)


def feedback(course_path: Path | str, lab: str, state: Path | str | None = None, *, jobs: int = 1) -> Given:
    """Give the feedback on a graded lab back, written for so many students at once."""
    return _classroom(course_path, state).feedback(lab, jobs=jobs)


def _classroom(course_path: Path | str, state: Path | str | None) -> Classroom:
    return Classroom(Course.load(course_path), state)
