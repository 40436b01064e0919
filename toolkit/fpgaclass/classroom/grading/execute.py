"""The formgrader's *Autograde* button, and nbgrader's own command: their step `Execute`, by the engine.

nbgrader does the rest there, one notebook at a time; `fpgaclass grade` does without it.
"""

from __future__ import annotations

import json
import os
import shlex
from functools import wraps
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Integer

from fpgaclass.classroom.gradebook.gradebook import Writer
from fpgaclass.classroom.grading.masters import given_files, load_masters
from fpgaclass.classroom.hub.seats import SEAT_VARIABLE
from fpgaclass.core import ClassroomError
from fpgaclass.engine import Job, NoJail, execute_job, find_jail, graft, restore


class JailedExecute(NbGraderPreprocessor):  # type: ignore[misc]
    """Run a submission in the jail, its checks in the clean process."""

    timeout = Integer(600, help="Seconds for one cell").tag(config=True)
    total_timeout = Integer(1800, help="Seconds for a whole notebook").tag(config=True)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the notebook with its outputs.

        Raises:
            ClassroomError: no jail can be made here, or the machine failed.
        """
        require_jail()
        about = resources["nbgrader"]
        course = Path(str(self.config.CourseDirectory.root))
        book = Writer(about["db_url"], str(self.config.CourseDirectory.course_id), about["assignment"])
        try:
            masters = {one.name: one for one in load_masters(course, about["assignment"], book)}
        finally:
            book.close()
        master = masters[about["notebook"]]
        restored = restore(master, nbformat.writes(nb))
        outcome = execute_job(
            Job(
                student=about["student"],
                cells=restored.cells,
                reserved=restored.reserved,
                modules=master.modules,
                given=given_files(course, about["assignment"]),
                cell_seconds=self.timeout,
                total_seconds=self.total_timeout,
            )
        )
        if outcome.trouble and not outcome.cells:
            raise ClassroomError(f"the machine failed, not the student: {outcome.trouble}")
        if outcome.gone or outcome.trouble:
            self.log.warning("not run to its end: %s", outcome.gone or outcome.trouble)
        return nbformat.reads(json.dumps(graft(restored, outcome)), as_version=4), resources


class JailedExporter(NotebookExporter):
    """The first thing nbgrader makes when it grades: a missing jail stops it before it removes anything."""

    def __init__(self, **kwargs: Any) -> None:
        require_jail()
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]


def ensure_clear_button() -> None:
    """Have the formgrader's button, where it cannot work, say so in one line and not in a traceback.

    nbgrader has no hook there: what its Python interface returns is what the page shows.
    """
    from nbgrader.apps.api import NbGraderAPI

    press = getattr(NbGraderAPI.autograde, "__wrapped__", NbGraderAPI.autograde)

    @wraps(press)
    def autograde(self: Any, assignment_id: str, student_id: str, *rest: Any, **more: Any) -> dict[str, Any]:
        try:
            require_jail(assignment_id, "--student", student_id)
        except ClassroomError as refused:
            return {"success": False, "log": str(refused)}
        return dict(press(self, assignment_id, student_id, *rest, **more))

    NbGraderAPI.autograde = autograde


def require_jail(*words: str) -> None:
    """Check that students' code can be jailed here.

    Args:
        words: what to give to `fpgaclass grade` where it can be.

    Raises:
        ClassroomError: it cannot.
    """
    jail = find_jail()
    if isinstance(jail, NoJail):
        step = jail.next_step
        if os.environ.get(SEAT_VARIABLE) == "jailed":
            grade = shlex.join(["fpgaclass", "grade", *words])
            step = f"run `{grade}` in a terminal of the machine where `fpgaclass up` runs"
        raise ClassroomError("students' code cannot be run safely from here", next_step=step)
