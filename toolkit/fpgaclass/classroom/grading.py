"""Collect, grade and give back: for a whole class, with one student's broken file stopping nobody else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from fpgaclass.classroom.hints import command
from fpgaclass.classroom.layout import Layout
from fpgaclass.classroom.nbgrader_course import Mark, api_log, last_line, nbgrader_api, read_marks
from fpgaclass.core import ClassroomError, stage, track, warn
from fpgaclass.engine.sandbox import NoJail, find_jail


@dataclass(frozen=True)
class Collected:
    """What a collection brought.

    Attributes:
        lab: the lab's name.
        students: whose submissions are there now, new or from before.
        notes: what was left out or looks odd, a line each.
    """

    lab: str
    students: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class GradeReport:
    """The marks of a lab.

    Attributes:
        lab: the lab's name.
        marks: one for each student of the class.
        notes: what collecting left out, a line each.
        jailed: True if the students' code ran in a jail.
    """

    lab: str
    marks: tuple[Mark, ...]
    notes: tuple[str, ...]
    jailed: bool

    @property
    def failed(self) -> tuple[Mark, ...]:
        """The submissions that could not be graded."""
        return tuple(mark for mark in self.marks if mark.status == "failed")

    def table(self) -> Table:
        """Return the marks as a table for a terminal."""
        table = Table(title=self.lab, title_justify="left", title_style="bold")
        for heading in ("student", "mark", "of", "status", "submitted (UTC)", "note"):
            table.add_column(heading, justify="right" if heading in ("mark", "of") else "left")
        for mark in self.marks:
            score = "" if mark.score is None else f"{mark.score:g}"
            when = f"{mark.submitted:%Y-%m-%d %H:%M}" if mark.submitted else ""
            note = "; ".join(filter(None, [mark.note, f"late: -{mark.penalty:g}" if mark.penalty else ""]))
            table.add_row(mark.student, score, f"{mark.max_score:g}", mark.status, when, note)
        return table

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON."""
        data = asdict(self)
        for mark in data["marks"]:
            mark["submitted"] = mark["submitted"].isoformat() if mark["submitted"] else None
        return data


def collect(layout: Layout, lab: str) -> Collected:
    """Bring the newest submission of each student from the exchange into the course folder.

    Raises:
        ClassroomError: the lab was never released, or nbgrader failed.
    """
    _check_released(layout, lab)
    with nbgrader_api(layout) as api:
        return _collect(layout, lab, api)


def grade(layout: Layout, lab: str, students: Sequence[str], student: str | None = None) -> GradeReport:
    """Collect a lab and grade what is there, showing a bar; return everybody's marks.

    Args:
        layout: the class.
        lab: the lab's name.
        students: the class.
        student: grade only this one.

    Raises:
        ClassroomError: the lab was never released, there is no such student, or nbgrader failed as a whole.
    """
    _check_released(layout, lab)
    if student is not None and student not in students:
        step = f"students: {', '.join(students)}"
        raise ClassroomError(f"there is no student {student}", where="the class", next_step=step)
    jail = find_jail()
    if isinstance(jail, NoJail):
        warn(
            "students' code will run WITHOUT a sandbox, as your own user: "
            f"{jail.reason}. Next: {jail.next_step}"
        )
    notes: dict[str, str] = {}
    with nbgrader_api(layout) as api:
        with stage("collect", "nbgrader"):
            collected = _collect(layout, lab, api)
        wanted = [name for name in collected.students if student in (None, name)]
        for name in track(wanted, f"grade {lab}"):
            result = api.autograde(lab, name)
            log = api_log(layout, result)
            note = _explain(layout, lab, name, log, ok=result["success"])
            if note:
                notes[name] = note
        marks = read_marks(layout, [lab], students)
    failed = {name for name in notes if not (layout.course / "autograded" / name / lab).is_dir()}
    shown = tuple(
        replace(
            mark, status="failed" if mark.student in failed else mark.status, note=notes.get(mark.student, "")
        )
        for mark in marks
        if student in (None, mark.student)
    )
    shown = tuple(replace(mark, score=None) if mark.status == "failed" else mark for mark in shown)
    return GradeReport(lab, shown, collected.notes, not isinstance(jail, NoJail))


def feedback(layout: Layout, lab: str, students: Sequence[str]) -> tuple[str, ...]:
    """Write the feedback on all graded submissions and put it where each student fetches it.

    Returns:
        The students who have feedback now.

    Raises:
        ClassroomError: nothing has been graded, or nbgrader failed.
    """
    _check_released(layout, lab)
    graded = [name for name in students if (layout.course / "autograded" / name / lab).is_dir()]
    if not graded:
        step = command("grade", lab)
        raise ClassroomError(f"no submission of {lab} has been graded yet", next_step=step)
    with nbgrader_api(layout) as api:
        for name in track(graded, f"feedback {lab}"):
            api_log(layout, api.generate_feedback(lab, name), f"the feedback for {name} was not written")
        api_log(layout, api.release_feedback(lab), "the feedback was not released")
    return tuple(name for name in graded if any(layout.feedback(name).glob("*.html")))


def _collect(layout: Layout, lab: str, api: Any) -> Collected:
    log = api_log(layout, api.collect(lab), f"{lab} was not collected")
    notes = tuple(re.findall(r"^\[(?:WARNING|ERROR)\] (\S+: .*)$", log, flags=re.MULTILINE))
    there = sorted(
        path.parent.name for path in (layout.course / "submitted").glob(f"*/{lab}") if path.is_dir()
    )
    return Collected(lab, tuple(there), notes)


def _check_released(layout: Layout, lab: str) -> None:
    if not (layout.outbound / lab).is_dir():
        there = sorted(path.name for path in layout.outbound.glob("*"))
        step = f"labs: {', '.join(there)}" if there else f"run `{command('up')}` first: it releases the labs"
        raise ClassroomError(f"the lab {lab} was not released", where=str(layout.outbound), next_step=step)


def _explain(layout: Layout, lab: str, student: str, log: str, *, ok: bool) -> str:
    """Return what an instructor should know about a graded submission, or how to mend one that failed."""
    submitted = layout.course / "submitted" / student / lab
    expected = {path.name for path in (layout.outbound / lab).glob("*.ipynb")}
    given = {path.name for path in submitted.glob("*.ipynb")}
    for name in sorted(expected - given):
        other = f"; there is {', '.join(sorted(given - expected))}" if given - expected else ""
        return f"{name} is missing{other}: ask {student} to submit it under its own name"
    for name in sorted(expected & given):
        broken = _broken(submitted / name, layout.outbound / lab / name)
        if broken:
            step = "fetch the lab again and copy the answers into it" if "lost" in broken else "save it"
            return f"{name} {broken}: ask {student} to open it in JupyterLab, {step}, and submit again"
    if not ok:
        log_file = layout.hub / "grading.log"
        return f"{last_line(log)[:160]}: see {log_file}"
    gave_up = re.search(r"not run to its end: (.*)", log)
    return gave_up.group(1) if gave_up else ""


def _broken(path: Path, released: Path) -> str:
    """Return what is wrong with a notebook file, compared with the one released, or nothing."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as trouble:
        return f"is not a notebook ({trouble})"[:160]
    cells = data.get("cells") if isinstance(data, dict) else None
    if not isinstance(cells, list):
        return "is not a notebook (it has no cells)"
    lost = _tasks(json.loads(released.read_text(encoding="utf-8"))["cells"]) - _tasks(cells)
    return f"has lost the cell {', '.join(sorted(lost))}" if lost else ""


def _tasks(cells: list[Any]) -> set[str]:
    """Return the names of the cells that students write in."""
    found = (cell.get("metadata", {}).get("nbgrader", {}) for cell in cells if isinstance(cell, dict))
    return {
        str(marks.get("grade_id")) for marks in found if isinstance(marks, dict) and marks.get("solution")
    }
