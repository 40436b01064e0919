"""The nbgrader course of a class: labs in, submissions collected, feedback out, marks read."""

from __future__ import annotations

import json
import os
import shutil
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fpgaclass.classroom.gradebook.database import URL_VARIABLE
from fpgaclass.classroom.gradebook.gradebook import gradebook_url, open_writer
from fpgaclass.classroom.gradebook.standings import standings
from fpgaclass.classroom.hints import command
from fpgaclass.classroom.layout import Layout, locked, read_json, write_json
from fpgaclass.classroom.nbgrader_settings import configure
from fpgaclass.core import ClassroomError, digest_of
from fpgaclass.course import Course, LatePolicy, release

LATE_FILE = "late.json"
"""In the course folder: what lateness costs, for each lab."""
EXCEPTIONS_FILE = "late_exceptions.json"
"""In the course folder: lab -> student -> what lateness costs this one."""
_FIXED = "because there are submissions associated with it"
"""What nbgrader logs when the cells of a lab that has marks are others than before."""


@dataclass(frozen=True)
class Mark:
    """What one student has for one lab.

    Attributes:
        student: the login name.
        lab: the lab's name.
        status: ``"graded"``, ``"needs a person"`` (an answer or a plot waits to be marked), ``"failed"`` (the
            submission could not be graded; ``note`` says why), ``"not graded"`` (it was collected, and has no
            mark) or ``"missing"`` (nothing was collected).
        score: points after the penalty for lateness; None when there are none.
        max_score: points to be had.
        penalty: points taken off for lateness.
        submitted: when, in UTC; None when nothing was.
        note: what the instructor should know or do.
    """

    student: str
    lab: str
    status: str
    score: float | None
    max_score: float
    penalty: float = 0.0
    submitted: datetime | None = None
    note: str = ""


@contextmanager
def nbgrader_api(layout: Layout) -> Iterator[Any]:
    """Give nbgrader's Python interface to the class's course, quietly; one user of it at a time.

    Raises:
        ClassroomError: another command works on the same course.
    """
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    config = Config()
    configure(config, course=layout.course, exchange=f"{layout.state}#{layout.course_id}")
    old, here = {name: os.environ.get(name, "") for name in ("PATH", "JUPYTER_PATH")}, Path.cwd()
    # nbgrader starts alembic by its name, and an environment that is not activated is not on PATH
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{old['PATH']}"
    # pages of feedback find their formulas at the hub
    os.environ["JUPYTER_PATH"] = f"{Path(__file__).parent / 'jupyter' / 'share'}:{old['JUPYTER_PATH']}"
    try:
        with locked(layout.course_lock, "working on this course"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SQLAlchemy's, about nbgrader's queries
            yield NbGraderAPI(CourseDirectory(config=config), config=config)
    finally:
        os.environ.update(old)
        os.chdir(here)


def ensure_course(layout: Layout, course: Course, students: Sequence[str]) -> tuple[str, ...]:
    """Put the course's labs and students into nbgrader, and release what is new; return the labs released.

    Raises:
        ClassroomError: nbgrader refused a lab.
    """
    layout.course.mkdir(parents=True, exist_ok=True)
    layout.release.mkdir(parents=True, exist_ok=True)
    wanted = [entry.name for entry in course.labs if entry.released]
    before = read_json(layout.releases, {})
    digests = {name: _digest(course, name) for name in wanted}
    people = digest_of(*students)
    new = [
        name for name in wanted if before.get(name) != digests[name] or not (layout.release / name).is_dir()
    ]
    _ensure_late(layout, course)
    if not new and before.get("students") == people:
        return ()
    with nbgrader_api(layout) as api:
        _ensure_gradebook(layout)
        with api.gradebook as gradebook:
            known = {student.id for student in gradebook.students}
            for student in students:
                if student not in known:
                    # the formgrader shows "None, None" for somebody without names
                    gradebook.add_student(student, first_name=student.capitalize(), last_name="Student")
        for name in new:
            release_lab(layout, course, name, api)
            before[name] = digests[name]
            write_json(layout.releases, before)  # after each: a second `up` goes on from here
    write_json(layout.releases, {**before, "students": people})
    return tuple(new)


def release_lab(layout: Layout, course: Course, lab: str, api: Any) -> None:
    """Write a lab's source, have nbgrader make the students' version, and put it into the exchange.

    Raises:
        ClassroomError: nbgrader refused; the message holds its reason.
    """
    _ensure_late(layout, course)
    with _kept_if_refused(layout, lab):
        release(course, lab, layout.course)
        due = course.deadline(lab)
        with api.gradebook as gradebook:
            duedate = due.replace(tzinfo=None) if due else None
            gradebook.update_or_create_assignment(lab, duedate=duedate)
        log = api_log(layout, made := api.generate_assignment(lab))
        if not made["success"] and _FIXED in log:
            step = "give the checks of lab.py their first names again, or the changed lab a name of its own"
            what = "has marks already: its checks may change, but none may come, go, or get another name"
            raise ClassroomError(f"{lab} {what}", where=str(layout.release / lab), next_step=step)
        if not made["success"]:
            grading_log = str(layout.hub / "grading.log")
            raise ClassroomError(f"{lab} was not accepted by nbgrader: {last_line(log)}", where=grading_log)
    api.exchange.config.ExchangeReleaseAssignment.force = True
    api.config.ExchangeReleaseAssignment.force = True
    api_log(layout, api.release_assignment(lab), f"{lab} was not released")


@contextmanager
def _kept_if_refused(layout: Layout, lab: str) -> Iterator[None]:
    """Put back what a lab's submissions are graded with, should the block fail: nbgrader removes it first."""
    kept = layout.course / ".released"
    folders = {kept / "source": layout.course / "source" / lab, kept / "release": layout.release / lab}
    shutil.rmtree(kept, ignore_errors=True)
    for copy, folder in folders.items():
        if folder.is_dir():
            shutil.copytree(folder, copy)
    try:
        yield
    except BaseException:
        for copy, folder in folders.items():
            if copy.is_dir():
                shutil.rmtree(folder, ignore_errors=True)
                copy.rename(folder)
        raise
    finally:
        shutil.rmtree(kept, ignore_errors=True)


def ensure_rules(layout: Layout, course: Course, lab: str) -> None:
    """Have a released lab's deadline, and what lateness costs, be what course.yaml says by now.

    Raises:
        ClassroomError: the gradebook cannot be written, or somebody else is grading.
    """
    _ensure_late(layout, course)
    due = course.deadline(lab)
    with open_writer(gradebook_url(layout.course), layout.course_id, lab) as book:
        book.ensure_due(due.replace(tzinfo=None) if due else None)


def _ensure_late(layout: Layout, course: Course) -> None:
    """Write what lateness costs where the formgrader finds it, too."""
    late = {entry.name: entry.late.model_dump() for entry in course.labs}
    path = layout.course / LATE_FILE
    if not path.is_file() or read_json(path, {}) != late:
        write_json(path, late, 0o644)


def read_marks(layout: Layout, labs: Sequence[str], students: Sequence[str]) -> tuple[Mark, ...]:
    """Read the gradebook: one mark for each student and lab."""
    marks = []
    for lab in labs:
        most, found = standings(gradebook_url(layout.course), lab)
        for student in students:
            one = found.get(student)
            if one is None:
                there = (layout.course / "submitted" / student / lab).is_dir()
                marks.append(Mark(student, lab, "not graded" if there else "missing", None, most))
                continue
            when = one.submitted.replace(tzinfo=UTC) if one.submitted else None
            status = "needs a person" if one.waits else "graded"
            marks.append(Mark(student, lab, status, one.score - one.penalty, most, one.penalty, when))
    return tuple(marks)


def late_policy(course: Path, lab: str, student: str = "") -> LatePolicy:
    """Return what lateness costs a student in a lab; nothing for a lab that the file does not know.

    Raises:
        ClassroomError: what the files say cannot be followed; somebody edited them.
    """
    rules = read_json(course / LATE_FILE, {}).get(lab, {})
    own = read_json(course / EXCEPTIONS_FILE, {}).get(lab, {}).get(student, {})
    try:
        return late_rules(rules | own)
    except ValueError as wrong:
        name, step = LATE_FILE, "restore that file"
        if own:
            name, step = EXCEPTIONS_FILE, command("class", "late", lab, student, "--reset")
        text = f"lateness in {lab} cannot be followed for {student}: {wrong}"
        raise ClassroomError(text, where=str(course / name), next_step=step) from wrong


def late_rules(rules: dict[str, Any]) -> LatePolicy:
    """Return the policy of some rules.

    Raises:
        ValueError: it names what is wrong, in one line.
    """
    from pydantic import ValidationError

    try:
        return LatePolicy.model_validate(rules)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        name = " ".join(map(str, first["loc"])).replace("_", " ")
        raise ValueError(f"{name}: {first['msg']}, not {str(first['input'])[:40]}") from wrong


def api_log(layout: Layout, result: dict[str, Any], failure: str = "") -> str:
    """Keep what nbgrader logged in the class's grading log, and return it.

    Raises:
        ClassroomError: nbgrader failed, and ``failure`` says what that means.
    """
    text = str(result.get("log", "")) + str(result.get("error", ""))
    with (layout.hub / "grading.log").open("a") as log:
        log.write(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} {json.dumps(result.get('success'))}\n{text}\n")
    if failure and not result["success"]:
        raise ClassroomError(f"{failure}: {last_line(text)}", where=str(layout.hub / "grading.log"))
    return text


def last_line(text: str) -> str:
    """Return the last line that says something: of a traceback, the error itself."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "nothing was logged"


def _ensure_gradebook(layout: Layout) -> None:
    """Make the gradebook whole or not at all: nbgrader takes three seconds, time enough for a Ctrl-C."""
    from nbgrader.api import Gradebook

    if URL_VARIABLE in os.environ:
        Gradebook(gradebook_url(layout.course), layout.course_id).close()
        return
    path = layout.course / "gradebook.db"
    if path.exists():
        return
    scratch = path.with_suffix(".new")
    scratch.unlink(missing_ok=True)
    Gradebook(f"sqlite:///{scratch}", layout.course_id).close()
    scratch.replace(path)


def _digest(course: Course, name: str) -> str:
    """Return a digest of what a release of the lab depends on."""
    folder = course.lab(name).path.parent
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    deadline = str(course.deadline(name))
    return digest_of(deadline, *(part for path in files for part in (str(path.relative_to(folder)), path)))
