"""Notebooks of a few cells, run by the engine without nbgrader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fpgaclass.engine import Cell, Job, NoJail, Outcome, execute_job, find_jail
from fpgaclass.engine.names import bound_names


@pytest.fixture
def outcome_of() -> Callable[..., Outcome]:
    """Run (kind, source) cells; the student answers for the names asked, or all that their cells bind."""

    def run(
        *cells: tuple[str, str],
        reserved: tuple[str, ...] = (),
        asked: tuple[str, ...] | None = None,
        **how: Any,
    ) -> Outcome:
        made = []
        for n, (kind, source) in enumerate(cells):
            names = tuple(sorted(bound_names(source)))
            if kind == "student":
                made.append(Cell(n, "student", source, None, asked=names if asked is None else asked))
            else:
                theirs = None if kind == "check" else source
                made.append(Cell(n, kind, theirs, source, names=names))  # type: ignore[arg-type]
        jailed = not isinstance(find_jail(), NoJail)
        return execute_job(Job("ada", tuple(made), reserved, ("numpy",), jailed=jailed, **how))

    return run


@pytest.fixture
def run(outcome_of: Callable[..., Outcome]) -> Callable[..., list[Any]]:
    """Run cells as `outcome_of` does, and return what became of each."""

    def cells_of(*cells: tuple[str, str], **how: Any) -> list[Any]:
        outcome = outcome_of(*cells, **how)
        assert not outcome.trouble
        return list(outcome.cells)

    return cells_of
