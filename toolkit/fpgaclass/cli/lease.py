"""The verbs of the cards' time: book, list, next, begin, release, leave; and an instructor's own."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fpgaclass import cohort
from fpgaclass.cli.cohort import ensure_packages, show
from fpgaclass.cli.options import CoursePath, Json, find_course, program, told_on_interrupt
from fpgaclass.core import InvalidInputError

app = typer.Typer(name="lease", help="Time on the cards.", no_args_is_help=True)
Student = Annotated[str | None, typer.Option(help="Whose; in a server of the class it is yours.")]
Identity = Annotated[str, typer.Argument(help="As `fpgaclass lease list` shows it.")]


@app.command()
def book(
    student: Student = None,
    slots: Annotated[int, typer.Option(help="How long, in slots of the class's rules.")] = 1,
    at: Annotated[
        str | None,
        typer.Option(help="When, such as 2027-03-01T10:00 in the class's time; as early as possible."),
    ] = None,
    course: CoursePath = None,
    as_json: Json = False,
) -> None:
    """Book a card, or take a place on the waiting list."""
    desk = desk_of(course, student)
    when = _time(at, desk.timezone) if at else None
    _show_turn(desk.book(slots, at=when), desk, as_json)


@app.command(name="list")
def list_(
    student: Student = None,
    past: Annotated[bool, typer.Option("--past", help="Also what is over.")] = False,
    course: CoursePath = None,
    as_json: Json = False,
) -> None:
    """List the bookings by time, and the waiting list."""
    if in_a_class(course, student):
        desk = cohort.open_desk()
        seat = desk.seat()
        leases, waiting, lost = desk.bookings(), seat.waiting, seat.lost
        queue: tuple[cohort.Waiting, ...] = (waiting,) if waiting else ()
        zone = desk.timezone
        cards: tuple[cohort.Card, ...] = ()
    else:
        path = found_course(course)
        book = cohort.open_leases(path)
        cards = book.cards()
        leases, lost = book.bookings(student, past=past), book.notices(student)
        queue = tuple(place for place in book.queue() if student in (None, place.student))
        zone = cohort.load_spec(path).timezone
    data: dict[str, tuple[Any, ...]] = {"leases": leases, "waiting": queue, "cards": cards, "lost": lost}
    plain = {name: [asdict(x) for x in found] for name, found in data.items()}
    show(
        cohort.leases_table(leases, queue, zone, cards=cards, lost=() if past else lost),
        plain if as_json else None,
    )


@app.command(name="next")
def next_(student: Student = None, course: CoursePath = None, as_json: Json = False) -> None:
    """Tell when it is a student's turn."""
    desk = desk_of(course, student)
    _show_turn(desk.next(), desk, as_json)


@app.command()
def begin(
    identity: Identity, student: Student = None, course: CoursePath = None, as_json: Json = False
) -> None:
    """Take a card over when the time has come: it is reset and looked at first."""
    desk = desk_of(course, student)
    with told_on_interrupt(f"cut off; {program()} lease begin {identity} begins it anew"):
        begun = desk.begin(identity)
    _show_turn(begun, desk, as_json)


@app.command()
def release(
    identity: Identity, student: Student = None, course: CoursePath = None, as_json: Json = False
) -> None:
    """Give a booking back; the rest of its time goes to the next."""
    if in_a_class(course, student):
        desk = cohort.open_desk()
        lease, zone = desk.release(identity), desk.timezone
    else:
        path = found_course(course)
        lease = cohort.give_back(path, identity, student=student)
        zone = cohort.load_spec(path).timezone
    show(cohort.leases_table([lease], (), zone), asdict(lease) if as_json else None)


@app.command()
def leave(student: Student = None, course: CoursePath = None) -> None:
    """Leave the waiting list."""
    was_on_it = desk_of(course, student).leave()
    print("off the waiting list" if was_on_it else "was not on the waiting list")


@app.command()
def block(
    card: Annotated[str, typer.Argument(help="Such as card/0.")],
    begins: Annotated[str, typer.Argument(help="From when, such as 2027-03-01T10:00.")],
    ends: Annotated[str, typer.Argument(help="Until when.")],
    note: Annotated[str, typer.Option(help="What people read in the list.")] = "kept by the instructor",
    course: CoursePath = None,
    as_json: Json = False,
) -> None:
    """Keep a card for a lecture; bookings that were there are moved, or wait again (for instructors)."""
    path = found_course(course)
    zone = cohort.load_spec(path).timezone
    book = cohort.open_leases(path)
    moved = book.block(card, _time(begins, zone), _time(ends, zone), note=note)
    table = cohort.moved_table(moved, [book.next(lease.student) for lease in moved], zone)
    show(table, {"moved": [asdict(x) for x in moved]} if as_json else None)


@app.command()
def site(
    begins: Annotated[str | None, typer.Option(help="Lease the nodes from the site from then on.")] = None,
    ends: Annotated[str | None, typer.Option(help="Until when.")] = None,
    course: CoursePath = None,
    as_json: Json = False,
) -> None:
    """Keep students' turns inside the site's own leases (Blazar) of the cards (for instructors)."""
    path = found_course(course)
    file = cohort.load_spec(path)
    ensure_packages("openstack")
    if (begins is None) != (ends is None):
        raise InvalidInputError("a lease has a begin and an end", next_step="--begins and --ends")
    between = (_time(begins, file.timezone), _time(ends, file.timezone)) if begins and ends else None
    windows = cohort.follow_site(path, between=between)
    plain = {"windows": [asdict(window) for window in windows]}
    show(cohort.windows_table(windows, file.timezone), plain if as_json else None)


@app.command()
def health(
    card: Annotated[str, typer.Argument(help="Such as card/0.")],
    broken: Annotated[str | None, typer.Option(help="Take it out of use, and say why.")] = None,
    course: CoursePath = None,
) -> None:
    """Put a mended card back into use, or take one out of it (for instructors)."""
    path = found_course(course)
    book = cohort.open_leases(path)
    moved = book.set_health(card, broken is None, broken or "")
    print(f"{card} is {'out of' if broken is not None else 'in'} use")
    if broken is not None:
        zone = cohort.load_spec(path).timezone
        show(cohort.moved_table(moved, [book.next(lease.student) for lease in moved], zone))


def desk_of(course: Path | None, student: str | None) -> cohort.Desk:
    """Return the desk that is meant: one's own in a server of the class, else the named student's."""
    if in_a_class(course, student):
        return cohort.open_desk()
    return cohort.open_desk(found_course(course), student)


def in_a_class(course: Path | None, student: str | None) -> bool:
    """Tell whether this is a server of a class, where the hub says who asks."""
    return course is None and student is None and bool(os.environ.get("FPGACLASS_SEATS_URL"))


def found_course(course: Path | None) -> Path:
    """Return the course, once the packages that its state needs are here."""
    ensure_packages("state")
    return find_course(course)


def _time(text: str, zone: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError as odd:
        raise InvalidInputError(f"{text!r} is no time", next_step="write it like 2027-03-01T10:00") from odd
    return cohort.in_zone(when, zone)


def _show_turn(turn: cohort.Lease | cohort.Waiting | None, desk: cohort.Desk, as_json: bool) -> None:
    data: Any = None
    if as_json:
        data = {"lease": None, "waiting": None}
        data["lease" if isinstance(turn, cohort.Lease) else "waiting"] = asdict(turn) if turn else None
    if turn is None and not as_json:
        show("nothing is booked, and no place is on the waiting list")
        return
    leases = [turn] if isinstance(turn, cohort.Lease) else []
    queue = [turn] if isinstance(turn, cohort.Waiting) else []
    show(cohort.leases_table(leases, queue, desk.timezone), data)
