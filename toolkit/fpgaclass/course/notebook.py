"""From a lab to notebooks: nbgrader's source, and exactly what a student gets."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpgaclass.core import CourseError
from fpgaclass.course.definition import Course
from fpgaclass.course.lab import BEGIN_HIDDEN, Lab, LabCell

_LEVELS = ("a nudge", "the method", "almost the code")
_PASSED = "{}: passed"
_PASSED_SO_FAR = "{}: passed what is tested here; more is tested when it is graded"


@dataclass(frozen=True)
class Drift:
    """A student notebook in the tree that is not what its lab.py gives."""

    lab: str
    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def source_notebook(lab: Lab, keep: Callable[[LabCell], bool] = lambda _: True) -> Any:
    """Return the instructor's notebook, with solutions, hidden tests and nbgrader's metadata.

    Args:
        lab: the lab.
        keep: which of its cells go in; the gate leaves some out.

    Returns:
        An ``nbformat.NotebookNode`` of format 4.5. Its cell ids and grade ids depend only on names and text,
        so the same lab gives the same bytes each time.
    """
    from nbformat import v4

    cells = [v4.new_markdown_cell(_opening(lab), id="opening")]
    seen: dict[str, int] = {}
    for cell in lab.cells:
        if cell.role == "wrong" or not keep(cell) or (cell.role == "hint" and cell.level > 1):
            continue
        make = v4.new_code_cell if cell.kind == "code" else v4.new_markdown_cell
        made = make(_source(lab, cell), id=_cell_id(lab, cell, seen))
        grading = _grading(cell)
        if grading:
            made.metadata["nbgrader"] = grading
        if cell.tags:
            made.metadata["tags"] = list(cell.tags)
        cells.append(made)
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


@dataclass(frozen=True)
class ReleasedNotebook:
    """What nbgrader makes of a lab; each an ``NotebookNode``.

    Attributes:
        source: the instructor's, with solutions and hidden tests.
        kept: what the gradebook keeps, and grading puts back: hidden tests, and no solutions.
        shown: what students get.
    """

    source: Any
    kept: Any
    shown: Any


def released_notebook(lab: Lab) -> ReleasedNotebook:
    """Release a lab without a gradebook: nbgrader's own preprocessors on the source.

    Raises:
        CourseError: nbgrader refuses the lab.
    """
    from nbgrader.converters import GenerateAssignment
    from nbgrader.preprocessors import SaveCells

    source = source_notebook(lab)
    notebook, kept, resources = deepcopy(source), source, dict[str, Any]()
    try:
        for preprocessor in GenerateAssignment.preprocessors.default():
            if preprocessor is SaveCells:  # it writes to a gradebook, and there is none here
                kept = deepcopy(notebook)
            else:
                notebook, resources = preprocessor().preprocess(notebook, resources)
    except Exception as trouble:
        raise CourseError(f"nbgrader refuses the lab: {trouble}", where=str(lab.path)) from trouble
    return ReleasedNotebook(source, kept, notebook)


def student_notebook(lab: Lab) -> str:
    """Return the text of the notebook that a student gets.

    Raises:
        CourseError: nbgrader refuses the lab.
    """
    import nbformat

    return str(nbformat.writes(released_notebook(lab).shown)) + "\n"


def student_path(lab: Lab) -> Path:
    """Return where the student's notebook of a lab stands in the tree."""
    return lab.path.with_name(f"{lab.name}.ipynb")


def write_student_notebooks(course: Course) -> tuple[Path, ...]:
    """Write the student notebook of each lab that has changed; return the paths written."""
    written = []
    for entry in course.labs:
        lab = course.lab(entry.name)
        text, path = student_notebook(lab), student_path(lab)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return tuple(written)


def drift(course: Course) -> tuple[Drift, ...]:
    """Return the student notebooks that are missing or are not what their lab.py gives."""
    found = []
    for entry in course.labs:
        lab = course.lab(entry.name)
        path = student_path(lab)
        if not path.exists():
            found.append(Drift(lab.name, path, "it is missing"))
        elif path.read_text(encoding="utf-8") != student_notebook(lab):
            found.append(Drift(lab.name, path, f"it is not what {lab.path.name} gives"))
    return tuple(found)


def is_partial(proof: str) -> bool:
    """Tell whether a check that printed this line has hidden tests, which have not run yet."""
    return proof.endswith(_PASSED_SO_FAR.removeprefix("{}"))


def proof_line(source: str) -> str | None:
    """Return what a check cell prints when it ran to its end, or None if the source has no such line.

    nbgrader gives full marks to a check cell without any output. So each of ours ends by printing a line, and
    marks without that line are marks for a cell that did not run.
    """
    last = source.rstrip().rsplit("\n", 1)[-1]
    if not (last.startswith("print(") and last.endswith(")")):
        return None
    try:
        said = ast.literal_eval(last[len("print(") : -1])
    except (SyntaxError, ValueError):
        return None
    return said if isinstance(said, str) else None


def unproved(notebook: Any) -> tuple[str, ...]:
    """Return the grade ids of check cells in an executed notebook that did not print their closing line.

    Args:
        notebook: an executed ``NotebookNode``, such as one from nbgrader's ``autograded`` folder.
    """
    found = []
    for cell in notebook.cells:
        grading = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code" or not grading.get("grade") or grading.get("solution"):
            continue
        proof = proof_line(cell.source)
        printed = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")
        if proof is None or proof not in printed.splitlines():
            found.append(str(grading["grade_id"]))
    return tuple(found)


def _opening(lab: Lab) -> str:
    """Return the first cell of the notebook, made from the header."""
    header = lab.header
    lines = [f"# {header.title}", "", f"About {header.minutes} minutes, {lab.points} points.", ""]
    lines += ["**At the end you can**", *(f"- {objective}" for objective in header.objectives)]
    if header.needs:
        lines += ["", "| this lab uses | where it is missing |", "|---|---|"]
        lines += [f"| {need} | {instead} |" for need, instead in header.needs.items()]
    if header.seed == "student":
        lines += ["", "The data are your own: each student's are made from another seed."]
    lines += [
        "",
        "Write where it says `YOUR CODE HERE` or `YOUR ANSWER HERE`, and run the check below it. Each task"
        " has three hints: unfold one when you want it. Before you submit, use *Kernel*, *Restart Kernel and"
        " Run All Cells*.",
    ]
    return "\n".join(lines)


def _source(lab: Lab, cell: LabCell) -> str:
    if cell.role == "hint":
        return "\n\n".join(_folded(hint) for hint in lab.of("hint", cell.belongs))
    if cell.role == "check":
        return _check_source(cell)
    return cell.source


def _folded(hint: LabCell) -> str:
    # Markdown inside HTML is rendered only between blank lines.
    summary = f"Hint {hint.level}: {_LEVELS[hint.level - 1]}"
    return f"<details>\n<summary>{summary}</summary>\n\n{hint.source}\n\n</details>"


def _check_source(cell: LabCell) -> str:
    """Return a check's text between a line that says what it is and a line that proves that it ran."""
    points = "1 point" if cell.points == 1 else f"{cell.points} points"
    lines = [f"# Checks {cell.belongs}: {points}. When graded, this cell is put back as it is here."]
    for line in cell.source.splitlines():
        if line.strip() == BEGIN_HIDDEN:
            lines.append("# (more is tested here when it is graded)")
        lines.append(line)
    proof = (_PASSED_SO_FAR if cell.has_hidden_tests else _PASSED).format(cell.grade_id)
    return "\n".join([*lines, f'print("{proof}")'])


def _cell_id(lab: Lab, cell: LabCell, seen: dict[str, int]) -> str:
    """Return an id that only names and text decide: jupytext's own change at each reading."""
    if cell.role == "hint":
        return f"hints_{cell.belongs}"
    if cell.role not in ("text", "code"):
        return cell.grade_id
    digest = hashlib.sha256(f"{lab.name}\n{cell.kind}\n{cell.source}".encode()).hexdigest()[:12]
    seen[digest] = seen.get(digest, 0) + 1
    return f"{cell.role}-{digest}" + (f"-{seen[digest]}" if seen[digest] > 1 else "")


def _grading(cell: LabCell) -> dict[str, Any] | None:
    """Return nbgrader's metadata of a cell, or None for one that it does not know."""
    if cell.role not in ("task", "check", "answer", "locked"):
        return None
    graded = cell.role in ("check", "answer")
    metadata: dict[str, Any] = {
        "grade": graded,
        "grade_id": cell.grade_id,
        "locked": cell.role in ("check", "locked"),
        "schema_version": 3,
        "solution": cell.role in ("task", "answer"),
        "task": False,
    }
    if graded:
        metadata["points"] = cell.points
    return metadata
