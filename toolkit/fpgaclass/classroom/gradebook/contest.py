"""The leaderboard of a contest lab: figures that its checks worked out, in the order of the best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql

from fpgaclass.classroom.gradebook import tables
from fpgaclass.classroom.gradebook.database import in_use, open_engine


@dataclass(frozen=True)
class Place:
    """A student on the board.

    Attributes:
        rank: from 1; equal values share one.
        student: the login name.
        value: the figure.
    """

    rank: int
    student: str
    value: float


@dataclass(frozen=True)
class Board:
    """The leaderboard of one figure.

    Attributes:
        lab: the lab's name.
        figure: what it is, such as ``"resolution"``.
        unit: of the values.
        best: ``"lowest"`` or ``"highest"``.
        places: the best first.
    """

    lab: str
    figure: str
    unit: str
    best: str
    places: tuple[Place, ...]


def write_figures(db: Any, key: tuple[str, str, str], notebooks: Iterable[dict[str, Any]]) -> None:
    """Write the figures of a submission, in place of those of an earlier one.

    Args:
        db: the gradebook's connection, in a transaction.
        key: course, lab and student.
        notebooks: what was graded.
    """
    columns = dict(zip(("course", "lab", "student"), key, strict=True))
    mine = sql.and_(*(tables.figures.c[name] == value for name, value in columns.items()))
    db.execute(sql.delete(tables.figures).where(mine))
    cells = (cell for notebook in notebooks for cell in notebook["cells"])
    found = [one for cell in cells for one in cell["metadata"].get("fpgaclass", {}).get("figures", ())]
    rows = {one["name"]: columns | one for one in found}  # the last of a name counts
    if rows:
        db.execute(sql.insert(tables.figures), list(rows.values()))


def read_boards(url: str, course: str, labs: Sequence[str]) -> dict[str, tuple[Board, ...]]:
    """Return the leaderboards of labs, by lab; of most there are none.

    Args:
        url: the gradebook.
        course: nbgrader's name of the course.
        labs: the labs' names.
    """
    engine = open_engine(url)
    try:
        with in_use(engine), engine.connect() as db:
            if not sql.inspect(db).has_table(tables.figures.name):
                return dict.fromkeys(labs, ())
            here = (tables.figures.c.course == course) & tables.figures.c.lab.in_(labs)
            rows = db.execute(sql.select(tables.figures).where(here)).all()
    finally:
        engine.dispose()
    return {lab: _boards(lab, [row for row in rows if row.lab == lab]) for lab in labs}


def _boards(lab: str, rows: Sequence[Any]) -> tuple[Board, ...]:
    boards = []
    for name in sorted({row.name for row in rows}):
        mine = [row for row in rows if row.name == name]
        sign = 1 if mine[0].best == "lowest" else -1
        ordered = sorted(mine, key=lambda row: (sign * row.value, row.student))
        values = [row.value for row in ordered]
        places = (Place(1 + values.index(row.value), row.student, row.value) for row in ordered)
        boards.append(Board(lab, name, mine[0].unit, mine[0].best, tuple(places)))
    return tuple(boards)
