"""Which notebooks the gate grades, and which answers each of them tries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from fpgaclass.course.lab import BEGIN_SOLUTION, END_SOLUTION, Lab, LabCell

Kind = Literal["solution", "blank", "wrong", "control"]
_MARKED = ("check", "answer", "hint")


@dataclass(frozen=True)
class Trial:
    """One answer, and the checks that mark it.

    Attributes:
        name: ``"solution"``, ``"blank"``, ``"<task>/<wrong answer>"`` or ``"control"``.
        kind: what it has to show.
        checks: the check cells that mark it, with their grade ids in the notebook.
        wrong: the wrong answer, if it is one.
    """

    name: str
    kind: Kind
    checks: tuple[LabCell, ...]
    wrong: LabCell | None = None

    @property
    def task(self) -> str:
        """The task of its first check."""
        return self.checks[0].belongs

    @property
    def of(self) -> int:
        """The points that its checks can give."""
        return sum(check.points for check in self.checks)

    @property
    def needed(self) -> int:
        """The score that proves something: exactly it, or for a wrong answer at most it."""
        return 0 if self.kind == "blank" else self.of - (self.wrong.loses if self.wrong else 0)


@dataclass(frozen=True)
class TrialNotebook:
    """A notebook to grade.

    Attributes:
        cells: what is in it.
        answers: grade id -> what the student writes there; other cells stay as released.
        trials: the answers tried in it, in order.
    """

    cells: tuple[LabCell, ...]
    answers: dict[str, str]
    trials: tuple[Trial, ...]


def trial_notebooks(
    lab: Lab, wrongs: Sequence[LabCell], *, whole: bool, parts: int = 1
) -> Iterator[TrialNotebook]:
    """Yield the notebooks of the wrong answers: they share as few as may be, unless ``whole``.

    Args:
        lab: the lab.
        wrongs: the wrong answers, in the lab's order.
        whole: each in the whole notebook, alone.
        parts: among how many notebooks to divide the tasks.
    """
    if whole:
        yield from (whole_notebook(lab, "wrong", wrong) for wrong in wrongs)
        return
    turns: dict[str, list[LabCell]] = {}
    for wrong in wrongs:
        turns.setdefault(wrong.belongs, []).append(wrong)
    apart: list[str] = []
    tangled: list[str] = []
    place = 0
    for task in sorted(turns, key=lambda task: _stretch(lab, task)[0]):
        start, end = _stretch(lab, task)
        (apart if start > place else tangled).append(task)
        place = max(place, end)
    size = -(-len(apart) // parts)
    for group in (*(apart[n : n + size] for n in range(0, len(apart), size or 1)), *([t] for t in tangled)):
        yield shared_notebook(lab, {task: turns[task] for task in group})


def whole_notebook(lab: Lab, kind: Kind, wrong: LabCell | None = None) -> TrialNotebook:
    """Return the whole lab with the solution, nothing, or one wrong answer in it."""
    answers = {} if kind == "blank" else _solutions(lab.cells)
    name: str = kind
    if wrong:
        answers[f"task_{wrong.belongs}"] = wrong.source
        name = f"{wrong.belongs}/{wrong.name}"
    return TrialNotebook(lab.cells, answers, (Trial(name, kind, lab.of("check"), wrong),))


def shared_notebook(lab: Lab, turns: Mapping[str, Sequence[LabCell]]) -> TrialNotebook:
    """Return the lab up to the last of some tasks, with the stretch of each task once for each answer to it.

    A task's stretch goes from the task to its last check. The checks and answers of other tasks are left out.
    After a task's wrong answers comes the solution, as a control: if it still gets full marks, none of them
    has left something behind that fails the next. What follows rests on it. One answer alone needs none.

    Args:
        lab: the lab.
        turns: task -> the wrong answers to it, in the lab's order; no stretch begins inside another.
    """
    alone = sum(map(len, turns.values())) == 1
    cells: tuple[LabCell, ...] = ()
    answers: dict[str, str] = {}
    trials: list[Trial] = []
    place = 0
    for task, wrongs in turns.items():
        start, end = _stretch(lab, task)
        kept = [cell for cell in lab.cells if cell.role not in _MARKED or cell.belongs == task]
        before = tuple(cell for cell in kept if place < cell.line < start)
        stretch = [cell for cell in kept if start <= cell.line <= end and cell.role not in ("wrong", "hint")]
        cells += before
        answers |= _solutions(before)
        for n, wrong in enumerate(wrongs if alone else [*wrongs, None], start=1):
            turn = tuple(_renamed(cell, n) for cell in stretch)
            checks = tuple(cell for cell in turn if cell.role == "check")
            answers |= _solutions(turn)
            if wrong:
                answers[_renamed(lab.of("task", task)[0], n).grade_id] = wrong.source
                trials.append(Trial(f"{task}/{wrong.name}", "wrong", checks, wrong))
            else:
                trials.append(Trial("control", "control", checks))
            cells += turn
        place = end
    return TrialNotebook(cells, answers, tuple(trials))


def _stretch(lab: Lab, task: str) -> tuple[int, int]:
    """Return the lines of a task and of its last check."""
    return lab.of("task", task)[0].line, max(check.line for check in lab.of("check", task))


def _renamed(cell: LabCell, turn: int) -> LabCell:
    """Give a cell that nbgrader knows a name for this turn; others may stand there twice."""
    if cell.role not in ("task", "check", "locked"):
        return cell
    return replace(cell, name=f"{cell.name}_{turn}" if cell.name else str(turn))


def _solutions(cells: Sequence[LabCell]) -> dict[str, str]:
    """Return the solutions as a student would have them, without the marks around them."""
    marks = (BEGIN_SOLUTION, END_SOLUTION)
    return {
        cell.grade_id: "\n".join(line for line in cell.source.splitlines() if line.strip() not in marks)
        for cell in cells
        if cell.role in ("task", "answer")
    }
