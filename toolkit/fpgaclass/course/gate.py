"""The gate: proof, by nbgrader's own autograding, that a lab's checks pass what is right and nothing else."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from typing import Any, Literal

from fpgaclass.core import CourseError, UsageError, say
from fpgaclass.course._autograde import Job, Marks, autograde
from fpgaclass.course.lab import BEGIN_SOLUTION, END_SOLUTION, Lab, LabCell
from fpgaclass.course.notebook import source_notebook

_BY_ASSERT = ("AssertionError", "CheckError")


@dataclass(frozen=True)
class GateRun:
    """One notebook that was graded.

    Attributes:
        name: ``"solution"``, ``"blank"`` or ``"<task>/<wrong answer>"``.
        score: the points of its checks.
        of: the points they can give.
        needed: the score that proves something: exactly this one (solution, blank), or at most (wrong).
        ok: it proves what it should.
        reason: why not, else empty.
        said: what the student reads at the first check that fails.
        seconds: measured, of the autograding with the start of its kernel.
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
        whole: whether wrong answers ran in the whole notebook.
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
        lines = [f"{'ok' if self.ok else 'FAILED'}  {self.lab}: {len(self.runs)} runs (times measured)"]
        for run in self.runs:
            sign = "=" if run.name in ("solution", "blank") else "<="
            lines.append(
                f"  {'ok    ' if run.ok else 'FAILED'} {run.name:<{width}} {run.score:4g} of {run.of:g}"
                f" (needed {sign} {run.needed:g}) {run.seconds:6.1f} s  {run.reason or run.said}"
            )
        slow = ", ".join(f"{cell} {seconds:g} s" for cell, seconds in self.runs[0].slowest)
        return "\n".join([*lines, f"  slowest cells of {self.runs[0].name}: {slow}"])

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, for JSON."""
        return {"lab": self.lab, "ok": self.ok, "whole": self.whole, "runs": [asdict(r) for r in self.runs]}


@dataclass(frozen=True)
class _Case:
    name: str
    kind: Literal["solution", "blank", "wrong"]
    cells: tuple[LabCell, ...]
    wrong: LabCell | None = None

    @property
    def of(self) -> int:
        return sum(cell.points for cell in self.cells if cell.role == "check")


def gate(
    lab: Lab,
    *,
    jobs: int = 1,
    whole: bool = False,
    only: str = "*",
    cell_seconds: int = 600,
) -> GateReport:
    """Grade the solution, the blank and every wrong answer of a lab, and say whether the checks check.

    Each is released, submitted and autograded by nbgrader in a temporary course, in a kernel of its own.
    Wrong answers run in a shorter notebook, see docs/decisions/lab_gate.md.

    Args:
        lab: the lab.
        jobs: how many notebooks at once; they share the processor's cores.
        whole: run wrong answers in the whole notebook.
        only: run those whose name fits, such as ``"solution"`` or ``"bending/*"``.
        cell_seconds: no cell may run longer.

    Raises:
        CourseError: nbgrader could not run a notebook to its end.
        UsageError: nothing fits ``only``, or ``jobs`` is not positive.
    """
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}, and at least one is needed")
    cases = [case for case in _cases(lab, whole) if fnmatch(case.name, only)]
    if not cases:
        names = ", ".join(case.name for case in _cases(lab, whole))
        raise UsageError(f"no run of {lab.name} fits '{only}'", next_step=f"one of: {names}")
    threads = max(1, (os.cpu_count() or 1) // jobs)
    graded = {case.name: _job(lab, case, cell_seconds, threads) for case in cases}
    runs: dict[str, GateRun] = {}
    for name, marks in _autograded(graded, jobs):
        case = next(case for case in cases if case.name == name)
        runs[name] = run = _judge(case, marks)
        verdict = f"{'ok    ' if run.ok else 'FAILED'} {len(runs)}/{len(cases)}"
        say(f"  {verdict} {lab.name} {name}: {run.score:g} of {run.of:g}, {run.seconds:.1f} s")
    return GateReport(lab.name, tuple(runs[case.name] for case in cases), whole)


def _autograded(jobs_by_name: dict[str, Job], jobs: int) -> Iterator[tuple[str, Marks]]:
    """Yield what nbgrader found, in the order in which the notebooks are done."""
    if jobs == 1:
        for name, job in jobs_by_name.items():
            yield name, autograde(job)
        return
    # Spawned and not forked: nbgrader changes the working directory, and forks of threads hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(jobs_by_name)), mp_context=context) as pool:
        try:
            # The first one alone: it trains and builds what the others then find in the cache.
            first, *others = jobs_by_name
            yield first, pool.submit(autograde, jobs_by_name[first]).result()
            waiting = {pool.submit(autograde, jobs_by_name[name]): name for name in others}
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _cases(lab: Lab, whole: bool) -> Iterator[_Case]:
    yield _Case("solution", "solution", lab.cells)
    yield _Case("blank", "blank", lab.cells)
    for wrong in lab.of("wrong"):
        cells = lab.cells if whole else _up_to(lab, wrong.belongs)
        yield _Case(f"{wrong.belongs}/{wrong.name}", "wrong", cells, wrong)


def _up_to(lab: Lab, task: str) -> tuple[LabCell, ...]:
    """Return the cells up to the last check of a task, without what other tasks are marked by."""
    last = max(cell.line for cell in lab.of("check", task))
    marked = ("check", "answer", "hint")
    return tuple(c for c in lab.cells if c.line <= last and (c.role not in marked or c.belongs == task))


def _job(lab: Lab, case: _Case, cell_seconds: int, threads: int) -> Job:
    import nbformat

    answers = {}
    if case.kind != "blank":
        answers = {c.grade_id: _answer(c.source) for c in case.cells if c.role in ("task", "answer")}
    if case.wrong:
        answers[f"task_{case.wrong.belongs}"] = case.wrong.source
    kept = {cell.line for cell in case.cells}
    source = nbformat.writes(source_notebook(lab, lambda cell: cell.line in kept))
    return Job(lab, source, answers, cell_seconds, threads)


def _answer(source: str) -> str:
    """Return a solution as a student would have it, without the marks around it."""
    lines = [line for line in source.splitlines() if line.strip() not in (BEGIN_SOLUTION, END_SOLUTION)]
    return "\n".join(lines)


def _judge(case: _Case, marks: Marks) -> GateRun:
    """Compare what nbgrader found with what the run has to show."""
    score = sum(marks.scores.values())
    checks = [cell.grade_id for cell in case.cells if cell.role == "check"]
    failed = [(cell, name, text) for cell, name, text in marks.raised if cell in checks]
    needed = {"solution": case.of, "blank": 0}.get(
        case.kind, case.of - (case.wrong.loses if case.wrong else 0)
    )
    return GateRun(
        name=case.name,
        score=score,
        of=case.of,
        needed=needed,
        ok=not (reason := _trouble(case, marks, score, needed, failed)),
        reason=reason,
        said=failed[0][2] if failed else "",
        seconds=round(marks.seconds, 1),
        slowest=tuple((cell, round(seconds, 1)) for cell, seconds in marks.slowest),
    )


def _trouble(
    case: _Case, marks: Marks, score: float, needed: float, failed: list[tuple[str, str, str]]
) -> str:
    """Return why a run does not prove what it should, or nothing."""
    untold = [check for check in marks.unproved if marks.scores.get(check)]
    if untold:
        return f"{', '.join(untold)} gave marks without running to the end"
    if case.kind == "blank":
        return "" if score == 0 else f"nothing was written, and {score:g} points were given"
    if case.kind == "wrong":
        return _wrong_trouble(case, score, needed, failed)
    if marks.raised:
        cell, name, text = marks.raised[0]
        return f"the solution raises in {cell}: {name}: {text[:200]}"
    if marks.noisy:
        return f"the solution writes to stderr in {', '.join(marks.noisy)}, and nbgrader gives that zero"
    if score != needed:
        return f"the solution gets {score:g} of {needed:g}"
    answers = {cell.grade_id for cell in case.cells if cell.role == "answer"}
    if set(marks.waiting) != answers:
        return f"{', '.join(sorted(answers ^ set(marks.waiting)))} should wait for a person, and nothing else"
    return ""


def _wrong_trouble(case: _Case, score: float, needed: float, failed: list[tuple[str, str, str]]) -> str:
    assert case.wrong is not None
    if score > needed:
        return f"it should get at most {needed:g}"
    by = (case.wrong.raises,) if case.wrong.raises else _BY_ASSERT
    mine = {
        cell.grade_id for cell in case.cells if cell.role == "check" and cell.belongs == case.wrong.belongs
    }
    own = [failure for failure in failed if failure[0] in mine]
    if not own:
        return "it loses its points in the checks of other tasks, not in its own"
    check, name, text = own[0]
    if name not in by:
        return f"{check} ends in {name}, not in {' or '.join(by)}: {text[:200]}"
    return ""


def require_ok(report: GateReport) -> None:
    """Raise CourseError with the whole table when a gate failed."""
    if not report.ok:
        bad = [run.name for run in report.runs if not run.ok]
        raise CourseError(f"{report.lab}: {', '.join(bad)} failed the gate\n{report.table()}")
