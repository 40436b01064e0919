"""A course small enough that a whole class is up in seconds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fpgaclass.classroom import Classroom
from fpgaclass.classroom.exchange import Receipt, open_desk
from fpgaclass.course import Course

DATA = Path(__file__).parent / "data"
Submit = Callable[..., Receipt]


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
    """Hand in a lab as a student; ``when`` turns the server's clock."""

    def put(
        student: str,
        answer: str = "def square(x):\n    return x * x",
        *,
        when: datetime | None = None,
        name: str = "01_square.ipynb",
        change: Callable[[str], str] = str,
    ) -> Receipt:
        import nbformat
        from sqlalchemy import text

        desk = open_desk(classroom.layout, student)
        course = classroom.layout.course_id
        notebook = nbformat.reads(desk.released(course, "01_square")["01_square.ipynb"].decode(), 4)
        next(cell for cell in notebook.cells if cell.id == "task_square").source = answer
        receipt = desk.submit(course, "01_square", {name: change(nbformat.writes(notebook)).encode()})
        if when is not None:
            change_time = text("UPDATE submissions SET at = :at WHERE seal = :seal")
            at = when.astimezone(UTC).replace(tzinfo=None).strftime("%Y-%m-%d %H:%M:%S.%f")
            with desk.store.engine.begin() as db:
                db.execute(change_time, {"at": at, "seal": receipt.seal})
        return receipt

    return put
