"""A lab with each kind of cell, released by nbgrader, and submissions of it: no hub, no exchange."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.classroom.grading.marking import Marked, Settings, mark
from fpgaclass.course import Course, LatePolicy, release
from fpgaclass.engine import NoJail, cool_down, find_jail

LAB = "01_small"
SQUARE = "def square(x):\n    return x * x"
ORDER = "def order(numbers):\n    numbers.sort()\n    return len(numbers)\n\n\nbest = max(3, 4)"
Change = Callable[[list[dict[str, Any]]], None]


@dataclass(frozen=True)
class Marks:
    """What the gradebook says of a submission: points by cell, what waits for a person, comments."""

    points: dict[str, float | None]
    waiting: tuple[str, ...]
    comments: dict[str, str | None]
    penalty: float | None

    @property
    def total(self) -> float:
        """The points of the checks."""
        return sum(score or 0.0 for score in self.points.values())


@dataclass(frozen=True)
class Folder:
    """nbgrader's course folder, with what the tests do to it."""

    root: Path

    @property
    def url(self) -> str:
        """Its gradebook."""
        return f"sqlite:///{self.root / 'gradebook.db'}"

    def released(self) -> Any:
        """Return the lab as the students get it."""
        return json.loads((self.root / "release" / LAB / f"{LAB}.ipynb").read_text())

    def submit(
        self,
        student: str,
        square: str | None = SQUARE,
        order: str | None = ORDER,
        *,
        change: Change | None = None,
        text: Callable[[str], str] = str,
        name: str = f"{LAB}.ipynb",
        when: str = "2099-12-31 10:00:00 UTC",
    ) -> Path:
        """Put a submission where collecting puts it."""
        notebook = self.released()
        for cell in notebook["cells"]:
            given = {"task_square": square, "task_order": order}.get(cell["id"])
            if given is not None:
                cell["source"] = given
        if change:
            change(notebook["cells"])
        folder = self.root / "submitted" / student / LAB
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / name).write_text(text(json.dumps(notebook)))
        (folder / "timestamp.txt").write_text(when)
        return folder

    def mark(self, only: str | None = None, late: LatePolicy | None = None, **how: Any) -> dict[str, Marked]:
        """Grade what was submitted."""
        policy = late or LatePolicy()
        how.setdefault("jailed", not isinstance(find_jail(), NoJail))
        done = mark(
            self.root, self.root.name, LAB, self.url, lambda _: policy, only=only, settings=Settings(**how)
        )
        return {one.student: one for one in done}

    def read(self, student: str, notebook: str = LAB, lab: str = LAB) -> Marks:
        """Read the gradebook through nbgrader's own interface."""
        from nbgrader.api import Gradebook

        with Gradebook(self.url, self.root.name) as book:
            found = book.find_submission_notebook(notebook, lab, student)
            return Marks(
                {one.name: one.auto_score for one in found.grades},
                tuple(sorted(one.name for one in found.grades if one.needs_manual_grade)),
                {one.name: one.auto_comment for one in found.comments},
                found.late_submission_penalty,
            )

    def graded(self, student: str) -> Any:
        """Return the graded notebook."""
        return json.loads((self.root / "autograded" / student / LAB / f"{LAB}.ipynb").read_text())


def make_folder(root: Path, lab: Path) -> Folder:
    """Release a lab into a new course folder, as `up` does."""
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    notebooks = root.with_name(f"{root.name}-notebooks")
    (notebooks / LAB).mkdir(parents=True)
    shutil.copy(lab, notebooks / LAB / "lab.py")
    course = {
        "course_id": "small",
        "title": "Small",
        "notebooks": str(notebooks),
        "instructors": ["teacher"],
        "labs": [{"name": LAB, "points": 8, "deadline": "2100-01-01 00:00:00"}],
    }
    path = notebooks / "course.yaml"
    path.write_text(json.dumps(course))
    root.mkdir()
    release(Course.load(path), LAB, root)
    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.course_id = root.name
    here, old = Path.cwd(), os.environ["PATH"]
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{old}"  # nbgrader starts alembic by its name
    try:
        with Gradebook(f"sqlite:///{root / 'gradebook.db'}", root.name) as book:
            book.add_assignment(LAB, duedate="2100-01-01 00:00:00")
        done = NbGraderAPI(CourseDirectory(config=config), config=config).generate_assignment(LAB)
    finally:
        os.chdir(here)
        os.environ["PATH"] = old
    assert done["success"], done["log"]
    return Folder(root)


@pytest.fixture(scope="session")
def make() -> Callable[[Path, Path], Folder]:
    """Release a lab into a new course folder."""
    return make_folder


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    yield make_folder(tmp_path_factory.mktemp("made") / "small", Path(__file__).parent / "data" / "lab.txt")
    cool_down()


@pytest.fixture
def folder(_made: Folder, tmp_path: Path) -> Folder:
    """A course folder of this test's own."""
    return Folder(Path(shutil.copytree(_made.root, tmp_path / "small")))
