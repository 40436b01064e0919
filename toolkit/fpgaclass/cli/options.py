"""Options that several verbs share, and how a course is found."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from fpgaclass.classroom.hints import speak_as
from fpgaclass.core import UsageError, say

_FILE = Path("course") / "course.yaml"
_PACKAGE = Path(__file__).parents[1]

Json = Annotated[bool, typer.Option("--json", help="Print data instead of a table.")]
CoursePath = Annotated[
    Path | None,
    typer.Option("--course", help="A course.yaml or its folder; the one you stand in, else the demo course."),
]
State = Annotated[
    Path | None, typer.Option("--state", help="The folder of all that the class makes; yours by default.")
]
Lab = Annotated[str, typer.Argument(help="Name of the lab, such as 01_muon_momentum.")]


def find_class(course: Path | None, state: Path | None) -> Path:
    """Return the course that is meant, as `find_course` does, and have hints name the same class again."""
    given = {"--course": course, "--state": state}
    speak_as(program(), [word for name, value in given.items() if value for word in (name, str(value))])
    return find_course(course)


def write_out(path: Path, text: str) -> None:
    """Write what ``--out`` asks for.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as trouble:
        step = "name a file in a folder that is there with --out"
        text = f"the file cannot be written: {trouble.strerror or trouble}"
        raise UsageError(text, where=str(path), next_step=step) from trouble


def program() -> str:
    """Return what somebody types to get this program: its name, or the launcher of a clone."""
    launcher = _PACKAGE.parents[1] / "fpgaclass"
    here = Path(sys.argv[0]).resolve()
    found = shutil.which("fpgaclass")
    if (found and Path(found).resolve() == here) or not launcher.is_file():
        return "fpgaclass"
    return "./fpgaclass" if launcher.parent == Path.cwd() else str(launcher)


def find_course(given: Path | None) -> Path:
    """Return the course that is meant: the given one, the nearest upwards from here, or the demo course.

    Raises:
        UsageError: the given one is not there.
    """
    if given is not None:
        if not given.exists():
            raise UsageError("there is no such course", where=str(given), next_step="give a course.yaml")
        return given
    here = Path.cwd()
    for folder in (here, *here.parents):
        for found in (folder / _FILE.name, folder / _FILE):
            if found.is_file():
                return found
    for demo in (_PACKAGE.parents[1] / _FILE, _PACKAGE / "demo" / _FILE):
        if demo.is_file():
            return demo
    raise UsageError("no course was found", where=str(here), next_step="give one with --course")


@contextmanager
def told_on_interrupt(text: str) -> Iterator[None]:
    """Say how to go on when somebody presses Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        again = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one does not cut the line short
        say(text)
        signal.signal(signal.SIGINT, again)
        raise
