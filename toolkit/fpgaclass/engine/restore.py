"""The trusted clean-up before anything runs: checks, points, locks and order come from the release, by id.

What a student submits is data here. The result is a notebook in which every cell that carries marks is as it
was released, and the list of cells to run, each with the side it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fpgaclass.engine.job import Cell
from fpgaclass.engine.names import bound_names, imported_modules, imports
from fpgaclass.engine.reading import read_cells

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


@dataclass(frozen=True)
class MasterCell:
    """A cell as it was released.

    Attributes:
        kind: ``"code"``, ``"markdown"`` or ``"raw"``.
        source: its text, hidden tests included.
        shown: its text as the students got it.
        cell_id: the notebook's id of the cell, or nothing.
        grading: nbgrader's metadata, None for a cell that it does not know.
        reference: the text with the reference solution, if it is known.
    """

    kind: str
    source: str
    shown: str
    cell_id: str = ""
    grading: dict[str, Any] | None = None
    reference: str = ""

    @property
    def grade_id(self) -> str:
        """nbgrader's name of the cell, or nothing."""
        return str(self.grading["grade_id"]) if self.grading else ""

    @property
    def is_solution(self) -> bool:
        """True for a cell in which students write."""
        return bool(self.grading and self.grading.get("solution"))

    @property
    def is_check(self) -> bool:
        """True for a cell that gives marks by running."""
        return bool(self.grading and self.grading.get("grade") and not self.is_solution)

    @property
    def is_locked(self) -> bool:
        """True for a cell that is put back as it was."""
        return self.is_check or bool(
            self.grading and not self.is_solution and (self.grading.get("locked") or self.grading.get("task"))
        )


@dataclass(frozen=True)
class Master:
    """A notebook as it was released.

    Attributes:
        name: its name, without ``.ipynb``.
        cells: its cells, in order.
        metadata: the notebook's own metadata.
    """

    name: str
    cells: tuple[MasterCell, ...]
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that its released code cells import, in order."""
        found: dict[str, None] = {}
        for cell in self.cells:
            if cell.kind == "code" and (cell.is_locked or cell.grading is None):
                found.update(dict.fromkeys(imported_modules(cell.source)))
        return tuple(found)


@dataclass(frozen=True)
class Restored:
    """A submission after the clean-up.

    Attributes:
        notebook: the notebook, as nbformat's JSON, without outputs.
        cells: what is to be run.
        reserved: names that only the author of the notebook may bind.
        notes: what had to be mended, a line each.
    """

    notebook: dict[str, Any]
    cells: tuple[Cell, ...]
    reserved: tuple[str, ...]
    notes: tuple[str, ...]


def restore(master: Master, text: bytes | str) -> Restored:
    """Put a submission back into the shape in which it was released, with the student's answers in it.

    Raises:
        UnreadableError: it is not a notebook.
    """
    given = read_cells(text)
    notes: list[str] = []
    found = _match(master, given, notes)
    after = _extras(given, found)
    final: list[tuple[dict[str, Any] | None, MasterCell | None]] = [
        (given[n], None) for n in after.get(-1, ())
    ]
    for place, cell in enumerate(master.cells):
        n = found.get(place)
        if n is None and cell.grading:
            notes.append(f"{cell.grade_id} was missing and put back")
        final.append((given[n] if n is not None else None, cell))
        final += [(given[k], None) for k in (after.get(n, ()) if n is not None else ())]
    return _built(master, final, notes)


def _match(master: Master, given: list[dict[str, Any]], notes: list[str]) -> dict[int, int]:
    """Return the place of each released cell in the submission: by name, by id, by text."""
    found: dict[int, int] = {}
    taken: set[int] = set()

    def take(place: int, candidates: Iterable[int]) -> None:
        for n in candidates:
            if n not in taken and place not in found:
                found[place] = n
                taken.add(n)

    names: dict[str, list[int]] = {}
    ids: dict[str, list[int]] = {}
    texts: dict[tuple[str, str], list[int]] = {}
    for n, one in enumerate(given):
        if one["name"]:
            names.setdefault(one["name"], []).append(n)
        if one["id"]:
            ids.setdefault(one["id"], []).append(n)
        texts.setdefault((one["kind"], one["source"].rstrip()), []).append(n)
    for place, cell in enumerate(master.cells):
        if cell.grading:
            same = names.get(cell.grade_id, [])
            if len(same) > 1:
                notes.append(f"{cell.grade_id} was there {len(same)} times")
            take(place, reversed(same))  # the last one, as nbgrader takes it
            if cell.is_locked:
                taken.update(same)
    for place, cell in enumerate(master.cells):
        if cell.grading and cell.cell_id:
            take(place, ids.get(cell.cell_id, []))
    for place, cell in enumerate(master.cells):
        if not cell.grading:
            take(place, texts.get((cell.kind, cell.shown.rstrip()), []))
    for place, cell in enumerate(master.cells):
        if not cell.grading and cell.cell_id:
            take(place, ids.get(cell.cell_id, []))
    return found


def _extras(given: list[dict[str, Any]], found: dict[int, int]) -> dict[int, list[int]]:
    """Return the student's own cells by the released cell that they follow (-1: none)."""
    released = set(found.values())
    after: dict[int, list[int]] = {}
    last = -1
    for n in range(len(given)):
        if n in released:
            last = n
        else:
            after.setdefault(last, []).append(n)
    return after


def _built(
    master: Master, final: list[tuple[dict[str, Any] | None, MasterCell | None]], notes: list[str]
) -> Restored:
    cells: list[dict[str, Any]] = []
    runs: list[Cell] = []
    used: set[str] = set()
    reserved: set[str] = set()
    known = {cell.shown.rstrip() for cell in master.cells if cell.is_locked}
    for given, cell in final:
        if cell is None and given is not None and given["source"].rstrip() in known:
            continue  # a second copy of a check or of a locked cell
        plain = cell is not None and not cell.grading and cell.kind == "code"
        if cell is not None and plain and (given is None or given["kind"] != "code"):
            # The student deleted it, or made a text of it; the checks may need it.
            names = tuple(sorted(bound_names(cell.source)))
            reserved.update(names)
            runs.append(Cell(-1 - len(runs), "shared", None, cell.source, names=names))
        if given is None and cell is not None and not cell.grading:
            continue
        kind, source = _shape(given, cell)
        n = len(cells)
        cells.append(_notebook_cell(kind, source, given, cell, used, n))
        if kind != "code":
            continue
        run = _run(n, source, cell)
        if cell is not None and (run.kind != "student" and not cell.is_solution):
            reserved.update(run.names)
        runs.append(run)
    notebook = {"cells": cells, "metadata": master.metadata, "nbformat": 4, "nbformat_minor": 5}
    return Restored(notebook, tuple(runs), tuple(sorted(reserved)), tuple(notes))


def _shape(given: dict[str, Any] | None, cell: MasterCell | None) -> tuple[str, str]:
    """Return kind and text that a cell has from here on."""
    if cell is None:
        assert given is not None
        return given["kind"], given["source"]
    if cell.is_locked or given is None:
        return cell.kind, cell.source
    return (cell.kind if cell.grading else given["kind"]), given["source"]


def _run(n: int, source: str, cell: MasterCell | None) -> Cell:
    if cell is None:
        return Cell(n, "student", source, None)
    names = tuple(sorted(bound_names(cell.source)))
    if cell.is_check:
        return Cell(n, "check", None, cell.source, names=names, grade_id=cell.grade_id)
    if cell.is_locked:
        return Cell(n, "locked", cell.source, cell.source, names=names, grade_id=cell.grade_id)
    if cell.is_solution:
        asked = tuple(sorted(bound_names(cell.reference) | set(names)))
        return Cell(
            n, "student", source, None, asked=asked, imports=imports(cell.reference), grade_id=cell.grade_id
        )
    if source.rstrip() == cell.shown.rstrip():
        return Cell(n, "shared", source, cell.source, names=names)
    # An edited cell's names are the student's from here on, but a module is what its import statement says.
    return Cell(n, "student", source, None, asked=names, imports=imports(cell.source))


def _notebook_cell(
    kind: str, source: str, given: dict[str, Any] | None, cell: MasterCell | None, used: set[str], n: int
) -> dict[str, Any]:
    wanted = (cell.cell_id if cell else "") or (given["id"] if given else "")
    if not _ID.match(wanted) or wanted in used:
        wanted = f"cell-{n}"
    used.add(wanted)
    made: dict[str, Any] = {"cell_type": kind, "id": wanted, "metadata": {}, "source": source}
    if cell is not None and cell.grading:
        made["metadata"] = {"nbgrader": dict(cell.grading)}
    if kind == "code":
        made |= {"execution_count": None, "outputs": []}
    if kind == "markdown" and given and given["pictures"] and not (cell and cell.is_locked):
        made["attachments"] = given["pictures"]
    return made
