"""The verbs for marks that are there: export, extend."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from fpgaclass.classroom import Classroom
from fpgaclass.classroom.gradebook.export import FORMATS, export_marks
from fpgaclass.cli.options import CoursePath, Lab, State, find_class, write_out
from fpgaclass.core import UsageError
from fpgaclass.course import Course

_LONGEST = 366


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
        write_out(out, text)
        print(out)


def extend(
    lab: Lab,
    student: Annotated[str, typer.Argument(help="The login name.")],
    days: Annotated[float, typer.Option(help="Days after the deadline; 0 takes it back.")],
    course: CoursePath = None,
    state: State = None,
) -> None:
    """Give a student more time for a lab; marks that are there follow at once."""
    if not 0 <= days <= _LONGEST:  # and what is no number is neither
        step = f"give 0 to {_LONGEST}; to end a lab earlier, change its deadline in course.yaml"
        raise UsageError(f"{days:g} days cannot be given", where="--days", next_step=step)
    found = Classroom(Course.load(find_class(course, state)), state)
    changed = found.extend(lab, student, timedelta(days=days))
    print(f"{student} has {days:g} days more for {lab}")
    if changed:
        print("the penalty for lateness changed")


VERBS = (export, extend)
