"""A course small enough that a whole class is up in seconds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fpgaclass.classroom import Classroom
from fpgaclass.course import Course

DATA = Path(__file__).parent / "data"
Submit = Callable[..., Path]


def write_course(folder: Path) -> Path:
    """Write the tiny course and return its course.yaml."""
    (folder / "notebooks" / "01_square").mkdir(parents=True)
    shutil.copy(DATA / "lab.txt", folder / "notebooks" / "01_square" / "lab.py")
    return Path(shutil.copy(DATA / "course.yaml", folder))


@pytest.fixture
def tiny_course(tmp_path: Path) -> Path:
    """The path of a course.yaml with one lab and six students."""
    return write_course(tmp_path / "course")


@pytest.fixture(scope="session")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, Path]:
    folder = tmp_path_factory.mktemp("prepared")
    course = Course.load(write_course(folder / "course"))
    Classroom(course, folder / "state").prepare()
    return course, folder / "state"


@pytest.fixture
def classroom(_prepared: tuple[Course, Path], tmp_path: Path) -> Iterator[Classroom]:
    """A class with its lab released, and no hub: nbgrader takes seconds to make one, so it is a copy."""
    course, state = _prepared
    shutil.copytree(state, tmp_path / "state", symlinks=True)
    made = Classroom(course, tmp_path / "state")
    yield made
    made.down()


@pytest.fixture
def submit(classroom: Classroom) -> Submit:
    """Put a submission into a student's box, as their server would."""

    def put(
        student: str,
        answer: str = "def square(x):\n    return x * x",
        *,
        when: datetime | None = None,
        signed: str = "",
        name: str = "01_square.ipynb",
        change: Callable[[str], str] = str,
    ) -> Path:
        import nbformat

        released = classroom.layout.outbound / "01_square" / "01_square.ipynb"
        notebook = nbformat.read(released, 4)
        next(cell for cell in notebook.cells if cell.id == "task_square").source = answer
        stamp = f"{when or datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"
        folder = classroom.layout.inbound(student) / f"{signed or student}+01_square+{stamp}+random"
        folder.mkdir(parents=True)
        (folder / name).write_text(change(nbformat.writes(notebook)))
        (folder / "timestamp.txt").write_text(stamp)
        (folder / "submission_secret.txt").write_text(os.urandom(8).hex())
        return folder

    return put
