"""The verbs for marks that are there: export, extend."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from fpgaclass.classroom import Classroom
from fpgaclass.classroom.export import FORMATS, export_marks
from fpgaclass.cli.options import CoursePath, Lab, State, find_class
from fpgaclass.core import UsageError
from fpgaclass.course import Course


def export(
    lab: Annotated[str | None, typer.Argument(help="Only this lab.")] = None,
    form: Annotated[str, typer.Option("--format", help="csv, moodle or lti.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="Write it there; without, it is printed.")] = None,
    course: CoursePath = None,
    state: State = None,
) -> None:
    """Write the marks as a table, for Moodle, or as LTI scores."""
    if form not in FORMATS:
        raise UsageError(f"there is no format {form}", next_step=f"one of: {', '.join(FORMATS)}")
    found = Classroom(Course.load(find_class(course, state)), state)
    for one in [lab] if lab else [entry.name for entry in found.course.labs if entry.released]:
        found.settle(one)  # a person may have given points since it was graded
    text = export_marks(found.marks(lab), form)
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, encoding="utf-8")
        print(out)


def extend(
    lab: Lab,
    student: Annotated[str, typer.Argument(help="The login name.")],
    days: Annotated[float, typer.Option(help="Days after the deadline; 0 takes it back.")],
    course: CoursePath = None,
    state: State = None,
) -> None:
    """Give a student more time for a lab; marks that are there follow at once."""
    found = Classroom(Course.load(find_class(course, state)), state)
    changed = found.extend(lab, student, timedelta(days=days))
    print(f"{student} has {days:g} days more for {lab}")
    if changed:
        print("the penalty for lateness changed")


VERBS = (export, extend)
