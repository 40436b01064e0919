"""Whether a lab takes submissions: closed for everybody or for one student, and opened again."""

from __future__ import annotations

from typing import Any

from fpgaclass.classroom.exchange.store import Store

EVERYBODY = "*"


def set_open(store: Store, course: str, lab: str, student: str | None, is_open: bool) -> None:
    """Open or close a lab for a student; or for everybody (None), single students included."""
    from fpgaclass.classroom.exchange.tables import doors

    here = (doors.c.course == course) & (doors.c.lab == lab)
    if student is not None:
        here &= doors.c.student == student
    row = {"course": course, "lab": lab, "student": student or EVERYBODY, "open": is_open}
    with store.writing() as db:
        db.execute(doors.delete().where(here))
        db.execute(doors.insert().values(**row))


def open_for(store: Store, course: str, lab: str) -> dict[str, bool]:
    """Return student -> whether the lab takes their submissions; `EVERYBODY` for those not named."""
    from fpgaclass.classroom.exchange.tables import doors

    with store.engine.connect() as db:
        rows = db.execute(doors.select().where((doors.c.course == course) & (doors.c.lab == lab))).all()
    said: dict[str, Any] = {row.student: bool(row.open) for row in rows}
    return {EVERYBODY: True} | said


def is_open(store: Store, course: str, lab: str, student: str) -> bool:
    """Return whether a lab takes a student's submissions."""
    said = open_for(store, course, lab)
    return said.get(student, said[EVERYBODY])
