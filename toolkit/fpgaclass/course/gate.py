"""The gate: proof, by nbgrader's own autograding, that a lab's checks pass what is right and nothing else."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from typing import Any

from fpgaclass.core import UsageError, say
from fpgaclass.course._autograde import Job, Marks, autograde
from fpgaclass.course._trials import Trial, TrialNotebook, trial_notebooks, whole_notebook
from fpgaclass.course.lab import Lab
from fpgaclass.course.notebook import source_notebook

_BY_ASSERT = ("AssertionError", "CheckError")


@dataclass(frozen=True)
class GateRun:
    """One answer that was graded.

    Attributes:
        name: ``"solution"``, ``"blank"`` or ``"<task>/<wrong answer>"``.
        score: the points of its checks.
        of: the points they can give.
        needed: the score that proves something: exactly this one (solution, blank), or at most (wrong).
        ok: it proves what it should.
        reason: why not, else empty.
        said: what the student reads at the first check that fails.
        seconds: measured, of the autograding of its notebook with the start of the kernel; wrong answers of
            one task share a notebook.
        slowest: (cell id, seconds) of the three cells that took longest, measured.
    """

    name: str
    score: float
    of: float
    needed: float
    ok: bool
    reason: str
    said: str
    seconds: float
    slowest: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class GateReport:
    """What the gate found for one lab.

    Attributes:
        lab: its name.
        runs: the solution first, then the blank, then the wrong answers.
        whole: whether each wrong answer ran alone, in the whole notebook.
    """

    lab: str
    runs: tuple[GateRun, ...]
    whole: bool

    @property
    def ok(self) -> bool:
        """True when every run proves what it should."""
        return all(run.ok for run in self.runs)

    def table(self) -> str:
        """Return the report as lines of text."""
        width = max(len(run.name) for run in self.runs)
        lines = [f"{'ok' if self.ok else 'FAILED'}  {self.lab}: {len(self.runs)} answers"]
        for run in self.runs:
            sign = "=" if run.name in ("solution", "blank") else "<="
            lines.append(
                f"  {'ok    ' if run.ok else 'FAILED'} {run.name:<{width}} {run.score:4g} of {run.of:g}"
                f" (needed {sign} {run.needed:g})  {run.reason or run.said}"
            )
        first = self.runs[0]
        slow = ", ".join(f"{cell} {seconds:g} s" for cell, seconds in first.slowest)
        return "\n".join([*lines, f"  {first.name}: {first.seconds:g} s (measured), of them {slow}"])

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, for JSON."""
        return {"lab": self.lab, "ok": self.ok, "whole": self.whole, "runs": [asdict(r) for r in self.runs]}


def gate(
    lab: Lab,
    *,
    jobs: int = 1,
    whole: bool = False,
    only: str = "*",
    cell_seconds: int = 600,
) -> GateReport:
    """Grade the solution, the blank and every wrong answer of a lab, and say whether the checks check.

    All are released, submitted and autograded by nbgrader in temporary courses, with real kernels. The wrong
    answers of a task share one shorter notebook, see docs/decisions/lab_gate.md.

    Args:
        lab: the lab.
        jobs: how many notebooks at once; they share the processor's cores.
        whole: run each wrong answer alone, in the whole notebook.
        only: try those whose name fits, such as ``"solution"`` or ``"bending/*"``.
        cell_seconds: no cell may run longer.

    Raises:
        CourseError: nbgrader could not run a notebook to its end.
        UsageError: nothing fits ``only``, or ``jobs`` is not positive.
    """
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}, and at least one is needed")
    every = [whole_notebook(lab, "solution"), whole_notebook(lab, "blank")]
    names = ["solution", "blank", *(f"{wrong.belongs}/{wrong.name}" for wrong in lab.of("wrong"))]
    wanted = [name for name in names if fnmatch(name, only)]
    if not wanted:
        raise UsageError(f"no answer of {lab.name} fits '{only}'", next_step=f"one of: {', '.join(names)}")
    wrongs = [wrong for wrong in lab.of("wrong") if f"{wrong.belongs}/{wrong.name}" in wanted]
    notebooks = [notebook for notebook in every if notebook.trials[0].name in wanted]
    notebooks += trial_notebooks(lab, wrongs, whole=whole)
    threads = max(1, (os.cpu_count() or 1) // jobs)
    runs: dict[str, GateRun] = {}
    while notebooks:
        alone: list[TrialNotebook] = []
        for notebook, marks in _autograded(lab, notebooks, jobs, cell_seconds, threads):
            control = next((trial for trial in notebook.trials if trial.kind == "control"), None)
            if control and _score(control, marks) != control.needed:
                task = control.checks[0].belongs
                say(f"  {lab.name}: an answer to '{task}' disturbs the next, so each runs alone")
                mine = [trial.wrong for trial in notebook.trials if trial.wrong]
                alone += (one for wrong in mine for one in trial_notebooks(lab, [wrong], whole=False))
                continue
            for trial in notebook.trials:
                if trial.kind != "control":
                    runs[trial.name] = run = _judge(notebook, trial, marks)
                    verdict = f"{'ok    ' if run.ok else 'FAILED'} {len(runs)}/{len(wanted)} {lab.name}"
                    say(f"  {verdict} {run.name}: {run.score:g} of {run.of:g} (notebook {run.seconds:g} s)")
        notebooks = alone
    return GateReport(lab.name, tuple(runs[name] for name in wanted), whole)


def _autograded(
    lab: Lab, notebooks: Sequence[TrialNotebook], jobs: int, cell_seconds: int, threads: int
) -> Iterator[tuple[TrialNotebook, Marks]]:
    """Yield what nbgrader found, in the order in which the notebooks are done."""
    work = [_job(lab, notebook, cell_seconds, threads) for notebook in notebooks]
    if jobs == 1 or len(work) == 1:
        for notebook, job in zip(notebooks, work, strict=True):
            yield notebook, autograde(job)
        return
    # Spawned and not forked: nbgrader changes the working directory, and forks of threads hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(work)), mp_context=context) as pool:
        try:
            # The first one alone: it trains and builds what the others then find in the cache.
            yield notebooks[0], pool.submit(autograde, work[0]).result()
            waiting = {
                pool.submit(autograde, job): one for one, job in zip(notebooks[1:], work[1:], strict=True)
            }
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _job(lab: Lab, notebook: TrialNotebook, cell_seconds: int, threads: int) -> Job:
    import nbformat

    source = nbformat.writes(source_notebook(replace(lab, cells=notebook.cells)))
    return Job(lab, source, notebook.answers, cell_seconds, threads)


def _score(trial: Trial, marks: Marks) -> float:
    return sum(marks.scores.get(check.grade_id, 0.0) for check in trial.checks)


def _judge(notebook: TrialNotebook, trial: Trial, marks: Marks) -> GateRun:
    """Compare what nbgrader found with what the answer has to show."""
    checks = [check.grade_id for check in trial.checks]
    failed = [(cell, name, text) for cell, name, text in marks.raised if cell in checks]
    untold = [check for check in marks.unproved if check in checks and marks.scores.get(check)]
    score = _score(trial, marks)
    if untold:
        reason = f"{', '.join(untold)} gave marks without running to the end"
    elif trial.kind == "blank":
        reason = "" if score == 0 else f"nothing was written, and {score:g} points were given"
    elif trial.kind == "wrong":
        reason = _not_wrong_enough(trial, score, failed)
    else:
        reason = _not_right_enough(notebook, trial, marks, score)
    return GateRun(
        name=trial.name,
        score=score,
        of=trial.of,
        needed=trial.needed,
        ok=not reason,
        reason=reason,
        said=failed[0][2] if failed else "",
        seconds=round(marks.seconds, 1),
        slowest=tuple((cell, round(seconds, 1)) for cell, seconds in marks.slowest),
    )


def _not_right_enough(notebook: TrialNotebook, trial: Trial, marks: Marks, score: float) -> str:
    """Return why a solution does not show what it should, or nothing."""
    if marks.raised:
        cell, name, text = marks.raised[0]
        return f"the solution raises in {cell}: {name}: {text[:200]}"
    if marks.noisy:
        return f"the solution writes to stderr in {', '.join(marks.noisy)}, and nbgrader gives that zero"
    if score != trial.needed:
        return f"the solution gets {score:g} of {trial.needed:g}"
    answers = {cell.grade_id for cell in notebook.cells if cell.role == "answer"}
    if set(marks.waiting) != answers:
        return f"{', '.join(sorted(answers ^ set(marks.waiting)))} should wait for a person, and nothing else"
    return ""


def _not_wrong_enough(trial: Trial, score: float, failed: list[tuple[str, str, str]]) -> str:
    """Return why a wrong answer does not show what it should, or nothing."""
    assert trial.wrong is not None
    if score > trial.needed:
        return f"it should get at most {trial.needed:g}"
    by = (trial.wrong.raises,) if trial.wrong.raises else _BY_ASSERT
    mine = {check.grade_id for check in trial.checks if check.belongs == trial.wrong.belongs}
    own = [failure for failure in failed if failure[0] in mine]
    if not own:
        return "it loses its points without an error in a check of its own task"
    check, name, text = own[0]
    if name not in by:
        return f"{check} ends in {name}, not in {' or '.join(by)}: {text[:200]}"
    return ""
