"""Notebooks that somebody else wrote, read as data: cells with a kind, a text and a name."""

from __future__ import annotations

import json
from typing import Any

from fpgaclass.engine.pictures import pictures_of
from fpgaclass.engine.wire import count_parts

MOST_BYTES = 50_000_000
"""A larger notebook is refused."""

MOST_PARTS = 4_000_000
"""So is one of more lists, entries and the like: each takes twenty times its text when it is read."""


class UnreadableError(ValueError):
    """What was submitted is no notebook; says why."""


class TooLargeError(UnreadableError):
    """It is more than anybody writes: outputs, most likely."""


def read_cells(text: bytes | str) -> list[dict[str, Any]]:
    """Return the cells of a notebook that somebody wrote, each with a kind, a text and metadata.

    Raises:
        TooLargeError: nobody writes so much.
        UnreadableError: it is not a notebook.
    """
    if len(text) > MOST_BYTES:
        raise TooLargeError(f"it has {len(text) / 1e6:.1f} MB, and {MOST_BYTES / 1e6:.0f} are allowed")
    if count_parts(text if isinstance(text, bytes) else text.encode(errors="replace")) > MOST_PARTS:
        raise TooLargeError("it has millions of parts")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as trouble:
        raise UnreadableError(str(trouble)[:120] or "nested too deeply") from trouble
    if isinstance(data, dict) and isinstance(data.get("worksheets"), list):
        data = {"cells": [c for w in data["worksheets"] if isinstance(w, dict) for c in w.get("cells") or []]}
    cells = data.get("cells") if isinstance(data, dict) else None
    if not isinstance(cells, list):
        raise UnreadableError("it has no cells")
    return [cell for cell in map(_plain_cell, cells) if cell]


def _plain_cell(cell: Any) -> dict[str, Any] | None:
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
        return None
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    metadata = cell.get("metadata")
    grading = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = grading.get("grade_id") if isinstance(grading, dict) else None
    return {
        "kind": cell["cell_type"],
        "source": source if isinstance(source, str) else "",
        "id": cell["id"] if isinstance(cell.get("id"), str) else "",
        "name": name if isinstance(name, str) else "",
        "pictures": pictures_of(cell) if cell["cell_type"] == "markdown" else {},
    }
