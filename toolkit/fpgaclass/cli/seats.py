"""The verb that students ask first: which machine, which card, when, and how to get there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from fpgaclass import cohort
from fpgaclass.cli.cohort import ensure_packages, show
from fpgaclass.cli.lease import found_course, in_a_class
from fpgaclass.cli.options import CoursePath, Json, program, told_on_interrupt
from fpgaclass.core import InvalidInputError, say, stage


def seats(
    student: Annotated[
        str | None, typer.Argument(help="Only this student's; in a class's server yours.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="Show times in this zone; the class's.")] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Send them to the cohort's own hub, whose page shows this copy.")
    ] = False,
    hub: Annotated[
        str | None, typer.Option(help="The machine with the hub, if not the cohort's own.")
    ] = None,
    course: CoursePath = None,
    as_json: Json = False,
) -> None:
    """Tell which machine, which card, when, and how to connect."""
    if send:
        _send(found_course(course), hub, as_json)
        return
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


def _send(path: Path, hub: str | None, as_json: bool) -> None:
    ensure_packages("ansible")
    with (
        told_on_interrupt(f"cut off; {program()} seats --send sends them anew"),
        stage("send the seats", "Ansible"),
    ):
        done = cohort.send_seats(path, hub=hub)
    show(cohort.configured_table(done), done if as_json else None)
    if done.failed:
        say(f"Next: {program()} cohort configure sets the hub up; then send again")
        raise typer.Exit(1)
