"""What goes into the jail and what comes out of it: both are bytes, so that any machine can do the work."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["student", "shared", "locked", "check"]


@dataclass(frozen=True)
class Cell:
    """One code cell of a notebook that is to be run.

    Attributes:
        n: its place in the notebook.
        kind: ``"student"``: theirs alone; ``"shared"`` and ``"locked"``: as it was released, run by both
            sides (the outputs of a locked one are the clean side's); ``"check"``: run by the clean side only.
        source: what runs in the student's process; None for nothing.
        clean: what runs in the clean process; None for nothing.
        names: the names that ``clean`` binds.
        asked: the names that the student answers for from here on.
        imports: import statements of the reference solution, run in the clean process after the cell.
        grade_id: nbgrader's name of the cell, if it has one.
    """

    n: int
    kind: Kind
    source: str | None
    clean: str | None
    names: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    grade_id: str = ""


@dataclass(frozen=True)
class Job:
    """A notebook to run.

    Attributes:
        student: whose it is.
        cells: its code cells, in order.
        reserved: names that only the notebook's author may bind.
        modules: what the warm parent has imported before.
        files: what was submitted beside the notebook, by relative path.
        given: what was released beside the notebook, by relative path.
        cell_seconds: no cell may take longer.
        total_seconds: nor the notebook.
        output_limit: bytes of output that are kept of a cell; of a notebook, five times that.
        memory: bytes that its processes may use together.
        jailed: False only where somebody asked for it in so many words.
        threads: how many threads numerical libraries may use in each of its two processes; 0 for as many as
            they take.
    """

    student: str
    cells: tuple[Cell, ...]
    reserved: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)
    given: dict[str, bytes] = field(default_factory=dict)
    cell_seconds: float = 600
    total_seconds: float = 1800
    output_limit: int = 2_000_000
    memory: int = 4_000_000_000
    jailed: bool = True
    threads: int = 0

    def to_bytes(self) -> bytes:
        """Return the job as bytes."""
        data = asdict(self)
        for key in ("files", "given"):
            data[key] = {name: base64.b64encode(part).decode() for name, part in data[key].items()}
        return json.dumps(data).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Job:
        """Return the job of `to_bytes`."""
        found = json.loads(data)
        for key in ("files", "given"):
            found[key] = {name: base64.b64decode(part) for name, part in found[key].items()}
        lists = ("names", "asked", "imports")
        cells: list[dict[str, Any]] = found["cells"]
        found["cells"] = tuple(Cell(**cell | {key: tuple(cell[key]) for key in lists}) for cell in cells)
        found |= {key: tuple(found[key]) for key in ("reserved", "modules")}
        return cls(**found)


@dataclass(frozen=True)
class CellOutcome:
    """What became of one cell.

    Attributes:
        n: its place in the notebook.
        ok: it ran to its end without an error.
        outputs: as nbformat has them.
        count: its execution count, if it ran.
        seconds: measured.
        line: of a check that failed, the line of it, from 1.
        figures: what a check put on the leaderboard, see `fpgaclass.lab.contest`.
    """

    n: int
    ok: bool
    outputs: tuple[dict[str, Any], ...]
    count: int | None
    seconds: float
    line: int | None = None
    figures: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        cells: one for each cell that was reached.
        gone: why the student's process ended early, or nothing.
        trouble: why the work could not be done at all, through no fault of the submission's, or nothing.
        seconds: measured, from the fork to the end.
        attempts: how often it was tried.
    """

    cells: tuple[CellOutcome, ...]
    gone: str = ""
    trouble: str = ""
    seconds: float = 0.0
    attempts: int = 1

    def to_bytes(self) -> bytes:
        """Return the outcome as bytes."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Outcome:
        """Return the outcome of `to_bytes`."""
        found = json.loads(data)
        cells = tuple(
            CellOutcome(**cell | {key: tuple(cell[key]) for key in ("outputs", "figures")})
            for cell in found["cells"]
        )
        return cls(**found | {"cells": cells})
