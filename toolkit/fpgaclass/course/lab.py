"""A lab: one ``lab.py`` that holds the text, the tasks, their solutions, checks, hints and wrong answers.

docs/labs.md tells how to write one. The cells of the file, by the metadata of their ``# %%`` line:

======================================================  =====================================================
``# %% [markdown]``, ``# %%``                           text and code that everybody gets
``# %% locked="setup"``                                 code that grading restores if a student changed it
``# %% task="bending"``                                 the solution; students get a stub in its place
``# %% check="bending" points=2``                       asserts; a second one has ``name="sign"`` too
``# %% [markdown] hint="bending" level=1``              a nudge (1), the method (2), almost the code (3)
``# %% wrong="bending" name="sign_lost" loses=2``       a wrong solution and the points it must lose
``# %% [markdown] answer="why" points=2``               an answer that a person marks, with a model answer
======================================================  =====================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from fpgaclass.core import CourseError
from fpgaclass.course.percent import PercentCell, read_percent
from fpgaclass.course.validated import Strict, read_yaml

Role = Literal["text", "code", "locked", "task", "check", "hint", "wrong", "answer"]

_ID = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
_ROLES: dict[str, tuple[set[str], set[str]]] = {  # role: keys it needs, keys it may have
    "locked": (set(), {"tags"}),
    "task": (set(), {"tags"}),
    "check": ({"points"}, {"name"}),
    "hint": ({"level"}, set()),
    "wrong": ({"name", "loses"}, {"raises"}),
    "answer": ({"points"}, set()),
}
BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"


class Header(Strict):
    """What a student reads first, and what the machinery needs to know.

    Attributes:
        title: the lab's name.
        minutes: how long a student takes.
        objectives: what they can do afterwards, each starting with a verb.
        needs: what the lab uses, and for each what runs when it is missing.
        seed: ``"shared"``: everybody has the same data; ``"student"``: each has their own, through
            `fpgaclass.lab.student_seed`.
    """

    title: str = Field(min_length=3)
    minutes: int = Field(ge=5, le=600)
    objectives: tuple[str, ...] = Field(min_length=1, max_length=8)
    needs: dict[str, str]
    seed: Literal["shared", "student"]
    jupyter: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class LabCell:
    """One cell of a lab.

    Attributes:
        role: what it is for.
        kind: ``"code"`` or ``"markdown"``.
        source: its text.
        line: its line in lab.py.
        belongs: the task, answer or lock it names; empty for text and code.
        name: of a check or a wrong answer, else empty.
        points: of a check or an answer.
        level: of a hint.
        loses: of a wrong answer: the points that it must lose at least.
        raises: of a wrong answer that ends in another error than an assert: that error's name.
        tags: notebook tags to hand on.
    """

    role: Role
    kind: str
    source: str
    line: int
    belongs: str = ""
    name: str = ""
    points: int = 0
    level: int = 0
    loses: int = 0
    raises: str = ""
    tags: tuple[str, ...] = ()

    @property
    def grade_id(self) -> str:
        """The name nbgrader knows the cell by: it never changes while task and name stay."""
        prefix = self.role if self.role != "locked" else "given"
        return "_".join(part for part in (prefix, self.belongs, self.name) if part)

    @property
    def has_hidden_tests(self) -> bool:
        """True for a check of which students see only a part, or nothing."""
        return BEGIN_HIDDEN in self.source


@dataclass(frozen=True)
class Lab:
    """A lab, read and checked.

    Attributes:
        name: the folder's name, which is also nbgrader's name of the assignment.
        path: its lab.py.
        header: title, minutes, objectives and so on.
        cells: all cells in order, wrong answers and hints among them.
    """

    name: str
    path: Path
    header: Header
    cells: tuple[LabCell, ...]

    @classmethod
    def load(cls, path: Path | str) -> Lab:
        """Read a lab from its lab.py, or from the folder that holds it.

        Raises:
            CourseError: the file is not a lab; the message names the line and what to write there.

        Example:
            >>> lab = Lab.load("notebooks/01_muon_momentum")  # doctest: +SKIP
            >>> lab.points, lab.tasks  # doctest: +SKIP
        """
        path = Path(path)
        if path.is_dir():
            path = path / "lab.py"
        file = read_percent(path)
        header = read_yaml(file.header, Header, where=str(path), first_line=file.header_line)
        cells = tuple(_lab_cell(cell, f"{path}:{cell.line}") for cell in file.cells)
        lab = cls(path.parent.name, path, header, cells)
        _check_whole(lab)
        return lab

    def of(self, role: Role, belongs: str | None = None) -> tuple[LabCell, ...]:
        """Return the cells of a role, in order, perhaps only those that belong to one task."""
        return tuple(c for c in self.cells if c.role == role and belongs in (None, c.belongs))

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks, in order."""
        return tuple(cell.belongs for cell in self.of("task"))

    @property
    def points(self) -> int:
        """All points: those of the checks and those that a person gives."""
        return sum(cell.points for cell in self.cells)

    @property
    def auto_points(self) -> int:
        """The points of the checks alone."""
        return sum(cell.points for cell in self.of("check"))


def _lab_cell(cell: PercentCell, where: str) -> LabCell:
    """Give a cell its role, and refuse metadata that no role has."""
    roles = [key for key in cell.metadata if key in _ROLES]
    if len(roles) > 1:
        raise CourseError(f"a cell is one of {', '.join(roles)}, not several", where=where)
    if not roles:
        unknown = sorted(set(cell.metadata) - {"tags"})
        if unknown:
            step = f"a cell's role is one of {', '.join(_ROLES)}"
            raise CourseError(f"'{unknown[0]}' is not known here", where=where, next_step=step)
        role: Role = "text" if cell.kind == "markdown" else "code"
        return LabCell(role, cell.kind, cell.source, cell.line, tags=tuple(cell.metadata.get("tags", ())))
    key = roles[0]
    needed, optional = _ROLES[key]
    given = set(cell.metadata) - {key}
    for missing in sorted(needed - given):
        raise CourseError(f"a {key} cell needs {missing}=", where=where)
    for extra in sorted(given - needed - optional):
        allowed = ", ".join(sorted(needed | optional)) or "nothing else"
        raise CourseError(f"a {key} cell has no '{extra}'; allowed: {allowed}", where=where)
    return _with_values(cell, key, where)


def _with_values(cell: PercentCell, role: Any, where: str) -> LabCell:
    """Check the kind and the values of a cell with a role."""
    belongs, name = cell.metadata[role], cell.metadata.get("name", "")
    for word in (belongs, *([name] if "name" in cell.metadata else [])):
        if not (isinstance(word, str) and _ID.match(word)):
            step = "small letters, digits and _, a letter first, 40 at most"
            raise CourseError(f"{word!r} cannot be a name", where=where, next_step=step)
    if (role == "hint") != (cell.kind == "markdown") and role != "answer":
        raise CourseError(f"a {role} cell is {'[markdown]' if role == 'hint' else 'code'}", where=where)
    for key, low, high in (("points", 1, 100), ("level", 1, 3), ("loses", 1, 100)):
        value = cell.metadata.get(key, low)
        if type(value) is not int or not low <= value <= high:
            raise CourseError(f"{key}={value!r}: a whole number from {low} to {high}", where=where)
    return LabCell(
        role,
        cell.kind,
        cell.source,
        cell.line,
        belongs=belongs,
        name=name,
        points=cell.metadata.get("points", 0),
        level=cell.metadata.get("level", 0),
        loses=cell.metadata.get("loses", 0),
        raises=cell.metadata.get("raises", ""),
        tags=tuple(cell.metadata.get("tags", ())),
    )


def _check_whole(lab: Lab) -> None:
    """Check what only the whole lab shows: names meet, hints are three, each check can be proved."""

    def refuse(cell: LabCell, what: str, step: str | None = None) -> None:
        raise CourseError(what, where=f"{lab.path}:{cell.line}", next_step=step)

    seen: dict[str, LabCell] = {}
    tasks = set(lab.tasks)
    for cell in lab.cells:
        if cell.role in ("check", "hint", "wrong") and cell.belongs not in tasks:
            refuse(
                cell, f"there is no task '{cell.belongs}'", f"tasks here: {', '.join(lab.tasks) or 'none'}"
            )
        if cell.role in ("task", "check", "wrong", "answer", "locked"):
            if len(cell.grade_id) > 64 and cell.role != "wrong":
                refuse(cell, f"'{cell.grade_id}' is longer than the 64 letters of a notebook cell's id")
            if cell.grade_id in seen:
                line = seen[cell.grade_id].line
                refuse(cell, f"'{cell.grade_id}' is already at line {line}", 'give it its own name="..."')
            seen[cell.grade_id] = cell
        if cell.role in ("task", "answer"):
            _check_region(cell, BEGIN_SOLUTION, END_SOLUTION, refuse, needed=cell.role == "task")
        elif BEGIN_SOLUTION in cell.source or END_SOLUTION in cell.source:
            refuse(cell, "a solution region outside a task cell would reach the students", 'add task="..."')
        if cell.role == "check":
            _check_region(cell, BEGIN_HIDDEN, END_HIDDEN, refuse, needed=False)
        elif BEGIN_HIDDEN in cell.source:
            refuse(cell, "hidden tests outside a check cell would reach the students", 'add check="..."')
    for task in lab.of("task"):
        checks, wrongs = lab.of("check", task.belongs), lab.of("wrong", task.belongs)
        levels = [hint.level for hint in lab.of("hint", task.belongs)]
        if levels != [1, 2, 3]:
            refuse(task, f"task '{task.belongs}' has hints of levels {levels}; one each of 1, 2, 3, in order")
        if not checks:
            refuse(task, f"task '{task.belongs}' has no check", f'add # %% check="{task.belongs}" points=1')
        if not wrongs:
            refuse(task, f"task '{task.belongs}' has no wrong answer, so nothing shows that its check checks")
        if any(check.line < task.line for check in checks):
            refuse(task, f"a check of '{task.belongs}' stands before the task")
        most = sum(check.points for check in checks)
        for wrong in wrongs:
            if wrong.loses > most:
                refuse(wrong, f"it cannot lose {wrong.loses}: the checks of '{task.belongs}' give {most}")


def _check_region(cell: LabCell, begin: str, end: str, refuse: Callable[..., None], *, needed: bool) -> None:
    """Check that a marked region opens and closes in turn."""
    marks = [line.strip() for line in cell.source.splitlines() if begin[4:] in line or end[4:] in line]
    if any(mark not in (begin, end) for mark in marks):
        refuse(cell, f"a marker line must be exactly '{begin}' or '{end}'")
    if marks != [begin, end] * (len(marks) // 2):
        refuse(cell, f"'{begin}' and '{end}' must come in turn")
    if needed and not marks:
        refuse(cell, f"the cell has no '{begin}' ... '{end}', so students would get nothing to write")
