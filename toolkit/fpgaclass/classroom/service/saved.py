"""What the students' notebooks say of themselves, as last saved: which checks passed, which fail.

It is the students' own word, read from files that they can write: good for seeing who needs help, never for a
mark. Links are not followed, and a file that is no notebook is as good as none.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from fpgaclass.course import is_partial, proof_line
from fpgaclass.engine.wire import count_parts

State = Literal["untouched", "passed", "failing"]

_MOST = 30_000_000
_MOST_PARTS = 500_000
"""Of a notebook: each look at the class reads everybody's."""


@dataclass(frozen=True)
class Check:
    """A check of a lab.

    Attributes:
        name: nbgrader's name of its cell.
        points: what it gives.
        proof: the line that it prints at its end.
    """

    name: str
    points: float
    proof: str

    @property
    def hides(self) -> bool:
        """Whether it tests more when it is graded."""
        return is_partial(self.proof)

    @property
    def title(self) -> str:
        """The name for people."""
        return self.name.removeprefix("check_").replace("_", " ")


@dataclass(frozen=True)
class Saved:
    """A student's notebook of a lab.

    Attributes:
        at: when it was saved.
        states: of each check.
    """

    at: datetime
    states: dict[str, State]


def checks_of(notebook: bytes) -> tuple[Check, ...]:
    """Return the checks of a released notebook, in its order."""
    found = []
    for cell, grading in _graded(_cells(notebook)):
        if not grading.get("solution"):
            proof = proof_line(_text(cell.get("source"))) or ""
            found.append(Check(str(grading.get("grade_id")), float(grading.get("points") or 0), proof))
    return tuple(found)


def read_saved(home: Path, lab: str, checks: tuple[Check, ...], way: tuple[str, ...] = ()) -> Saved | None:
    """Return how far a student's notebook is, or None if there is none that can be read.

    Args:
        home: the student's.
        lab: the lab's name.
        checks: of the released notebook.
        way: the folders between the home and the lab's.
    """
    with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        data, when = _read(home, (*way, lab, f"{lab}.ipynb"))
        cells = {str(grading.get("grade_id")): cell for cell, grading in _graded(_cells(data))}
        return Saved(when, {check.name: _state(cells.get(check.name), check) for check in checks})
    return None


def _state(cell: dict[str, Any] | None, check: Check) -> State:
    if cell is None or cell.get("execution_count") is None:
        return "untouched"
    outputs = cell.get("outputs", [])
    printed = "".join(_text(out.get("text")) for out in outputs if out.get("name") == "stdout")
    failed = any(out.get("output_type") == "error" for out in outputs)
    return "passed" if not failed and check.proof in printed.splitlines() else "failing"


def _graded(cells: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    pairs = [(cell, cell.get("metadata", {}).get("nbgrader", {})) for cell in cells]
    return [(cell, grading) for cell, grading in pairs if grading.get("grade")]


def _cells(notebook: bytes) -> list[dict[str, Any]]:
    if count_parts(notebook) > _MOST_PARTS:
        raise ValueError("not a notebook")
    cells: list[dict[str, Any]] = json.loads(notebook)["cells"]
    return cells


def _text(source: Any) -> str:
    return "".join(source) if isinstance(source, list) else str(source or "")


def _read(home: Path, parts: tuple[str, ...]) -> tuple[bytes, datetime]:
    """Read a file below a home, each step without following a link."""
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
        handle = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST:
            raise OSError("not a notebook")
        return file.read(_MOST), datetime.fromtimestamp(status.st_mtime, UTC)
