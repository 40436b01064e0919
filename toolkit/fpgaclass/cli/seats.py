"""The verb that students ask first: which machine, which card, when, and how to get there."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from fpgaclass import cohort
from fpgaclass.cli.cohort import show
from fpgaclass.cli.lease import found_course, in_a_class
from fpgaclass.cli.options import CoursePath, Json
from fpgaclass.core import InvalidInputError


def seats(
    student: Annotated[
        str | None, typer.Argument(help="Only this student's; in a class's server yours.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="Show times in this zone; the class's.")] = None,
    course: CoursePath = None,
    as_json: Json = False,
) -> None:
    """Tell which machine, which card, when, and how to connect."""
    if in_a_class(course, student):
        desk = cohort.open_desk()
        found: tuple[cohort.SeatView, ...] = (desk.seat(),)
        zone = timezone or desk.timezone
    else:
        path = found_course(course)
        found = cohort.seats(path, student)
        zone = timezone or cohort.load_spec(path).timezone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as odd:
        raise InvalidInputError(f"{zone!r} is no time zone", next_step="such as Europe/Rome or UTC") from odd
    one = len(found) == 1
    table = cohort.seat_text(found[0], timezone=zone) if one else cohort.seats_table(found, zone)
    show(table, {"seats": [asdict(seat) for seat in found]} if as_json else None)
