"""Collect and grade: for a whole class, with one student's broken file stopping nobody else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, tzinfo
from typing import Any

from rich.table import Table

from fpgaclass.classroom.gradebook.gradebook import gradebook_url
from fpgaclass.classroom.grading.marking import Marked, Settings
from fpgaclass.classroom.grading.marking import mark as mark_lab
from fpgaclass.classroom.hints import command
from fpgaclass.classroom.layout import Layout, locked
from fpgaclass.classroom.nbgrader_course import Mark, api_log, late_policy, nbgrader_api, read_marks
from fpgaclass.core import ClassroomError, UsageError, stage, warn
from fpgaclass.engine.sandbox import NoJail, find_jail


@dataclass(frozen=True)
class Collected:
    """What a collection brought.

    Attributes:
        lab: the lab's name.
        students: whose submissions are there now, new or from before.
        notes: what was left out or looks odd, a line each.
    """

    lab: str
    students: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class GradeReport:
    """The marks of a lab.

    Attributes:
        lab: the lab's name.
        marks: one for each student of the class.
        notes: what collecting left out, a line each.
        jailed: True if the students' code ran in a jail.
    """

    lab: str
    marks: tuple[Mark, ...]
    notes: tuple[str, ...]
    jailed: bool

    @property
    def failed(self) -> tuple[Mark, ...]:
        """The submissions that could not be graded, through their own fault or the machine's."""
        return tuple(mark for mark in self.marks if mark.status in ("failed", "not run"))

    def table(self, zone: tzinfo = UTC) -> Table:
        """Return the marks as a table for a terminal of 80 columns.

        Args:
            zone: of the times in it.
        """
        table = Table(title=self.lab, title_justify="left", title_style="bold")
        for heading in ("student", "mark", "of", "late", "status", f"submitted ({zone})"):
            table.add_column(heading, justify="right" if heading in ("mark", "of", "late") else "left")
        for mark in self.marks:
            score = "" if mark.score is None else f"{mark.score:g}"
            late = f"-{mark.penalty:g}" if mark.penalty else ""
            when = f"{mark.submitted.astimezone(zone):%d %b %H:%M}" if mark.submitted else ""
            table.add_row(mark.student, score, f"{mark.max_score:g}", late, mark.status, when)
        return table

    def words(self) -> tuple[str, ...]:
        """Return what there is to say of single submissions, and what collecting left out: a line each.

        Names of files in it are students': what would move a terminal's cursor stands there as a ``?``.
        """
        said = (*(f"{mark.student}: {mark.note}" for mark in self.marks if mark.note), *self.notes)
        return tuple("".join(one if one.isprintable() else "?" for one in line) for line in said)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON."""
        data = asdict(self)
        for mark in data["marks"]:
            mark["submitted"] = mark["submitted"].isoformat() if mark["submitted"] else None
        return data


def collect(layout: Layout, lab: str) -> Collected:
    """Bring the newest submission of each student from the exchange into the course folder.

    Raises:
        ClassroomError: the lab was never released, or nbgrader failed.
    """
    check_released(layout, lab)
    with nbgrader_api(layout) as api:
        return _collect(layout, lab, api)


def grade(
    layout: Layout,
    lab: str,
    students: Sequence[str],
    student: str | None = None,
    *,
    settings: Settings | None = None,
    collect_first: bool = True,
) -> GradeReport:
    """Collect a lab and grade what is there and has changed, showing bars; return everybody's marks.

    Args:
        layout: the class.
        lab: the lab's name.
        students: the class.
        student: grade only this one.
        settings: how many at once, where, with which limits.
        collect_first: False to grade what is in the course folder already.

    Raises:
        UsageError: there is no such student.
        ClassroomError: the lab was never released, somebody else is grading, or students' code cannot be
            jailed here and `Settings.jailed` does not say to go without.
    """
    settings = settings or Settings()
    check_released(layout, lab)
    if student is not None and student not in students:
        step = f"students: {', '.join(students)}"
        raise UsageError(f"there is no student {student}", where="the class", next_step=step)
    _require_jail(settings)
    notes: tuple[str, ...] = ()
    if collect_first:
        with stage("collect", "nbgrader"), nbgrader_api(layout) as api:
            notes = _collect(layout, lab, api).notes
    with locked(layout.course_lock, "working on this course"):
        marked = mark_lab(
            layout.course,
            layout.course_id,
            lab,
            gradebook_url(layout.course),
            lambda name: late_policy(layout.course, lab, name),
            only=student,
            settings=settings,
        )
    by_student = {one.student: one for one in marked}
    shown = [
        _with_outcome(found, by_student.get(found.student))
        for found in read_marks(layout, [lab], students)
        if student in (None, found.student)
    ]
    return GradeReport(lab, tuple(shown), notes, settings.jailed)


def _require_jail(settings: Settings) -> None:
    jail = find_jail()
    if not settings.jailed:
        warn(
            "students' code will run WITHOUT a sandbox, as your own user: it can read and change all you can"
        )
    elif isinstance(jail, NoJail) and not settings.scheduler:
        step = f"{jail.next_step}; or --unsafe-no-sandbox, if you trust every line that was submitted"
        raise ClassroomError(f"students' code cannot be jailed here: {jail.reason}", next_step=step)


def _with_outcome(found: Mark, marked: Marked | None) -> Mark:
    """Add to a mark what this run has to say of it."""
    if marked is None:
        return found
    if marked.status in ("failed", "not run"):
        return replace(found, status=marked.status, score=None, note=marked.note)
    return replace(found, note=marked.note)


def _collect(layout: Layout, lab: str, api: Any) -> Collected:
    log = api_log(layout, api.collect(lab), f"{lab} was not collected")
    notes = tuple(re.findall(r"^\[(?:WARNING|ERROR)\] (\S+: .*)$", log, flags=re.MULTILINE))
    there = sorted(
        path.parent.name for path in (layout.course / "submitted").glob(f"*/{lab}") if path.is_dir()
    )
    return Collected(lab, tuple(there), notes)


def check_released(layout: Layout, lab: str) -> None:
    """Check that a lab was released.

    Raises:
        ClassroomError: it was not; the message says which were, or that the class was never up.
    """
    if not (layout.release / lab).is_dir():
        there = sorted(path.name for path in layout.release.glob("*"))
        step = f"labs: {', '.join(there)}" if there else f"run `{command('up')}` first: it releases the labs"
        raise ClassroomError(f"the lab {lab} was not released", where=str(layout.release), next_step=step)
