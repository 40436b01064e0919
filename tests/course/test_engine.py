"""The labs' own answers through the engine that grades them: what the gate proves holds here, too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.course import Lab
from fpgaclass.course._trials import TrialNotebook, trial_notebooks, whole_notebook
from fpgaclass.course.notebook import source_notebook
from fpgaclass.engine import Job, Master, MasterCell, auto_score, execute_job, graft, restore

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def _master(lab: Lab, notebook: TrialNotebook) -> Master:
    cells = []
    for cell in source_notebook(replace(lab, cells=notebook.cells)).cells:
        grading = dict(cell.metadata.get("nbgrader") or {}) or None
        reference = cell.source if grading and grading["solution"] else ""
        shown = "raise NotImplementedError" if reference and cell.cell_type == "code" else cell.source
        cells.append(MasterCell(cell.cell_type, cell.source, shown, cell.id, grading, reference))
    return Master(lab.name, tuple(cells))


def _scores(lab: Lab, notebook: TrialNotebook) -> dict[str, float]:
    """Return trial -> the points of its checks."""
    master = _master(lab, notebook)
    given = [
        {
            "cell_type": cell.kind,
            "id": cell.cell_id,
            "metadata": {"nbgrader": cell.grading} if cell.grading else {},
            "source": notebook.answers.get(cell.grade_id, cell.shown),
        }
        for cell in master.cells
    ]
    restored = restore(master, json.dumps({"cells": given}))
    job = Job("gate", restored.cells, restored.reserved, master.modules, jailed=False)
    outcome = execute_job(job)
    assert not outcome.trouble, outcome.trouble
    cells = graft(restored, outcome)["cells"]
    points = {
        cell["metadata"]["nbgrader"]["grade_id"]: auto_score(cell) or 0.0
        for cell in cells
        if cell["metadata"].get("nbgrader", {}).get("grade")
    }
    return {trial.name: sum(points[check.grade_id] for check in trial.checks) for trial in notebook.trials}


def _prove(lab: Lab, notebooks: list[TrialNotebook]) -> int:
    wrong: list[str] = []
    runs = 0
    for notebook in notebooks:
        scores = _scores(lab, notebook)
        for trial in notebook.trials:
            runs += trial.kind != "control"
            score = scores[trial.name]
            good = score <= trial.needed if trial.kind == "wrong" else score == trial.needed
            if not good:
                wrong.append(f"{lab.name} {trial.name}: {score:g}, needed {trial.needed:g}")
    assert not wrong, "\n".join(wrong)
    return runs


def test_a_small_lab_gets_the_marks_of_the_gate(make_lab: Any) -> None:
    """Solution full, blank nothing, each wrong answer at most what it may keep."""
    lab = Lab.load(make_lab())
    whole = [whole_notebook(lab, "solution"), whole_notebook(lab, "blank")]
    assert _prove(lab, [*whole, *trial_notebooks(lab, lab.of("wrong"), whole=False)]) == 4


@pytest.mark.proof
@pytest.mark.parametrize("name", sorted(path.parent.name for path in NOTEBOOKS.glob("*/lab.py")))
def test_each_lab_gets_the_marks_of_the_gate(name: str) -> None:
    """Every answer of every lab: functions, networks, firmware and cards go over the line."""
    lab = Lab.load(NOTEBOOKS / name)
    whole = [whole_notebook(lab, "solution"), whole_notebook(lab, "blank")]
    wrong = trial_notebooks(lab, lab.of("wrong"), whole=False)
    assert _prove(lab, [*whole, *wrong]) == 2 + len(lab.of("wrong"))
