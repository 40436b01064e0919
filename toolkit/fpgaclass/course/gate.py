"""The gate: proof, by the engine that grades a class, that a lab's checks pass what is right and no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from typing import Any

from fpgaclass.core import FpgaClassError, UsageError, say
from fpgaclass.course._marks import Marks, job, marks, master_of, sheet
from fpgaclass.course._trials import Trial, TrialNotebook, trial_notebooks, whole_notebook
from fpgaclass.course.lab import Lab
from fpgaclass.course.release import given_files
from fpgaclass.engine import run_jobs, threads_of

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
        seconds: measured, of running its notebook; wrong answers share one.
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
    jailed: bool = False,
) -> GateReport:
    """Grade the solution, the blank and every wrong answer of a lab, and say whether the checks check.

    All are released by nbgrader's own steps, and run and marked by the engine that grades classes. The wrong
    answers share a notebook, see docs/decisions/lab_gate.md.

    Args:
        lab: the lab.
        jobs: how many notebooks at once; they share the processor's cores.
        whole: run each wrong answer alone, in the whole notebook.
        only: try those whose name fits, such as ``"solution"`` or ``"bending/*"``.
        cell_seconds: no cell may run longer.
        jailed: run them in the jail, as submissions are. A lab's author is trusted, so that otherwise its
            notebooks may find the networks and the firmware that an earlier one trained and built.

    Raises:
        CourseError: nbgrader refuses the lab.
        FpgaClassError: the machine could not run a notebook.
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
    notebooks += trial_notebooks(lab, wrongs, whole=whole, parts=max(1, jobs - 1))
    modules = master_of(lab, every[0]).modules  # of the whole lab: all notebooks are forks of one warm kernel
    runs: dict[str, GateRun] = {}
    while notebooks:
        again: list[TrialNotebook] = []
        for notebook, found in _graded(lab, notebooks, modules, jobs, cell_seconds, jailed=jailed):
            disturbed = _disturbed(notebook, found)
            trusted = notebook.trials
            if disturbed:
                say(f"  {lab.name}: an answer to '{disturbed}' disturbs the next, so each runs alone")
                names_of = [trial.task for trial in notebook.trials]
                trusted = notebook.trials[: names_of.index(disturbed)]
                left = [trial.wrong for trial in notebook.trials[len(trusted) :] if trial.wrong]
                mine = [wrong for wrong in left if wrong.belongs == disturbed]
                again += (one for wrong in mine for one in trial_notebooks(lab, [wrong], whole=False))
                again += trial_notebooks(lab, [wrong for wrong in left if wrong not in mine], whole=False)
            for trial in trusted:
                if trial.kind != "control":
                    runs[trial.name] = run = _judge(notebook, trial, found)
                    verdict = f"{'ok    ' if run.ok else 'FAILED'} {len(runs)}/{len(wanted)} {lab.name}"
                    say(f"  {verdict} {run.name}: {run.score:g} of {run.of:g} (notebook {run.seconds:g} s)")
        notebooks = again
    return GateReport(lab.name, tuple(runs[name] for name in wanted), whole)


def _disturbed(notebook: TrialNotebook, found: Marks) -> str:
    """Return the first task at which the solution no longer gets full marks, or nothing."""
    controls = (trial for trial in notebook.trials if trial.kind == "control")
    return next((trial.task for trial in controls if _score(trial, found) != trial.needed), "")


def _graded(
    lab: Lab,
    notebooks: Sequence[TrialNotebook],
    modules: tuple[str, ...],
    jobs: int,
    cell_seconds: int,
    *,
    jailed: bool,
) -> Iterator[tuple[TrialNotebook, Marks]]:
    """Yield what each notebook gets, in the order in which they are done."""
    given = given_files(lab)
    sheets = [sheet(lab, notebook) for notebook in notebooks]
    share: dict[str, Any] = {"jailed": jailed, "threads": threads_of(jobs)}
    work = [(n, job(one, modules, given, cell_seconds, **share)) for n, one in enumerate(sheets)]
    # The first one alone: it trains and builds what the others then find in the cache.
    for part, at_once in ((work[:1], 1), (work[1:], jobs)):
        for batch in run_jobs(part, at_once=at_once):
            for n, outcome in batch:
                if outcome.trouble and not outcome.cells:
                    raise FpgaClassError(
                        f"the machine could not run the notebook: {outcome.trouble}", where=str(lab.path)
                    )
                yield notebooks[n], marks(sheets[n], outcome)


def _score(trial: Trial, found: Marks) -> float:
    return sum(found.scores.get(check.grade_id, 0.0) for check in trial.checks)


def _judge(notebook: TrialNotebook, trial: Trial, found: Marks) -> GateRun:
    """Compare what grading found with what the answer has to show."""
    checks = [check.grade_id for check in trial.checks]
    failed = [(cell, name, text) for cell, name, text in found.raised if cell in checks]
    untold = [check for check in found.unproved if check in checks and found.scores.get(check)]
    score = _score(trial, found)
    if untold:
        reason = f"{', '.join(untold)} gave marks without running to the end"
    elif trial.kind == "blank":
        reason = "" if score == 0 else f"nothing was written, and {score:g} points were given"
    elif trial.kind == "wrong":
        reason = _not_wrong_enough(trial, score, failed)
    else:
        reason = _not_right_enough(notebook, trial, found, score)
    return GateRun(
        name=trial.name,
        score=score,
        of=trial.of,
        needed=trial.needed,
        ok=not reason,
        reason=reason,
        said=failed[0][2] if failed else "",
        seconds=round(found.seconds, 1),
        slowest=tuple((cell, round(seconds, 1)) for cell, seconds in found.slowest),
    )


def _not_right_enough(notebook: TrialNotebook, trial: Trial, found: Marks, score: float) -> str:
    """Return why a solution does not show what it should, or nothing."""
    if found.gone:
        return f"the solution does not run to its end: {found.gone}"
    if found.raised:
        cell, name, text = found.raised[0]
        return f"the solution raises in {cell}: {name}: {text[:200]}"
    if found.noisy:
        return f"the solution writes to stderr in {', '.join(found.noisy)}, and that gives zero"
    if score != trial.needed:
        return f"the solution gets {score:g} of {trial.needed:g}"
    answers = {cell.grade_id for cell in notebook.cells if cell.role == "answer"}
    if set(found.waiting) != answers:
        return f"{', '.join(sorted(answers ^ set(found.waiting)))} should wait for a person, and nothing else"
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
