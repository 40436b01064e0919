"""What students get: nothing they should not see, and the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from fpgaclass.course import (
    Course,
    Lab,
    drift,
    proof_line,
    release,
    source_notebook,
    student_notebook,
    student_path,
    unproved,
    write_student_notebooks,
)

Make = Callable[..., Path]


def test_nothing_secret_reaches_a_student(make_lab: Make) -> None:
    """Solutions, hidden tests, wrong answers and model answers stay with the instructor."""
    text = student_notebook(Lab.load(make_lab()))
    for secret in ("n * n", "square(-3)", "n + n", "abs(n)", "two signs cancel", "BEGIN", "END"):
        assert secret not in text
    for shown in (
        "raise NotImplementedError()",
        "YOUR ANSWER HERE",
        "carpet",
        "free code",
        "Return n squared",
    ):
        assert shown in text


def test_the_hints_are_folded_in_order(make_lab: Make) -> None:
    """A student decides how far to look; markdown is rendered inside HTML only between blank lines."""
    notebook = nbformat.reads(student_notebook(Lab.load(make_lab())), 4)
    (hints,) = [cell for cell in notebook.cells if cell.id == "hints_square"]
    assert hints.source.count("<details>") == 3
    assert hints.source.index("carpet") < hints.source.index("by itself") < hints.source.index("return n")
    assert "</summary>\n\nThink of a *carpet*.\n\n</details>" in hints.source


def test_the_same_lab_gives_the_same_bytes(make_lab: Make) -> None:
    """Ids that change at each reading would make every notebook differ from its lab for ever."""
    folder = make_lab()
    assert student_notebook(Lab.load(folder)) == student_notebook(Lab.load(folder))


def test_ids_stay_when_text_is_added(make_lab: Make) -> None:
    """A gradebook with submissions refuses a notebook whose graded cells changed their names."""
    before = source_notebook(Lab.load(make_lab()))
    after = source_notebook(
        Lab.load(make_lab(("# ## Squares", "# A new beginning.\n\n# %% [markdown]\n# ## Squares")))
    )
    names = [c.metadata["nbgrader"]["grade_id"] for c in before.cells if "nbgrader" in c.metadata]
    assert names == [c.metadata["nbgrader"]["grade_id"] for c in after.cells if "nbgrader" in c.metadata]
    assert {c.id for c in before.cells} <= {c.id for c in after.cells}


def test_two_equal_text_cells_have_two_ids(make_lab: Make) -> None:
    """nbformat refuses a notebook with one id twice."""
    twice = ('print("free code")', 'print("free code")\n\n# %%\nprint("free code")')
    notebook = source_notebook(Lab.load(make_lab(twice)))
    nbformat.validate(notebook)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_the_student_version_is_what_nbgrader_makes(make_course: Make, tmp_path: Path) -> None:
    """The notebook in the tree and the one that the class releases must be one."""
    import os
    import sys

    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    course = Course.load(make_course())
    root = tmp_path / "class"
    made = release(course, "01_tiny", root)
    assert made == root / "source" / "01_tiny" / "01_tiny.ipynb"
    config = Config()
    config.CourseDirectory.root = str(root)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = NbGraderAPI(CourseDirectory(config=config), config=config).generate_assignment("01_tiny")
    assert result["success"], result
    theirs = nbformat.read(root / "release" / "01_tiny" / "01_tiny.ipynb", 4)
    assert theirs == nbformat.reads(student_notebook(course.lab("01_tiny")), 4)


def test_files_beside_a_lab_are_released_and_solutions_are_not(make_course: Make, tmp_path: Path) -> None:
    """A picture must come along; lab.py holds the solutions."""
    course = Course.load(make_course())
    folder = course.folder / "01_tiny"
    (folder / "data").mkdir()
    (folder / "data" / "hits.csv").write_text("1\n")
    (folder / "01_tiny.ipynb").write_text("{}")
    path = release(course, "01_tiny", tmp_path / "class")
    found = sorted(str(p.relative_to(path.parent)) for p in path.parent.rglob("*") if p.is_file())
    assert found == ["01_tiny.ipynb", "data/hits.csv"]


def test_drift_is_seen_and_mended(make_course: Make) -> None:
    """A generated copy that nothing checks grows apart from its source."""
    course = Course.load(make_course())
    assert [d.reason for d in drift(course)] == ["it is missing"]
    (path,) = write_student_notebooks(course)
    assert path == student_path(course.lab("01_tiny"))
    assert drift(course) == ()
    assert write_student_notebooks(course) == (), "nothing changed, so nothing is written"
    path.write_text(path.read_text().replace("Squares", "Circles"))
    assert [str(d) for d in drift(course)] == [f"{path}: it is not what lab.py gives"]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ('x = 1\nprint("check_a: passed")', "check_a: passed"),
        ("assert square(2) == 4", None),
        ("print(x)", None),
        ("print(1)", None),
        ("print('a', 'b')", None),
    ],
)
def test_the_closing_line_of_a_check(source: str, line: str | None) -> None:
    """The grader asks the cell itself what it should have printed."""
    assert proof_line(source) == line


def test_a_check_that_did_not_run_is_unproved(make_lab: Make) -> None:
    """nbgrader gives it full marks: it has no output."""
    notebook = source_notebook(Lab.load(make_lab()))
    assert unproved(notebook) == ("check_square", "check_square_negative")
    for cell in notebook.cells:
        if cell.id == "check_square":
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="x\ncheck_square: passed\n")]
    assert unproved(notebook) == ("check_square_negative",)
