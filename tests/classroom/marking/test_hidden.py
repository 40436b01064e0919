"""What is hidden stays hidden, and what is on the board was worked out by the grader."""

from __future__ import annotations

import contextlib
import html
import io
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.classroom.gradebook.contest import Place, read_boards

LAB = "01_small"
SECRETS = ("4711.5", "9423", "8090.5", "16181", "secret", "BEGIN HIDDEN", "END HIDDEN")
ANSWERS = {
    "right": "def cut(x):\n    return x * 2",
    "wrong": "def cut(x):\n    return 7",
    "visible_only": "def cut(x):\n    return {100.0: 200.0}.get(x, 2.0)",
    "prints": "def cut(x):\n    print('called with', x)\n    return 200.0 if x == 100.0 else 2.0",
    "raises": "def cut(x):\n    if x > 200:\n        raise ValueError(f'called with {x}')\n    return 2 * x",
    "own_error": "class NotRun(Exception):\n    pass\n\n\ndef cut(x):\n"
    "    if x > 200:\n        raise NotRun(f'called with {x}')\n    return 2 * x",
    "shows": "from IPython.display import display\n\n\ndef cut(x):\n"
    "    display({'text/html': f'<b>{x}</b>', 'text/plain': str(x)}, raw=True)\n    return 2 * x",
    "ends": "import os\n\n\ndef cut(x):\n    if x > 200:\n        os._exit(1)\n    return 2 * x",
    "blank": None,
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, make: Any) -> Any:
    """A lab with hidden tests, an answer of each kind, graded."""
    folder = make(tmp_path_factory.mktemp("hidden") / "small", Path(__file__).parent / "data" / "hidden.txt")
    for student, answer in ANSWERS.items():
        folder.submit(student, change=lambda cells, answer=answer: _write(cells, answer))
    folder.mark(jobs=2)
    return folder


def _write(cells: list[dict[str, Any]], answer: str | None) -> None:
    if answer is not None:
        next(cell for cell in cells if cell["id"] == "task_cut")["source"] = answer


@pytest.fixture(scope="module")
def pages(graded: Any) -> dict[str, str]:
    """Student -> the text of their page of feedback, and all that is in its file."""
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    from fpgaclass.classroom.nbgrader_settings import configure

    config = Config()
    configure(config, course=graded.root, exchange=f"{graded.root}#small")
    here = Path.cwd()
    found = {}
    try:
        api = NbGraderAPI(CourseDirectory(config=config), config=config)
        for student in ANSWERS:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                done = api.generate_feedback(LAB, student)
            assert done["success"], done
            page = graded.root / "feedback" / student / LAB / f"{LAB}.html"
            found[student] = html.unescape(page.read_text())
    finally:
        os.chdir(here)
    return found


@pytest.mark.parametrize("student", ANSWERS)
def test_nothing_of_a_hidden_test_reaches_the_page(pages: dict[str, str], student: str) -> None:
    """Neither its text nor what it expects, nor, through prints and errors, what it calls a function with."""
    body = pages[student].partition("<body")[2]
    assert "Checks cut" in body, "the page is there"
    assert [secret for secret in SECRETS if secret in body] == []


def test_what_is_not_hidden_is_told(pages: dict[str, str]) -> None:
    """A student learns from the message of the check that they can see."""
    text = {student: re.sub(r"<[^>]+>", "", page) for student, page in pages.items()}
    assert "cut(100) is 7; expected 200" in text["wrong"]
    assert "A test of this check failed that is not shown to you." in text["visible_only"]
    assert "check_cut: passed" in text["right"]
    assert "the kernel died" in text["ends"]
    assert "failed that is not shown" not in text["right"]


def test_the_board_shows_what_checks_worked_out(graded: Any) -> None:
    """Who is fastest by an honest answer leads; an answer that fails is not on it."""
    (board,) = read_boards(graded.url, "small", [LAB])[LAB]
    assert (board.figure, board.unit, board.best) == ("speed", "ns", "lowest")
    assert board.places == (Place(1, "right", 500.0), Place(1, "shows", 500.0))


def test_a_student_cannot_put_themselves_on_the_board(graded: Any) -> None:
    """Calling the function, printing its line or showing its output is not what counts."""
    forged = (
        "from fpgaclass.lab import contest, figure\nfigure('speed', 1.0, unit='ns', best='lowest')\n"
        "class Fast(float):\n    def __rtruediv__(self, other): return 0.001\n"
        "def cut(x):\n    figure('speed', 1.0, unit='ns', best='lowest')\n    contest._figures.clear()\n"
        "    print('speed: 0.001 ns')\n    return Fast(2 * x)"
    )
    graded.submit("mallory", change=lambda cells: _write(cells, forged))
    try:
        graded.mark("mallory")
        (board,) = read_boards(graded.url, "small", [LAB])[LAB]
        assert {place.value for place in board.places} == {500.0}
    finally:
        shutil.rmtree(graded.root / "submitted" / "mallory")
