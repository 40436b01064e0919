"""What a student sees: which machine, which card, when, and how to get there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from fpgaclass.cohort import verbs
from fpgaclass.cohort.errors import CohortError
from fpgaclass.cohort.leases import Lease, LeaseBook, Waiting
from fpgaclass.cohort.leases.entries import ACTIVE
from fpgaclass.cohort.port import printable
from fpgaclass.cohort.spec import CohortFile, card_names, load_spec
from fpgaclass.cohort.state import READY, State

NO_KEY = "ssh needs a public_key in the roster, and there is none; the class's hub needs none"


@dataclass(frozen=True)
class SeatView:
    """A student's place in the class.

    Attributes:
        student: the login.
        machine: the state of their machine: ready, or what is missing.
        connect: what to type to get to it; "" while it is not ready.
        key: the roster has a public key of theirs; without one nobody gets in by ssh.
        ends: when the machine goes, UTC.
        lease: the current or next time on a card, if there is one.
        due: its time is now; it is still to be begun, or is active.
        card_connect: what to type to get to the card's node, once the lease has begun.
        waiting: the place on the waiting list, if there is no lease.
        lost: bookings that a block, a broken card or the instructor took away lately; the note says why.
        told: of when this is, UTC, where it is a copy that was sent to a hub; None is now.
    """

    student: str
    machine: str
    connect: str
    key: bool
    ends: datetime | None
    lease: Lease | None
    due: bool
    card_connect: str
    waiting: Waiting | None
    lost: tuple[Lease, ...] = ()
    told: datetime | None = None


def open_leases(path: Path | str, *, url: str | None = None) -> LeaseBook:
    """Return the bookings of a cohort's cards, with its rules and one card for each that its nodes have."""
    return _leases(load_spec(path), url)


def seats(path: Path | str, student: str | None = None, *, url: str | None = None) -> tuple[SeatView, ...]:
    """Return the places of all students, or of one.

    Args:
        path: course.yaml, its folder, or the cohort's own file.
        student: only this one.
        url: the state's database.

    Raises:
        CohortError: nobody is called like that.
    """
    file = load_spec(path)
    state, book = State(url), _leases(file, url)
    cohort = state.cohort(file.spec.name)
    rows = {row.key: row for row in state.rows(file.spec.name)}
    people = {person.login: person for person in verbs.students(file)}
    logins = list(people)
    if student is not None and student not in logins:
        what = f"no student of {file.spec.name} is called {student}"
        raise CohortError(what, where=str(file.path), next_step="check the roster")
    leases: dict[str, Lease] = {}
    for lease in book.bookings():
        leases.setdefault(lease.student, lease)
    queue = {place.student: place for place in book.queue()}
    lost = book.notices(student)
    found = []
    for login in logins if student is None else [student]:
        row, own = rows.get(f"seat/{login}"), leases.get(login)
        ready = row is not None and row.state == READY
        due = own is not None and book.current(login) == own
        begun = own is not None and due and own.state == ACTIVE
        node = rows.get(own.card.partition(".")[0]) if own and begun else None
        found.append(
            SeatView(
                student=login,
                machine="not planned" if row is None else row.state,
                connect=f"ssh {login}@{row.address}" if row and ready and row.address else "",
                key=bool(people[login].public_key),
                ends=cohort.expires if cohort and cohort.phase != "destroyed" else None,
                lease=own,
                due=due,
                card_connect=f"ssh {login}@{node.address}" if node and node.address else "",
                waiting=None if own else queue.get(login),
                lost=tuple(lease for lease in lost if lease.student == login),
            )
        )
    return tuple(found)


def seat_text(seat: SeatView, *, timezone: str = "UTC") -> str:
    """Return a place as a few lines for its student, with times in the class's zone."""
    zone = ZoneInfo(timezone)

    def shown(when: datetime) -> str:
        return f"{when.astimezone(zone):%a %d %b %H:%M}"

    def turn(lease: Lease) -> str:
        return f"{lease.card}, {shown(lease.begins)} to {lease.ends.astimezone(zone):%H:%M}"

    lines = [f"{seat.student}", f"  machine  {seat.connect or seat.machine}"]
    if seat.connect and not seat.key:
        lines.append(f"           {NO_KEY}")
    if seat.ends:
        lines.append(f"  ends     {shown(seat.ends)} {timezone}; copy your work before")
    lines += [f"  lost     {turn(lease)}: {printable(lease.note)}" for lease in seat.lost]
    if seat.lease:
        lines.append(f"  card     {turn(seat.lease)} ({seat.lease.state})")
        begin = f"fpgaclass lease begin {seat.lease.identity}, or Begin on the page of seats"
        begin = "tell your instructor that you are there" if seat.told else begin
        later = begin if seat.due else "the way in appears here when your time begins"
        lines.append(f"           {seat.card_connect or later}")
    elif seat.waiting:
        lines.append(f"  card     place {seat.waiting.place} of the waiting list")
    else:
        lines.append("  card     nothing booked" + ("" if seat.told else "; fpgaclass lease book"))
    if seat.told:
        lines.append(f"  as of    {shown(seat.told)} {timezone}, {ago(seat.told)} ago; your instructor books")
    return "\n".join(lines)


def ago(when: datetime) -> str:
    """Return how long ago it is, in words: the greatest unit of which there is at least one."""
    minutes = max(0, int((datetime.now(UTC) - when).total_seconds() // 60))
    number, unit = next(
        ((minutes // size, unit) for unit, size in (("day", 1440), ("hour", 60)) if minutes >= size),
        (minutes, "minute"),
    )
    return f"{number} {unit}{'s' * (number != 1)}"


def _leases(file: CohortFile, url: str | None) -> LeaseBook:
    spec = file.spec
    book = LeaseBook(spec.name, spec.leases, url=url, card_hours=spec.cards.hours, timezone=file.timezone)
    book.ensure_cards(card_names(spec))
    return book
