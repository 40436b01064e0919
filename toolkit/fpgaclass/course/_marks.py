"""One notebook of the gate as a job of the engine that grades classes, and the marks it gets."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from fpgaclass.course._trials import TrialNotebook
from fpgaclass.course.lab import Lab
from fpgaclass.course.notebook import released_notebook, unproved
from fpgaclass.engine import (
    Job,
    Master,
    Outcome,
    Restored,
    SourceCell,
    auto_score,
    graft,
    make_master,
    reference_texts,
    restore,
)

STUDENT = "gate"


@dataclass(frozen=True)
class Sheet:
    """A notebook that is to be graded.

    Attributes:
        notebook: the answers tried in it.
        restored: the notebook after the clean-up, as a submission's.
    """

    notebook: TrialNotebook
    restored: Restored


@dataclass(frozen=True)
class Marks:
    """What grading found.

    Attributes:
        scores: grade id of each check -> points.
        waiting: grade ids of answers that wait for a person.
        unproved: grade ids of checks that did not print their closing line.
        noisy: grade ids of checks that wrote to stderr.
        raised: (cell id, error's name, message), in the order of the notebook.
        gone: why the kernel ended early, or nothing.
        seconds: of running the notebook, measured.
        slowest: (cell id, seconds) of the cells that took longest.
    """

    scores: dict[str, float]
    waiting: tuple[str, ...]
    unproved: tuple[str, ...]
    noisy: tuple[str, ...]
    raised: tuple[tuple[str, str, str], ...]
    gone: str
    seconds: float
    slowest: tuple[tuple[str, float], ...]


def master_of(lab: Lab, notebook: TrialNotebook) -> Master:
    """Release a notebook, and return it as grading knows it.

    Raises:
        CourseError: nbgrader refuses it.
    """
    from nbgrader.utils import is_locked

    released = released_notebook(replace(lab, cells=notebook.cells))
    sources = {}
    for cell in released.kept.cells:
        grading = cell.metadata.get("nbgrader")
        if grading:
            name, checksum = grading["grade_id"], grading.get("checksum", "")
            sources[name] = SourceCell(name, cell.cell_type, is_locked(cell), cell.source, checksum)
    return make_master(lab.name, released.shown, sources, reference_texts(released.source))


def sheet(lab: Lab, notebook: TrialNotebook) -> Sheet:
    """Release a notebook, write the answers into what students get, and take it in as grading does."""
    master = master_of(lab, notebook)
    cells = [
        {
            "cell_type": cell.kind,
            "id": cell.cell_id,
            "metadata": {"nbgrader": cell.grading} if cell.grading else {},
            "source": notebook.answers.get(cell.grade_id, cell.shown),
        }
        for cell in master.cells
    ]
    return Sheet(notebook, restore(master, json.dumps({"cells": cells})))


def job(
    one: Sheet,
    modules: tuple[str, ...],
    given: dict[str, bytes],
    seconds: int,
    *,
    jailed: bool,
    threads: int,
) -> Job:
    """Return the job that runs a notebook."""
    return Job(
        student=STUDENT,
        cells=one.restored.cells,
        reserved=one.restored.reserved,
        modules=modules,
        given=given,
        cell_seconds=seconds,
        total_seconds=4 * seconds,
        jailed=jailed,
        threads=threads,
    )


def marks(one: Sheet, outcome: Outcome) -> Marks:
    """Return the marks of a notebook that has run, by the rules that mark a class."""
    import nbformat

    done = nbformat.from_dict(graft(one.restored, outcome))
    graded = [cell for cell in done.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    points = {cell.metadata.nbgrader.grade_id: auto_score(cell) for cell in graded}
    checks = {
        cell.metadata.nbgrader.grade_id: cell for cell in graded if not cell.metadata.nbgrader.get("solution")
    }
    noisy = (name for name, cell in checks.items() if any(o.get("name") == "stderr" for o in cell.outputs))
    outputs = [(cell.id, o) for cell in done.cells if cell.cell_type == "code" for o in cell.outputs]
    names = {run.n: done.cells[run.n].id for run in one.restored.cells if run.n >= 0}
    slowest = sorted(outcome.cells, key=lambda cell: -cell.seconds)
    return Marks(
        scores={name: points[name] or 0.0 for name in checks},
        waiting=tuple(name for name, score in points.items() if score is None),
        unproved=unproved(done),
        noisy=tuple(noisy),
        raised=tuple((name, o.ename, o.evalue) for name, o in outputs if o.output_type == "error"),
        gone=outcome.gone or outcome.trouble,
        seconds=outcome.seconds,
        slowest=tuple((names[cell.n], cell.seconds) for cell in slowest if cell.n in names)[:3],
    )
