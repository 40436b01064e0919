"""The verbs of `fpgaclass class`, status aside: password, close, reopen, late, similarity, board."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fpgaclass.classroom import Classroom
from fpgaclass.cli.options import CoursePath, Json, Lab, State, find_class, write_out
from fpgaclass.core import UsageError
from fpgaclass.course import Course

Whom = Annotated[str | None, typer.Argument(help="Only this student; without, everybody.")]


def close(lab: Lab, student: Whom = None, course: CoursePath = None, state: State = None) -> None:
    """Take no more submissions of a lab."""
    _class(course, state).close(lab, student)
    print(f"{lab} is closed for {student or 'everybody'}")


def reopen(
    lab: Lab,
    student: Whom = None,
    until: Annotated[
        datetime | None, typer.Option(help="A later deadline, in the course's time zone; marks follow.")
    ] = None,
    course: CoursePath = None,
    state: State = None,
) -> None:
    """Take submissions of a lab again, perhaps with a later deadline."""
    changed = _class(course, state).reopen(lab, student, until)
    print(f"{lab} is open for {student or 'everybody'}{f', until {until:%Y-%m-%d %H:%M}' if until else ''}")
    _print_changed(changed)


def late(
    lab: Lab,
    student: Annotated[str, typer.Argument(help="The login name.")],
    percent_per_day: Annotated[int | None, typer.Option(help="Per cent of the mark for each day.")] = None,
    grace_minutes: Annotated[int | None, typer.Option(help="Minutes that cost nothing.")] = None,
    days: Annotated[int | None, typer.Option(help="After so many days nothing is left.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="The same as everybody again.")] = False,
    course: CoursePath = None,
    state: State = None,
) -> None:
    """Let lateness cost one student something else; marks that are there follow at once."""
    named = {"percent_per_day": percent_per_day, "grace_minutes": grace_minutes, "days": days}
    rules = {name: value for name, value in named.items() if value is not None}
    if bool(rules) == reset:
        raise UsageError("give what differs for this student, or --reset", next_step="--percent-per-day 0")
    changed = _class(course, state).set_late(lab, student, None if reset else rules)
    said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in rules.items())
    print(f"lateness in {lab} costs {student} {said or 'what it costs everybody'}")
    _print_changed(changed)


def similarity(
    lab: Lab,
    least: Annotated[float, typer.Option(min=0, max=1, help="Leave out pairs below this similarity.")] = 0.5,
    out: Annotated[Path | None, typer.Option(help="Write a page with both answers side by side.")] = None,
    course: CoursePath = None,
    state: State = None,
    as_json: Json = False,
) -> None:
    """Compare the submissions of a lab, each with each: who wrote what somebody else wrote."""
    from fpgaclass.classroom.similarity import similarity_page

    report = _class(course, state).similarity(lab, least=least)
    if out is not None:
        write_out(out, similarity_page(report))
    if as_json:
        print(json.dumps(report.as_dict(), indent=2))
        return
    Console().print(report.table())
    if report.too_short:
        print(f"too little to compare: {', '.join(report.too_short)}")
    if out is not None:
        print(out)


def board(lab: Lab, course: CoursePath = None, state: State = None, as_json: Json = False) -> None:
    """Show the leaderboard of a contest lab."""
    boards = _class(course, state).boards(lab)
    if as_json:
        print(json.dumps([asdict(one) for one in boards], indent=2))
        return
    if not boards:
        print(f"no check of {lab} puts a figure on a board, or nothing has been graded")
    for one in boards:
        title = f"{lab}: {one.figure}, the {one.best} wins"
        table = Table("", "student", title=title, title_justify="left", title_style="bold")
        table.add_column(one.unit or "value", justify="right")
        for place in one.places:
            table.add_row(str(place.rank), place.student, f"{place.value:.6g}")
        Console().print(table)


def password(
    name: Annotated[str, typer.Argument(help="The login name.")],
    course: CoursePath = None,
    state: State = None,
) -> None:
    """Give somebody a new password, and print it; the class may be up."""
    login = _class(course, state).reset_password(name)
    print(f"{login.role}  {login.name}  {login.password}")


def _class(course: Path | None, state: Path | None) -> Any:
    return Classroom(Course.load(find_class(course, state)), state)


def _print_changed(changed: tuple[str, ...]) -> None:
    if changed:
        print(f"the penalty for lateness changed for: {', '.join(changed)}")


VERBS = (password, close, reopen, late, similarity, board)
