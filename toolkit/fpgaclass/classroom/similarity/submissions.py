"""What each student wrote into a lab's notebooks, without what was released."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fpgaclass.engine import UnreadableError, read_cells

_MOST_OF_A_CELL, _MOST = 20_000, 200_000
"""Characters of a student's that are compared."""


@dataclass(frozen=True)
class Part:
    """A cell that a student wrote, or wrote in.

    Attributes:
        name: nbgrader's name of it, or its place in the notebook.
        kind: ``"code"`` or ``"markdown"``.
        source: its text.
    """

    name: str
    kind: str
    source: str


@dataclass(frozen=True)
class Answer:
    """All that a student wrote.

    Attributes:
        student: the login name.
        parts: the cells.
    """

    student: str
    parts: tuple[Part, ...]


def released_parts(files: Mapping[str, bytes]) -> tuple[Part, ...]:
    """Return the cells of a released lab."""
    return tuple(_part(cell, n) for n, cell in enumerate(_cells(files)))


def read_answers(
    released: Mapping[str, bytes], submitted: Mapping[str, Mapping[str, bytes]]
) -> tuple[Answer, ...]:
    """Return what each student wrote.

    Args:
        released: path -> the files of the lab, as the students got them.
        submitted: student -> path -> the files that they handed in. What is no notebook is left out.
    """
    known = {(part.kind, part.source.strip()) for part in released_parts(released)}
    known |= {("code", ""), ("markdown", "")}
    answers = []
    for student, files in submitted.items():
        parts = (_part(cell, n) for n, cell in enumerate(_cells(files)))
        own = (
            part for part in parts if part.source.strip() and (part.kind, part.source.strip()) not in known
        )
        answers.append(Answer(student, tuple(_at_most(own))))
    return tuple(answers)


def _at_most(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield what there is time to compare: nobody writes more, but anybody can send fifty megabytes."""
    left = _MOST
    for part in parts:
        kept = part.source[: min(left, _MOST_OF_A_CELL)]
        left -= len(kept)
        if kept:
            yield replace(part, source=kept)


def _cells(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in sorted(files):
        if path.endswith(".ipynb"):
            try:
                found += [cell for cell in read_cells(files[path]) if cell["kind"] != "raw"]
            except UnreadableError:
                continue
    return found


def _part(cell: dict[str, Any], n: int) -> Part:
    return Part(cell["name"] or f"cell {n + 1}", cell["kind"], cell["source"])
