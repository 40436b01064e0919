"""Grade what was collected, in three phases: clean up, run in the jail, write marks.

The first and the last are ours and trusted, and the last has one writer; the middle one is a function of
bytes, runs anywhere, and sees neither gradebook nor network. A submission is in the gradebook whole or not
at all, together with what it was graded from, so that a run that was killed goes on where it was.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import fpgaclass
from fpgaclass.classroom.gradebook.gradebook import Entry, Writer, open_writer
from fpgaclass.classroom.grading.masters import given_files, load_masters
from fpgaclass.classroom.grading.submitted import files_beside, read_timestamp, submitted_files
from fpgaclass.core import ClassroomError, digest_of, track
from fpgaclass.course import LatePolicy
from fpgaclass.engine import (
    Job,
    Outcome,
    Restored,
    TooLargeError,
    UnreadableError,
    graft,
    restore,
    run_jobs,
    threads_of,
)


@dataclass(frozen=True)
class Settings:
    """How a lab is graded.

    Attributes:
        jobs: submissions at once.
        scheduler: address of a Dask scheduler whose workers run them; None for this machine.
        jailed: False to run students' code without a sandbox.
        cell_seconds: no cell may take longer.
        total_seconds: nor a notebook.
        memory: bytes that a notebook's processes may use together.
        again: grade what has not changed, too.
    """

    jobs: int = 1
    scheduler: str | None = None
    jailed: bool = True
    cell_seconds: float = 600
    total_seconds: float = 1800
    memory: int = 4_000_000_000
    again: bool = False

    @property
    def threads(self) -> int:
        """How many threads each process of a submission may use: all together, one a processor."""
        return 0 if self.scheduler else threads_of(self.jobs)


@dataclass(frozen=True)
class Marked:
    """What became of one submission.

    Attributes:
        student: the login name.
        status: ``"graded"``; ``"unchanged"``: it was graded before, as it is; ``"failed"``: it cannot be
            graded as it is; ``"not run"``: the machine failed, and nobody but the machine.
        note: what the instructor should know or do.
        seconds: of running it, measured.
    """

    student: str
    status: str
    note: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class _Submission:
    student: str
    folder: Path
    digest: str
    restored: dict[str, Restored]
    note: str


def mark(
    course: Path,
    course_id: str,
    lab: str,
    url: str,
    late: Callable[[str], LatePolicy],
    *,
    only: str | None = None,
    settings: Settings | None = None,
) -> tuple[Marked, ...]:
    """Grade what was collected of a lab, and has changed since it was graded last.

    Args:
        course: nbgrader's course folder; what was collected is in submitted/, what was graded in autograded/.
        course_id: nbgrader's name of the course.
        lab: the lab's name.
        url: the gradebook.
        late: student -> what lateness costs.
        only: grade only this student.
        settings: how.

    Raises:
        ClassroomError: the gradebook or the folder cannot be used, or somebody else is grading.
    """
    settings = settings or Settings()
    with open_writer(url, course_id, lab) as book:
        marked = _Marking(course, lab, book, late, settings).run(only)
        book.settle(late, only)
        return marked


class _Marking:
    def __init__(
        self, course: Path, lab: str, book: Writer, late: Callable[[str], LatePolicy], settings: Settings
    ) -> None:
        self._course, self._lab, self._book, self._late, self._settings = course, lab, book, late, settings
        self._masters = {master.name: master for master in load_masters(course, lab, book)}
        self._given = given_files(course, lab)
        parts: list[str | bytes] = [repr(master) for master in self._masters.values()]
        parts += [part for name, data in self._given.items() for part in (name, data)]
        self._release = digest_of(*parts, environment_digest())
        self._marked: list[Marked] = []

    def run(self, only: str | None) -> tuple[Marked, ...]:
        before = self._book.graded()
        folders = sorted(
            path for path in (self._course / "submitted").glob(f"*/{self._lab}") if path.is_dir()
        )
        wanted = [path for path in folders if only in (None, path.parent.name)]
        waiting: dict[str, _Submission] = {}
        for folder in track(wanted, f"put back the checks of {self._lab}"):
            student = folder.parent.name
            digest = self._digest(folder, student)
            known = before.get(student)
            done = (self._course / "autograded" / student / self._lab).is_dir()
            if known and known.digest == digest and done and not self._settings.again:
                self._marked.append(Marked(student, "unchanged", known.note))
                continue
            submission = self._restored(folder, student, digest)
            if submission:
                waiting[student] = submission
        self._execute(waiting)
        return tuple(sorted(self._marked, key=lambda one: one.student))

    def _digest(self, folder: Path, student: str) -> str:
        parts = [part for path in submitted_files(folder) for part in (str(path.relative_to(folder)), path)]
        return digest_of(self._release, student, *parts)

    def _restored(self, folder: Path, student: str, digest: str) -> _Submission | None:
        """Return a submission with its checks put back, or note why that cannot be."""
        given = {path.stem for path in folder.glob("*.ipynb")}
        found: dict[str, Restored] = {}
        notes: list[str] = []
        for name, master in self._masters.items():
            if name not in given:
                other = sorted(given - set(self._masters))
                there = f"; there is {other[0]}.ipynb" if other else ""
                notes.append(f"{name}.ipynb is missing{there}: ask {student} to name it so and submit again")
                continue
            try:
                found[name] = restore(master, (folder / f"{name}.ipynb").read_bytes())
            except (UnreadableError, OSError) as trouble:
                doing = "clear its outputs" if isinstance(trouble, TooLargeError) else "open it in JupyterLab"
                step = f"ask {student} to {doing}, save it, and submit again"
                what = "is too large" if isinstance(trouble, TooLargeError) else "is not a notebook"
                notes.append(f"{name}.ipynb {what} ({trouble}): {step}")
                continue
            notes += found[name].notes
        if not found:
            self._marked.append(Marked(student, "failed", "; ".join(notes)))
            return None
        return _Submission(student, folder, digest, found, "; ".join(notes))

    def _execute(self, waiting: dict[str, _Submission]) -> None:
        """Run all notebooks, and write each submission's marks as soon as its last one is done."""
        total = sum(len(submission.restored) for submission in waiting.values())
        for _ in track(self._written(waiting), f"grade {self._lab}", total=total):
            pass

    def _written(self, waiting: dict[str, _Submission]) -> Iterator[str]:
        done: dict[str, dict[str, Outcome]] = {student: {} for student in waiting}
        for batch in run_jobs(
            self._jobs(waiting), at_once=self._settings.jobs, scheduler=self._settings.scheduler
        ):
            entries = []
            for (student, name), outcome in batch:
                done[student][name] = outcome
                submission = waiting[student]
                if len(done[student]) == len(submission.restored):
                    entry = self._finish(submission, done.pop(student))
                    entries += [entry] if entry else []
            if entries:  # what came while the last ones were written is written together
                self._book.write(entries)
            yield from (student for (student, _), _ in batch)

    def _jobs(self, waiting: dict[str, _Submission]) -> Iterator[tuple[tuple[str, str], Job]]:
        modules = tuple(dict.fromkeys(m for master in self._masters.values() for m in master.modules))
        for student, submission in waiting.items():
            files = files_beside(submission.folder, self._given)
            for name, restored in submission.restored.items():
                yield (
                    (student, name),
                    Job(
                        student=student,
                        cells=restored.cells,
                        reserved=restored.reserved,
                        modules=modules,
                        files=files,
                        given=self._given,
                        cell_seconds=self._settings.cell_seconds,
                        total_seconds=self._settings.total_seconds,
                        memory=self._settings.memory,
                        jailed=self._settings.jailed,
                        threads=self._settings.threads,
                    ),
                )

    def _finish(self, submission: _Submission, outcomes: dict[str, Outcome]) -> Entry | None:
        """Write a submission's files, and return what the gradebook is to say."""
        student, note = submission.student, submission.note
        seconds = sum(outcome.seconds for outcome in outcomes.values())
        broken = next((o.trouble for o in outcomes.values() if o.trouble and not o.cells), "")
        if broken:
            step = f"run `fpgaclass grade {self._lab}` again"
            why = f"the machine failed, not {student}: {broken}. Next: {step}"
            self._marked.append(Marked(student, "not run", why))
            return None
        notebooks = {}
        for name, outcome in outcomes.items():
            notebooks[name] = graft(submission.restored[name], outcome)
            note = "; ".join(filter(None, [note, self._endless(outcome), outcome.gone or outcome.trouble]))
        self._write_files(submission, notebooks)
        self._marked.append(Marked(student, "graded", note, seconds))
        when = read_timestamp(submission.folder)
        return Entry(student, when, notebooks, self._late(student), submission.digest, note)

    def _endless(self, outcome: Outcome) -> str:
        """Say how many cells were stopped at the time limit, or nothing."""
        names = [out.get("ename") for cell in outcome.cells for out in cell.outputs]
        stopped = names.count("CellTimeoutError")
        limit = f"stopped after {self._settings.cell_seconds:g} s"
        return f"{stopped} {'cell was' if stopped == 1 else 'cells were'} {limit}" if stopped else ""

    def _write_files(self, submission: _Submission, notebooks: dict[str, dict[str, Any]]) -> None:
        """Put the graded notebooks where nbgrader's formgrader and feedback look for them, all at once."""
        target = self._course / "autograded" / submission.student / self._lab
        scratch, old = target.with_name(f".{self._lab}.new"), target.with_name(f".{self._lab}.old")
        try:
            for leftover in (scratch, old):
                shutil.rmtree(leftover, ignore_errors=True)
            scratch.mkdir(parents=True)
            for name, data in (files_beside(submission.folder, self._given) | self._given).items():
                path = scratch / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            stamp = submission.folder / "timestamp.txt"
            if stamp.is_file():
                shutil.copyfile(stamp, scratch / stamp.name)
            for name, notebook in notebooks.items():
                text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
                (scratch / f"{name}.ipynb").write_text(text, encoding="utf-8", errors="replace")
            if target.exists():
                target.rename(old)
            scratch.rename(target)
            shutil.rmtree(old, ignore_errors=True)
        except OSError as trouble:
            shutil.rmtree(scratch, ignore_errors=True)
            step = "make room on that disk, and run the same command again"
            raise ClassroomError(
                f"the graded notebooks cannot be written: {trouble.strerror or trouble}",
                where=str(target),
                next_step=step,
            ) from trouble


@cache
def environment_digest() -> str:
    """Return a digest of what can change marks besides the submission: packages, Python, and this toolkit."""
    site = Path(sysconfig.get_path("purelib"))
    installed = sorted(name for name in os.listdir(site) if name.endswith(".dist-info"))  # noqa: PTH208
    assert fpgaclass.__file__ is not None
    ours = sorted(Path(fpgaclass.__file__).parent.rglob("*.py"))
    return digest_of(sys.version, *installed, *ours)
