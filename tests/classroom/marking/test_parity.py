"""The same marks as nbgrader for honest work: on its own example course, and on a lab of ours."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from fpgaclass.classroom.grading.marking import Settings, mark
from fpgaclass.course import LatePolicy
from fpgaclass.engine import NoJail, find_jail, rules

ANSWERS = {
    "right": {
        "squares": "def squares(n):\n    if n < 1:\n        raise ValueError('small')\n"
        "    return [i ** 2 for i in range(1, n + 1)]",
        "sum_of_squares": "def sum_of_squares(n):\n    return sum(squares(n))",
        "sum_of_squares_equation": r"$\sum i^2$",
        "sum_of_squares_application": "def pyramidal_number(n):\n    return sum_of_squares(n)",
        "part-a": "Fibonacci.",
    },
    "no_error_raised": {
        "squares": "def squares(n):\n    return [i ** 2 for i in range(1, n + 1)]",
        "sum_of_squares": "def sum_of_squares(n):\n    return sum(squares(n))",
    },
    "not_used": {
        "squares": "import numpy as np\ndef squares(n):\n    if n < 1: raise ValueError()\n"
        "    return [int(x) for x in np.arange(1, n + 1) ** 2]",
        "sum_of_squares": "def sum_of_squares(n):\n    return n * (n + 1) * (2 * n + 1) // 6",
    },
    "helper": {
        "squares": "def _check(n):\n    if n < 1:\n        raise ValueError(n)\n\n"
        "def squares(n):\n    _check(n)\n    print('computing')\n"
        "    return list(map(lambda i: i * i, range(1, n + 1)))",
        "sum_of_squares": "def sum_of_squares(n):\n    total = 0\n    for s in squares(n):\n"
        "        total += s\n    return total",
        "part-b": "Negative ones.",
    },
    "syntax_error": {"squares": "def squares(n)\n    return", "part-a": "No idea."},
    "warns": {
        "squares": "import warnings\ndef squares(n):\n    warnings.warn('hm')\n"
        "    if n < 1: raise ValueError(n)\n"
        "    return [i ** 2 for i in range(1, n + 1)]",
        "sum_of_squares": "def sum_of_squares(n):\n    return sum(squares(n))",
    },
    "blank": {},
}


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nbgrader's example course, released, with a submission of each kind; some of them late."""
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    folder = tmp_path_factory.mktemp("example")
    here, old = Path.cwd(), os.environ["PATH"]
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{old}"
    root = folder / "example101"
    try:
        os.chdir(folder)
        subprocess.run(
            [sys.executable, "-m", "nbgrader", "quickstart", "example101"], check=True, capture_output=True
        )
        config = Config()
        config.CourseDirectory.root = str(root)
        config.CourseDirectory.course_id = "example101"
        with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "example101") as book:
            book.update_or_create_assignment("ps1", duedate="2026-10-01 12:00:00")
        with contextlib.redirect_stdout(io.StringIO()):
            done = NbGraderAPI(CourseDirectory(config=config), config=config).generate_assignment("ps1")
        assert done["success"], done["log"]
    finally:
        os.chdir(here)
        os.environ["PATH"] = old
    for n, (student, answers) in enumerate(ANSWERS.items()):
        target = root / "submitted" / student / "ps1"
        target.mkdir(parents=True)
        for path in (root / "release" / "ps1").glob("*.ipynb"):
            notebook = nbformat.read(path, 4)
            for cell in notebook.cells:
                cell.source = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
            if not (student == "syntax_error" and path.stem == "problem2"):  # one that is missing
                nbformat.write(notebook, target / path.name)
        (target / "timestamp.txt").write_text(f"2026-10-0{1 + n % 3} 10:00:00 UTC")
    return root


def _table(root: Path) -> dict[str, Any]:
    """Read everything that a person sees of the marks, through nbgrader."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "example101") as book:
        return {
            one.student.id: {
                "score": one.score,
                "late": one.total_seconds_late,
                "waits": one.needs_manual_grade,
                "notebooks": {
                    notebook.name: {
                        "penalty": notebook.late_submission_penalty,
                        "failed": notebook.failed_tests,
                        "written": notebook.written_score,
                        "code": notebook.code_score,
                        "grades": {g.name: (g.auto_score, g.needs_manual_grade) for g in notebook.grades},
                        "comments": {c.name: c.auto_comment for c in notebook.comments},
                    }
                    for notebook in one.notebooks
                },
            }
            for one in book.assignment_submissions("ps1")
        }


def _nbgrader(root: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *words, "--course-dir", str(root), "--course", "example101"],
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ERROR" not in done.stderr or "No submitted" in done.stderr or done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_example_course_gets_the_marks_of_nbgrader(example: Path, tmp_path: Path) -> None:
    """Marks, lateness, what waits for a person, comments, and the pages that students get back."""
    theirs = Path(shutil.copytree(example, tmp_path / "theirs" / "example101"))
    ours = Path(shutil.copytree(example, tmp_path / "ours" / "example101"))
    _nbgrader(theirs, "autograde", "ps1", "--LateSubmissionPlugin.penalty_method=zero")
    jailed = not isinstance(find_jail(), NoJail)
    done = mark(
        ours,
        "example101",
        "ps1",
        f"sqlite:///{ours / 'gradebook.db'}",
        lambda _: LatePolicy(percent_per_day=100),  # nbgrader's own "zero": late is worth nothing
        settings=Settings(jobs=2, jailed=jailed),
    )
    assert {one.status for one in done} == {"graded"}
    expected, found = _table(theirs), _table(ours)
    assert found.keys() == expected.keys()
    for student in expected:
        assert found[student] == expected[student], student
    for root in (theirs, ours):
        _nbgrader(root, "generate_feedback", "ps1")
    pages = {
        root: sorted(str(path.relative_to(root)) for path in (root / "feedback").rglob("*") if path.is_file())
        for root in (theirs, ours)
    }
    assert pages[ours] == pages[theirs], "the same pages in the same places"
    for page in filter(lambda name: name.endswith(".html"), pages[ours]):
        assert _layout(ours / page) == _layout(theirs / page), page


def _layout(page: Path) -> list[tuple[str, str, str]]:
    """Return (element, classes, text) of all that a page of feedback shows, but for the inside of tracebacks.

    Of an error its name and message are compared: the lines around it are those of another process.
    """
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(page.read_text(), "html.parser")
    found = []
    assert soup.body is not None
    for element in soup.body.find_all(True):
        own = " ".join(text.strip() for text in element.find_all(string=True, recursive=False)).strip()
        if element.find_parent(class_="output_error"):
            if element.name != "pre":
                continue
            own = element.get_text().strip().splitlines()[-1].rstrip(": ")
        elif "Warning: " in own:
            own = own.partition("Warning: ")[2]  # before it stands the file that a kernel gives to a cell
        found.append((element.name, " ".join(sorted(element.get("class") or ())), own))
    return found


def test_a_cell_is_worth_what_nbgrader_says() -> None:
    """The rules are written anew; on random cells they must agree with nbgrader's own."""
    from nbgrader.utils import compute_checksum, determine_grade

    draw = random.Random(7)
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "x"},
        {"output_type": "stream", "name": "stderr", "text": "x"},
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": []},
        {"output_type": "display_data", "data": {"text/plain": "1"}, "metadata": {}},
        *(
            {
                "output_type": "execute_result",
                "data": {"text/plain": text},
                "metadata": {},
                "execution_count": 1,
            }
            for text in ("0.5", "1", "-1", "'text'", "[1, 2]", "0.0")
        ),
    ]
    for _ in range(500):
        kind = draw.choice(["code", "markdown"])
        grading = {
            "grade": draw.random() < 0.8,
            "solution": draw.random() < 0.4,
            "locked": draw.random() < 0.5,
            "grade_id": "a",
            "points": draw.choice([1, 2.5]),
            "task": False,
        }
        cell: dict[str, Any] = {"cell_type": kind, "metadata": {"nbgrader": grading}, "source": "x = 1"}
        if kind == "code":
            cell["outputs"] = draw.sample(outputs, draw.randint(0, 3))
        node = nbformat.from_dict(cell)
        assert rules.checksum(cell) == compute_checksum(node)
        grading["checksum"] = draw.choice(["other", rules.checksum(cell)])
        node = nbformat.from_dict(json.loads(json.dumps(cell)))
        if grading["grade"]:
            assert rules.auto_score(cell) == determine_grade(node)[0], cell
