"""A lab as it was released, put together from what nbgrader made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fpgaclass.engine.restore import Master, MasterCell


@dataclass(frozen=True)
class SourceCell:
    """A cell that nbgrader knows, as it was released, hidden tests included."""

    name: str
    kind: str
    locked: bool
    source: str
    checksum: str


def make_master(
    name: str,
    released: Mapping[str, Any],
    sources: Mapping[str, SourceCell],
    references: Mapping[str, str],
) -> Master:
    """Return a notebook as it was released.

    Args:
        name: its name, without ``.ipynb``.
        released: the students' version, as nbformat's JSON.
        sources: nbgrader's name of a cell -> the cell with its hidden tests.
        references: nbgrader's name of a cell -> its text with the reference solution.
    """
    cells = []
    for cell in released["cells"]:
        grading, shown = _grading(cell), cell_text(cell)
        known = sources.get(grading["grade_id"]) if grading else None
        if known is None:
            cells.append(MasterCell(cell["cell_type"], shown, shown, cell.get("id", "")))
            continue
        cells.append(
            MasterCell(
                kind=known.kind,
                source=known.source,
                shown=shown,
                cell_id=cell.get("id", ""),
                grading=grading | {"checksum": known.checksum, "locked": known.locked},
                reference=references.get(known.name, ""),
            )
        )
    return Master(name, tuple(cells), dict(released.get("metadata", {})))


def reference_texts(source: Mapping[str, Any]) -> dict[str, str]:
    """Return nbgrader's name of each cell of the instructor's notebook -> its text."""
    return {_grading(cell)["grade_id"]: cell_text(cell) for cell in source["cells"] if _grading(cell)}


def cell_text(cell: Mapping[str, Any]) -> str:
    """Return a cell's text, which nbformat also allows to be a list of lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _grading(cell: Mapping[str, Any]) -> dict[str, Any]:
    found = cell.get("metadata", {}).get("nbgrader") or {}
    return dict(found) if found.get("grade_id") else {}
