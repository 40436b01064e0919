"""Feedback: written for several students at once, and put where each of them fetches it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from fpgaclass.classroom.exchange import open_desk
from fpgaclass.classroom.gradebook.gradebook import gradebook_url, open_writer
from fpgaclass.classroom.grading.grading import check_released
from fpgaclass.classroom.hints import command
from fpgaclass.classroom.layout import Layout
from fpgaclass.classroom.nbgrader_course import api_log, last_line, late_policy, nbgrader_api
from fpgaclass.core import ClassroomError, track


@dataclass(frozen=True)
class Given:
    """Feedback that was given back.

    Attributes:
        lab: the lab's name.
        students: who can fetch theirs now.
        notes: whose could not be written, and why, a line each.
    """

    lab: str
    students: tuple[str, ...]
    notes: tuple[str, ...] = ()


def feedback(layout: Layout, lab: str, students: Sequence[str], *, jobs: int = 1) -> Given:
    """Write the feedback on all graded submissions and put it where each student fetches it.

    One that cannot be written stops nobody else's; what that student got before stays.

    Args:
        layout: the class.
        lab: the lab's name.
        students: the class.
        jobs: how many are written at once.

    Raises:
        ClassroomError: nothing has been graded, or nbgrader failed altogether.
    """
    check_released(layout, lab)
    graded = [name for name in students if (layout.course / "autograded" / name / lab).is_dir()]
    if not graded:
        step = command("grade", lab)
        raise ClassroomError(f"no submission of {lab} has been graded yet", next_step=step)
    with open_writer(gradebook_url(layout.course), layout.course_id, lab) as book:
        book.settle(lambda name: late_policy(layout.course, lab, name))  # a person may have given points
    notes = []
    with nbgrader_api(layout) as api:
        for name, result in track(_written(api, lab, graded, jobs), f"feedback {lab}", total=len(graded)):
            log = api_log(layout, result)
            if not result["success"]:
                notes.append(f"{name}: the feedback was not written: {last_line(log)}")
        api_log(layout, api.release_feedback(lab), "the feedback was not released")
    given = open_desk(layout).given_feedback(layout.course_id, lab)
    return Given(lab, tuple(name for name in graded if name in given), tuple(sorted(notes)))


_api: Any = None
"""nbgrader's interface in a process that writes feedback: what it was forked with."""


def _written(api: Any, lab: str, students: Sequence[str], jobs: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write feedback, and yield whose and what nbgrader said, as each is done."""
    global _api  # what a fork finds: nbgrader's objects cannot be sent
    _api = api
    if min(jobs, len(students)) < 2:
        yield from ((name, _write(lab, name)) for name in students)
        return
    forks = multiprocessing.get_context("fork")  # nbgrader takes seconds to import
    with ProcessPoolExecutor(min(jobs, len(students)), forks, initializer=_leave_interrupts) as pool:
        names = {pool.submit(_write, lab, name): name for name in students}
        try:
            yield from ((names[done], done.result()) for done in as_completed(names))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _leave_interrupts() -> None:
    """Leave a Ctrl-C at the terminal to the parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write(lab: str, student: str) -> dict[str, Any]:
    here = os.getcwd()  # noqa: PTH109 - nbgrader changes it
    try:
        return dict(_api.generate_feedback(lab, student))
    except Exception as trouble:
        return {"success": False, "error": f"{type(trouble).__name__}: {trouble}"}
    finally:
        os.chdir(here)
