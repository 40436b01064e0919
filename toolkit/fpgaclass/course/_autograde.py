"""One notebook through nbgrader: release, submission, autograde. Runs in a process of its own."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fpgaclass.core import CourseError
from fpgaclass.course.lab import Lab
from fpgaclass.course.notebook import unproved
from fpgaclass.course.release import ensure_files

STUDENT = "gate"
_STAMPS = ("iopub.execute_input", "shell.execute_reply")


@dataclass(frozen=True)
class Job:
    """What is to be graded.

    Attributes:
        lab: the lab it comes from.
        source: the text of the instructor's notebook.
        answers: grade id -> what the student wrote into that cell; the other cells stay as released.
        cell_seconds: no cell may run longer.
        threads: how many threads the numerical libraries may use.
    """

    lab: Lab
    source: str
    answers: dict[str, str]
    cell_seconds: int
    threads: int


@dataclass(frozen=True)
class Marks:
    """What nbgrader found.

    Attributes:
        scores: grade id of each check -> points.
        waiting: grade ids of answers that wait for a person.
        unproved: grade ids of checks that did not print their closing line.
        noisy: grade ids of checks that wrote to stderr.
        raised: (cell id, error's name, message), in the order of the notebook.
        seconds: of the autograding, the start of the kernel included.
        slowest: (cell id, seconds) of the cells that took longest.
    """

    scores: dict[str, float]
    waiting: tuple[str, ...]
    unproved: tuple[str, ...]
    noisy: tuple[str, ...]
    raised: tuple[tuple[str, str, str], ...]
    seconds: float
    slowest: tuple[tuple[str, float], ...]


def autograde(job: Job) -> Marks:
    """Release the notebook, submit the answers and let nbgrader grade them, in a temporary course.

    Raises:
        CourseError: nbgrader refused or could not run the notebook; the message holds the end of its log.
    """
    with tempfile.TemporaryDirectory(prefix="fpgaclass-gate-") as folder, _calm(Path(folder), job.threads):
        return _graded(job, Path(folder) / "course")


def _graded(job: Job, root: Path) -> Marks:
    import nbformat
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    name = job.lab.name
    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.course_id = "gate"
    config.Execute.timeout = job.cell_seconds
    config.ClearMetadataPreprocessor.preserve_cell_metadata_mask = ["execution"]
    source, submitted = root / "source" / name, root / "submitted" / STUDENT / name
    for target in (source, submitted):
        target.mkdir(parents=True)
        ensure_files(job.lab, target)
    (source / f"{name}.ipynb").write_text(job.source, encoding="utf-8")
    (root / "gradebook.db").write_bytes(_empty_gradebook())
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    _succeed(api.generate_assignment(name), job)

    notebook = nbformat.read(root / "release" / name / f"{name}.ipynb", 4)
    for cell in notebook.cells:
        cell.source = job.answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    nbformat.write(notebook, submitted / f"{name}.ipynb")
    started = time.monotonic()
    _succeed(api.autograde(name, STUDENT), job)
    seconds = time.monotonic() - started

    done = nbformat.read(root / "autograded" / STUDENT / name / f"{name}.ipynb", 4)
    with Gradebook(f"sqlite:///{root}/gradebook.db", "gate") as gradebook:
        grades = gradebook.find_submission_notebook(name, name, STUDENT).grades
        scores = {g.name: float(g.auto_score) for g in grades if g.auto_score is not None}
        waiting = tuple(g.name for g in grades if g.needs_manual_grade)
    checks = {c.metadata["nbgrader"]["grade_id"] for c in done.cells if _is_check(c)}
    outputs = [(c, o) for c in done.cells if c.cell_type == "code" for o in c.outputs]
    return Marks(
        scores={name: score for name, score in scores.items() if name in checks},
        waiting=waiting,
        unproved=unproved(done),
        noisy=tuple(c.id for c, o in outputs if c.id in checks and o.get("name") == "stderr"),
        raised=tuple((c.id, o.ename, o.evalue) for c, o in outputs if o.output_type == "error"),
        seconds=seconds,
        slowest=tuple(sorted(_times(done), key=lambda pair: -pair[1])[:3]),
    )


@functools.cache
def _empty_gradebook() -> bytes:
    """Return an empty gradebook, made once a process: nbgrader takes three seconds for each new one."""
    from nbgrader.api import Gradebook

    with tempfile.TemporaryDirectory(prefix="fpgaclass-gate-") as folder:
        path = Path(folder) / "gradebook.db"
        Gradebook(f"sqlite:///{path}", "gate").close()
        return path.read_bytes()


def _is_check(cell: Any) -> bool:
    grading = cell.metadata.get("nbgrader", {})
    return bool(grading.get("grade") and not grading.get("solution"))


def _times(notebook: Any) -> Iterator[tuple[str, float]]:
    """Yield (cell id, seconds) from the times that the kernel's messages carry."""
    for cell in notebook.cells:
        stamps = cell.metadata.get("execution", {})
        if all(key in stamps for key in _STAMPS):
            begin, end = (datetime.fromisoformat(stamps[key]) for key in _STAMPS)
            yield cell.id, (end - begin).total_seconds()


def _succeed(result: dict[str, object], job: Job) -> None:
    if not result["success"]:
        if "KeyboardInterrupt" in str(result.get("error")):  # nbgrader keeps it to itself
            raise KeyboardInterrupt
        log = str(result.get("log") or result.get("error"))
        last = "\n".join(log.strip().splitlines()[-12:])
        raise CourseError(f"nbgrader could not finish the notebook:\n{last}\n", where=str(job.lab.path))


@contextmanager
def _calm(folder: Path, threads: int) -> Iterator[None]:
    """Keep the user's IPython profile out, bound the threads, keep nbgrader's chatter off the terminal."""
    ours = {
        "IPYTHONDIR": str(folder / "ipython"),
        "FPGACLASS_STUDENT": STUDENT,
        # nbgrader starts `alembic` by name, and an environment that is not activated is not on PATH.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), str(threads)),
    }
    before = {key: os.environ.get(key) for key in ours}
    os.environ.update(ours)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with (folder / "log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            for number, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, number)
                os.close(copy)
            for key, value in before.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value
