"""Feedback without the hidden tests: nbgrader prints them, and the next year's students read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbgrader.preprocessors import NbGraderPreprocessor

from fpgaclass.course import proof_line
from fpgaclass.engine.line import DIED, STUCK

NOT_SHOWN = "A test of this check failed that is not shown to you."
_BEGIN = "### BEGIN HIDDEN TESTS"


class HideTests(NbGraderPreprocessor):  # type: ignore[misc]
    """Show each check as the students got it, and of what the hidden tests did only whether they passed.

    A message of a hidden test may name what it expects, and a student's function may print what it is called
    with. So what a check left is shown whole only if it has nothing to hide, or failed before the part that
    it hides.
    """

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the notebook without what the students were not given."""
        about = resources["nbgrader"]
        root = Path(str(self.config.CourseDirectory.root))
        path = root / "release" / about["assignment"] / f"{about['notebook']}.ipynb"
        released = nbformat.read(path, 4).cells if path.is_file() else []
        shown = {_name(cell): cell.source for cell in released if _name(cell)}
        for cell in nb.cells:
            grading = cell.metadata.get("nbgrader", {})
            if cell.cell_type == "code" and grading.get("grade") and not grading.get("solution"):
                _redact(cell, shown.get(_name(cell)))
        return nb, resources


def _redact(cell: Any, shown: str | None) -> None:
    whole, told = cell.source, cell.metadata.pop("fpgaclass", {})
    cell.source = "# (this check is not shown)" if shown is None else shown
    if whole == shown:
        return
    lines = whole.splitlines()
    first = next((n for n, line in enumerate(lines, start=1) if line.strip() == _BEGIN), 0)
    errors = [output for output in cell.outputs if output.output_type == "error"]
    if shown is not None and 0 < int(told.get("line") or 0) < first:  # it ended before the hidden part
        for error in errors:
            error.traceback = [f"{error.ename}: {error.evalue}"]  # the lines around it need not be visible
        return
    if not errors:
        proof = proof_line(whole)
        printed = "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
        cell.outputs = [_said(proof)] if proof and proof in printed.splitlines() else []
    elif errors[-1].evalue in (DIED, STUCK) or (errors[-1].ename == "NotRun" and "line" not in told):
        error = errors[-1]  # the grader's own words: the kernel had ended, or took too long
        error.traceback = [error.evalue]
        cell.outputs = [error]
    else:
        cell.outputs = [_error()]


def _said(line: str) -> Any:
    return nbformat.v4.new_output("stream", name="stdout", text=f"{line}\n")


def _error() -> Any:
    return nbformat.v4.new_output("error", ename="HiddenTest", evalue=NOT_SHOWN, traceback=[NOT_SHOWN])


def _name(cell: Any) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
