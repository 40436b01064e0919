"""The verbs for those who write labs: gate, notebooks."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from fpgaclass.cli.options import CoursePath, Json, find_course
from fpgaclass.core import FpgaClassError
from fpgaclass.course import Course, drift, write_student_notebooks
from fpgaclass.course import gate as run_gate

app = typer.Typer(name="course", help="For those who write labs.", no_args_is_help=True)


@app.command()
def gate(
    lab: Annotated[str | None, typer.Argument(help="Only this lab.")] = None,
    jobs: Annotated[int, typer.Option(help="Notebooks graded at once.")] = 2,
    only: Annotated[
        str, typer.Option(help="Only runs whose name fits, such as 'solution' or 'cut/*'.")
    ] = "*",
    whole: Annotated[bool, typer.Option("--whole", help="Wrong answers in the whole notebook.")] = False,
    jailed: Annotated[
        bool, typer.Option("--jailed", help="In the jail, as submissions run; nothing is found in a cache.")
    ] = False,
    course: CoursePath = None,
    as_json: Json = False,
) -> None:
    """Prove by real grading that a lab's checks pass what is right and nothing else."""
    labs = Course.load(find_course(course))
    wanted = [entry.name for entry in labs.labs if lab in (None, entry.name)]
    reports = [run_gate(labs.lab(name), jobs=jobs, only=only, whole=whole, jailed=jailed) for name in wanted]
    if not reports:
        labs.entry(lab or "")
    if as_json:
        print(json.dumps([report.to_dict() for report in reports], indent=2))
    else:
        for report in reports:
            print(report.table())
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


@app.command()
def notebooks(
    check: Annotated[bool, typer.Option("--check", help="Only tell whether they are up to date.")] = False,
    course: CoursePath = None,
) -> None:
    """Write the students' notebooks from each lab.py."""
    labs = Course.load(find_course(course))
    if check:
        stale = drift(labs)
        for one in stale:
            print(one)
        if stale:
            raise FpgaClassError("notebooks differ from their lab.py", next_step="fpgaclass course notebooks")
    else:
        for path in write_student_notebooks(labs):
            print(path)
