"""What an executed cell is worth, by nbgrader's rules, and one more: a check that did not run gives nothing.

The rules are those of nbgrader 0.9's `determine_grade`, `compute_checksum` and `SaveAutoGrades`; a test holds
them against nbgrader itself. They stand here because importing nbgrader takes longer than grading a class.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from fpgaclass.engine.job import Outcome
from fpgaclass.engine.restore import Restored

NO_RESPONSE = "No response."
"""nbgrader's comment on an answer that is as it was released."""


def graft(restored: Restored, outcome: Outcome) -> dict[str, Any]:
    """Return the notebook with the outputs of its run; a check that did not run to its end has an error."""
    notebook = json.loads(json.dumps(restored.notebook))
    by_place = {cell.n: cell for cell in outcome.cells}
    for run in restored.cells:
        if run.n < 0:
            continue
        cell, done = notebook["cells"][run.n], by_place.get(run.n)
        outputs = [dict(output) for output in done.outputs] if done else []
        failed = any(output["output_type"] == "error" for output in outputs)
        if run.kind == "check" and not (done and done.ok) and not failed:
            reason = outcome.gone or outcome.trouble or "the check did not run to its end"
            outputs.append(
                {"output_type": "error", "ename": "NotRun", "evalue": reason, "traceback": [reason]}
            )
        cell["outputs"] = outputs
        cell["execution_count"] = done.count if done else None
        if run.kind == "check" and done:
            told = {"line": done.line, "figures": list(done.figures)}
            cell["metadata"]["fpgaclass"] = {key: value for key, value in told.items() if value}
        shorten(cell)
    return dict(notebook)


def auto_score(cell: dict[str, Any]) -> float | None:
    """Return the points that a cell which carries marks gets by itself; None if a person has to mark it.

    Args:
        cell: the executed cell, as nbformat's JSON, with nbgrader's metadata of the release.
    """
    grading = cell["metadata"]["nbgrader"]
    most = float(grading["points"])
    if grading.get("solution"):
        return 0.0 if grading.get("checksum") == checksum(cell) else None
    if cell["cell_type"] != "code":
        return None
    for output in cell["outputs"]:
        kind = output["output_type"]
        if kind == "error" or (kind == "stream" and output["name"] == "stderr"):
            return 0.0
        if kind == "execute_result":
            return _partial(output, most)
    return most


def _partial(output: dict[str, Any], most: float) -> float:
    """Return the partial credit that a number as last expression gives; other values give full marks."""
    text = output["data"].get("text/plain") or ""
    try:
        score = float("".join(text) if isinstance(text, list) else text)
    except ValueError:
        return most
    if score > most:  # nbgrader gives up on the whole submission here
        return 0.0
    return score if score >= 0 else most


def auto_comment(cell: dict[str, Any]) -> str | None:
    """Return nbgrader's comment on a cell that students write in."""
    grading = cell["metadata"]["nbgrader"]
    same = grading.get("checksum") is not None and grading["checksum"] == checksum(cell)
    return NO_RESPONSE if same and not grading.get("task") else None


def checksum(cell: dict[str, Any]) -> str:
    """Return nbgrader's checksum of a cell."""
    grading = cell["metadata"]["nbgrader"]
    graded, solution = bool(grading.get("grade")), bool(grading.get("solution"))
    locked = not solution and (graded or bool(grading.get("locked")))
    parts = [cell["source"], cell["cell_type"], str(graded), str(solution), str(locked), grading["grade_id"]]
    if graded:
        parts.append(str(float(grading["points"])))
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def shorten(cell: dict[str, Any], lines: int = 1000, traceback: int = 100) -> None:
    """Cut a cell's outputs to nbgrader's lengths, in place."""
    left = lines
    for output in cell.get("outputs", ()):
        if output["output_type"] == "stream":
            text = output["text"].split("\n")
            if len(text) > left:
                output["text"] = "\n".join([*text[: max(0, left - 1)], "... Output truncated ..."])
            left = max(0, left - len(text))
        elif output["output_type"] == "error" and len(output["traceback"]) > traceback:
            half, told = traceback // 2, output["traceback"]
            output["traceback"] = [
                *told[:half],
                "... Traceback truncated ...",
                *told[-(traceback - half - 1) :],
            ]
