"""Feedback without the hidden tests: nbgrader prints them, and the next year's students read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbgrader.preprocessors import NbGraderPreprocessor


class HideTests(NbGraderPreprocessor):  # type: ignore[misc]
    """Show each check as the students got it, and of an error there the message alone."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the notebook without what the students were not given."""
        about = resources["nbgrader"]
        root = Path(str(self.config.CourseDirectory.root))
        path = root / "release" / about["assignment"] / f"{about['notebook']}.ipynb"
        released = nbformat.read(path, 4).cells if path.is_file() else []
        shown = {_name(cell): cell.source for cell in released if _name(cell)}
        for cell in nb.cells:
            grading = cell.metadata.get("nbgrader", {})
            if cell.cell_type != "code" or not grading.get("grade") or grading.get("solution"):
                continue
            hidden = cell.source != shown.get(_name(cell), "")
            cell.source = shown.get(_name(cell), "# (this check is not shown)")
            for output in cell.outputs:
                if hidden and output.output_type == "error":
                    output.traceback = [f"{output.ename}: {output.evalue}"]
        return nb, resources


def _name(cell: Any) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
