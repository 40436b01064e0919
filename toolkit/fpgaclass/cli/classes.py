"""The verbs of a class: up, down, status, release, collect, grade, feedback."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from fpgaclass import classroom
from fpgaclass.classroom.hints import command
from fpgaclass.cli import machine
from fpgaclass.cli.options import CoursePath, Json, Lab, State, find_class, told_on_interrupt
from fpgaclass.course import Course


def up(
    course: CoursePath = None,
    port: Annotated[int, typer.Option(help="Where people log in, on 127.0.0.1.")] = 8000,
    state: State = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once the class is up.")] = False,
    idle_minutes: Annotated[int, typer.Option(help="Stop a server unused for so long; 0 for never.")] = 240,
) -> None:
    """Bring the class up on this machine: students log in, train, build, run, submit."""
    for ensure in machine.ENSURE["up"]:
        ensure()
    classroom.up(find_class(course, state), port, state, foreground=not detach, idle_minutes=idle_minutes)


def down(course: CoursePath = None, state: State = None) -> None:
    """Take the class down; everybody's work and marks stay."""
    was_up = classroom.down(find_class(course, state), state)
    print("The class is down. Everybody's work is kept." if was_up else "The class was not up.")


def status(course: CoursePath = None, state: State = None, as_json: Json = False) -> None:
    """Tell what the class is doing."""
    found = classroom.status(find_class(course, state), state)
    if as_json:
        print(json.dumps(asdict(found), indent=2, default=str))
        return
    print(f"{found.course_id} is {f'up: {found.url}' if found.url else 'down'}")
    print(f"students: {', '.join(found.students) or 'none'}")
    for lab in found.labs:
        print(f"{lab}: {found.submissions[lab]} of {len(found.students)} submitted")
    if found.separated:
        print(f"servers are not separated: {found.separated}")
    print(f"limits: {found.limits}")
    if found.disk:
        print(f"disk: {found.disk}")
    print(f"state: {found.state}\nlog: {found.log}")


def release(lab: Lab, course: CoursePath = None, state: State = None) -> None:
    """Give a lab to the students, again if it was given before."""
    classroom.release(find_class(course, state), lab, state)


def collect(lab: Lab, course: CoursePath = None, state: State = None) -> None:
    """Bring the submissions of a lab into the course folder."""
    collected = classroom.collect(find_class(course, state), lab, state)
    for note in collected.notes:
        print(note)
    print(f"{lab}: {len(collected.students)} submissions collected")


def grade(
    lab: Lab,
    student: Annotated[str | None, typer.Option(help="Only this student.")] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Submissions at once; 0 for one a processor.")] = 0,
    scheduler: Annotated[
        str | None, typer.Option(help="Run them on the workers of a Dask scheduler, tcp://host:8786.")
    ] = None,
    cell_seconds: Annotated[float, typer.Option(help="No cell may take longer.")] = 600,
    again: Annotated[bool, typer.Option("--again", help="Grade what has not changed, too.")] = False,
    no_collect: Annotated[bool, typer.Option("--no-collect", help="Grade what is there.")] = False,
    unsafe_no_sandbox: Annotated[
        bool, typer.Option("--unsafe-no-sandbox", help="Run students' code as yourself, unprotected.")
    ] = False,
    course: CoursePath = None,
    state: State = None,
    as_json: Json = False,
) -> None:
    """Collect and grade a lab, what has changed of it; prints the marks."""
    settings = classroom.Settings(
        jobs=jobs or os.cpu_count() or 1,
        scheduler=scheduler,
        jailed=not unsafe_no_sandbox,
        cell_seconds=cell_seconds,
        again=again,
    )
    found = find_class(course, state)
    with told_on_interrupt(f"cut off; marks that are written stay, {command('grade', lab)} goes on"):
        report = classroom.grade(found, lab, student, state, settings=settings, collect_first=not no_collect)
    if as_json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        Console().print(report.table(ZoneInfo(Course.load(found).timezone)))
        for line in report.words():
            print(line)
    if report.failed:
        raise typer.Exit(1)


def feedback(
    lab: Lab,
    jobs: Annotated[int, typer.Option(min=0, help="Students at once; 0 for one a processor.")] = 0,
    course: CoursePath = None,
    state: State = None,
) -> None:
    """Give the feedback on a graded lab back to the students."""
    given = classroom.feedback(find_class(course, state), lab, state, jobs=jobs or os.cpu_count() or 1)
    print(f"feedback on {lab} for: {', '.join(given.students) or 'nobody yet'}")
    for note in given.notes:
        print(note)
    if given.notes:
        raise typer.Exit(1)


VERBS = (up, down, status, release, collect, grade, feedback)
