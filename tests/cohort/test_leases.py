"""Turns on the cards: never two on one, and in the long run the same for everybody."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from fpgaclass.cohort.errors import LeaseError
from fpgaclass.cohort.leases import Health, Lease, LeaseBook, Waiting, hand_over
from fpgaclass.cohort.moments import in_zone
from fpgaclass.cohort.spec import LeaseRules
from fpgaclass.core import InvalidInputError

START = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)


class Clock:
    """A clock that a test can turn."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def turn(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> Callable[..., LeaseBook]:
    def make(cards: int = 1, **rules: int) -> LeaseBook:
        found = LeaseBook("c", LeaseRules(**rules), url=f"sqlite:///{tmp_path / 'l.sqlite'}", clock=clock)
        found.ensure_cards([f"u250-{n}" for n in range(cards)])
        return found

    return make


def _lease(found: Lease | Waiting) -> Lease:
    assert isinstance(found, Lease)
    return found


def test_a_booking_is_the_earliest_and_nobody_else_s(book: Callable[..., LeaseBook]) -> None:
    """The first thing a student does; the gap after it is for the reset."""
    leases = book(gap_slots=1)
    first, second = _lease(leases.book("ada", 2)), _lease(leases.book("emmy", 1))
    assert (first.begins, first.ends) == (START, START + timedelta(minutes=60))
    assert second.begins == first.ends + timedelta(minutes=30)
    assert leases.next("emmy") == second
    assert leases.next("lise") is None
    assert leases.current("ada") == first
    assert leases.current("emmy") is None


def test_who_loses_a_booking_is_told_why(book: Callable[..., LeaseBook], clock: Clock) -> None:
    """By a block, a broken card or the instructor; not by their own hand, and not for ever."""
    leases = book(2, open_bookings=3)
    day = START + timedelta(hours=6)
    blocked, broken, _ = (
        _lease(leases.book(name, at=day + timedelta(hours=n)))
        for n, name in enumerate(("ada", "emmy", "lise"))
    )
    own = _lease(leases.book("ada", at=day + timedelta(hours=4)))
    leases.release(own.identity, student="ada")
    assert leases.notices() == ()
    leases.block(blocked.card, blocked.begins, blocked.ends, note="")
    leases.set_health(broken.card, False, "hot")
    told = {lease.identity: lease.note for lease in leases.notices()}
    assert told.pop(blocked.identity) == "kept by the instructor", "an empty note says nothing to anybody"
    assert told.pop(broken.identity) == "hot"
    assert set(told.values()) <= {"hot"}, "what else was on the broken card"
    leases.release(_lease(leases.next("lise")).identity)  # type: ignore[arg-type]
    assert "your instructor gave it back" in {lease.note for lease in leases.notices("lise")}
    assert {lease.student for lease in leases.notices("emmy")} == {"emmy"}
    clock.turn(60 * 24 * 3)
    assert leases.notices() == ()


def test_slots_of_another_length_do_not_move_what_is_booked(
    book: Callable[..., LeaseBook], clock: Clock
) -> None:
    """The same numbers are other times then: a card that somebody has would look free."""
    leases = book()
    had = _lease(leases.book("ada"))
    with pytest.raises(LeaseError, match=r"slots of 30 minutes, and leases.slot_minutes is 60.*say 30"):
        book(slot_minutes=60)
    leases.begin(had.identity, student="ada")
    clock.turn(30)
    longer = book(slot_minutes=60)
    assert longer.bookings() == ()
    past = longer.bookings("ada", past=True)
    assert [(lease.begins, lease.state) for lease in past] == [(had.begins, "done")]
    assert longer.served() == {"ada": 1}
    assert _lease(longer.book("emmy", at=START + timedelta(hours=1))).ends == START + timedelta(hours=2)
    with pytest.raises(LeaseError, match="slots of 60 minutes"):
        leases.bookings()
    leases.close()


def test_the_hour_that_clocks_leave_out_is_refused() -> None:
    """Where 02:30 does not exist nobody can come; where it is twice, the first is meant."""
    found = in_zone(datetime(2027, 10, 31, 2, 30), "Europe/Rome")
    assert found.astimezone(UTC) == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    assert in_zone(START, "Asia/Tokyo") == START
    with pytest.raises(
        InvalidInputError, match=r"on no clock of Europe/Rome.*Next: such as 2027-03-28T03:30"
    ):
        in_zone(datetime(2027, 3, 28, 2, 30), "Europe/Rome")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"slots": 5}, "at most 120 minutes"),
        ({"slots": 0}, "at most 120 minutes"),
        ({"at": START - timedelta(hours=1)}, "2027-03-01 08:00 UTC is over"),
        ({"at": START + timedelta(days=15)}, "days ahead"),
        ({"at": START}, "no card is free"),
    ],
)
def test_the_rules_are_told_when_broken(
    book: Callable[..., LeaseBook], asked: dict[str, object], said: str
) -> None:
    """Length, horizon and what is taken; each with what would be right."""
    leases = book()
    leases.book("lise", 1)
    with pytest.raises(LeaseError, match=said):
        leases.book("ada", **asked)  # type: ignore[arg-type]


def test_one_open_booking_and_no_more(book: Callable[..., LeaseBook], clock: Clock) -> None:
    """Who books ahead for every day leaves nothing to the others; used time frees the quota."""
    leases = book()
    lease = _lease(leases.book("ada"))
    with pytest.raises(LeaseError, match="may have 1"):
        leases.book("ada")
    leases.begin(lease.identity, student="ada")
    clock.turn(30)
    assert _lease(leases.book("ada")).begins == clock.now
    with pytest.raises(LeaseError, match="no open lease"):
        leases.release(lease.identity, student="emmy")


def test_a_no_show_frees_the_card_and_counts(book: Callable[..., LeaseBook], clock: Clock) -> None:
    """A quarter of an hour is enough; the card stood idle, so it counts as served."""
    leases = book(max_slots=48, horizon_days=1, queue_hours=24)
    leases.book("ada", 48)
    waits = leases.book("emmy", 2)
    assert isinstance(waits, Waiting)
    clock.turn(14)
    assert isinstance(leases.next("emmy"), Waiting), "not yet"
    clock.turn(2)
    found = leases.next("emmy")
    assert isinstance(found, Lease)
    assert found.begins == START + timedelta(minutes=30), "of the slot that runs, half is over"
    assert leases.served()["ada"] == 48


def test_an_early_release_goes_to_the_next(book: Callable[..., LeaseBook], clock: Clock) -> None:
    """Two hours booked, ready after twenty minutes: the rest must not be lost."""
    leases = book(max_slots=48, horizon_days=1, queue_hours=24)
    lease = _lease(leases.book("ada", 48))
    leases.begin(lease.identity)
    assert leases.book("emmy", 2) == Waiting("emmy", 1, 2)
    clock.turn(20)
    leases.release(lease.identity, student="ada")
    found = leases.next("emmy")
    assert isinstance(found, Lease)
    assert found.begins == START + timedelta(minutes=30)
    assert leases.served()["ada"] == 1


def test_who_left_keeps_no_time_from_others(book: Callable[..., LeaseBook]) -> None:
    """Nobody would come, and the card would stand idle until it is a no-show; the next gets it at once."""
    leases = book()
    gone, active = _lease(leases.book("lise", at=START + timedelta(hours=1))), _lease(leases.book("max"))
    leases.begin(active.identity, student="max")
    leases.block("u250-0", START + timedelta(minutes=30), START + timedelta(hours=1), note="lecture")
    leases.block("u250-0", START + timedelta(minutes=90), START + timedelta(hours=9), note="lecture")
    assert isinstance(leases.book("otto"), Waiting)
    assert isinstance(leases.book("ada"), Waiting)
    assert leases.free_others(["ada", "emmy"]) == (gone,)
    assert _lease(leases.next("ada")).begins == gone.begins  # type: ignore[arg-type]
    assert leases.queue() == ()
    assert [lease.state for lease in leases.bookings("max")] == ["active"]


def test_the_least_served_comes_first(book: Callable[..., LeaseBook], clock: Clock) -> None:
    """Not who clicks first: a class has those who watch the page all day, and the others."""
    leases = book(max_slots=48, horizon_days=1, queue_hours=24, open_bookings=2)
    lease = _lease(leases.book("ada", 24))
    leases.begin(lease.identity)
    leases.book("lise", 24)
    leases.book("ada", 2)
    leases.book("emmy", 2)
    assert [place.student for place in leases.queue()] == ["emmy", "ada"]
    leases.release(lease.identity)
    clock.turn(1)
    assert isinstance(leases.next("emmy"), Lease)


def test_an_instructor_s_block_moves_bookings(book: Callable[..., LeaseBook]) -> None:
    """A demonstration needs a card at ten; who was there is moved, and first among equals."""
    leases = book(cards=2)
    _lease(leases.book("ada", 2))
    moved = leases.block("u250-0", START, START + timedelta(hours=3), note="lecture")
    assert [lease.student for lease in moved] == ["ada"]
    again = leases.next("ada")
    assert isinstance(again, Lease)
    assert (again.card, again.begins) == ("u250-1", START)
    assert _lease(leases.book("emmy")).begins == START + timedelta(minutes=60)
    with pytest.raises(LeaseError, match="no card"):
        leases.block("u280-9", START, START + timedelta(hours=1), note="")


def test_a_broken_card_is_handed_to_nobody(book: Callable[..., LeaseBook]) -> None:
    """The gate between two students: reset, look, and only then the card; else another one."""
    leases = book(cards=2)
    lease = _lease(leases.book("ada"))
    seen: list[str] = []

    def gate(card: str) -> Health:
        seen.append(card)
        return Health(card != "u250-0", "no answer on PCIe")

    begun = hand_over(leases, lease.identity, gate, student="ada")
    assert seen == ["u250-0", "u250-1"]
    assert (begun.card, begun.state) == ("u250-1", "active")
    assert _lease(leases.book("emmy")).card == "u250-1"
    leases.set_health("u250-0", True)
    assert _lease(leases.book("lise")).card == "u250-0"


def test_when_all_cards_are_broken_the_student_is_told(book: Callable[..., LeaseBook]) -> None:
    """And keeps the first place of the waiting list."""
    leases = book()
    lease = _lease(leases.book("ada"))
    with pytest.raises(LeaseError, match="no other is free"):
        hand_over(leases, lease.identity, lambda _: Health(False, "hot"), student="ada")
    assert leases.queue()[0].student == "ada"


def test_the_database_itself_refuses_a_double_booking(book: Callable[..., LeaseBook]) -> None:
    """Whatever our code does wrong one day: the primary key holds."""
    from fpgaclass.cohort.tables import slots

    leases = book()
    lease = _lease(leases.book("ada"))
    with leases.engine.begin() as connection:
        row = dict(connection.execute(slots.select()).mappings().one())
        with pytest.raises(IntegrityError):
            connection.execute(slots.insert().values(row | {"lease": lease.identity}))


HAMMER = """
import random, sys
from datetime import UTC, datetime
from fpgaclass.cohort.errors import LeaseError
from fpgaclass.cohort.leases import Lease, LeaseBook
from fpgaclass.cohort.moments import in_zone
from fpgaclass.cohort.spec import LeaseRules
from fpgaclass.core import InvalidInputError
url, seed, requests = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
start = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
book = LeaseBook("c", LeaseRules(horizon_days=1, queue_hours=24), url=url, clock=lambda: start)
random_ = random.Random(seed)
booked = refused = 0
for _ in range(requests):
    student = f"s{random_.randrange(30):02d}"
    try:
        if random_.random() < 0.3 and (mine := book.bookings(student)):
            book.release(mine[0].identity, student=student)
        else:
            booked += isinstance(book.book(student, random_.randint(1, 4)), Lease)
    except LeaseError:
        refused += 1
print(booked, refused)
"""


@pytest.mark.parametrize(("processes", "requests"), [(4, 25), pytest.param(8, 1000, marks=pytest.mark.proof)])
def test_processes_at_once_never_share_a_card(tmp_path: Path, processes: int, requests: int) -> None:
    """The promise under load: book and release from many processes at once, on one database."""
    _hammer(f"sqlite:///{tmp_path / 'l.sqlite'}", processes, requests)


@pytest.mark.proof
def test_processes_at_once_on_postgresql(postgres: str) -> None:
    """The same where several hosts share one state."""
    _hammer(postgres, 8, 1000)


def _hammer(url: str, processes: int, requests: int) -> None:
    leases = LeaseBook("c", LeaseRules(horizon_days=1, queue_hours=24), url=url, clock=lambda: START)
    leases.ensure_cards(["u250-0", "u250-1", "u50-0"])
    started = time.monotonic()
    command = [sys.executable, "-c", HAMMER, url]
    running = [
        subprocess.Popen([*command, str(n), str(requests)], stdout=subprocess.PIPE, text=True)
        for n in range(processes)
    ]
    said = [process.communicate()[0].split() for process in running]
    assert all(process.returncode == 0 for process in running)
    booked, refused = (sum(int(words[n]) for words in said) for n in (0, 1))
    assert booked > 0.06 * processes * requests, "there was something to collide on"
    assert booked + refused <= processes * requests
    taken: dict[tuple[str, datetime], str] = {}
    spans = [(x.card, x.begins, x.ends) for x in leases.bookings()]
    for card, begins, ends in spans:
        when = begins
        while when < ends:
            assert (card, when) not in taken, "double booking"
            taken[card, when] = card
            when += timedelta(minutes=30)
    took = time.monotonic() - started
    print(
        f"{processes} x {requests}: {booked} booked, {refused} refused, 0 double in {took:.0f} s (measured)"
    )


@pytest.mark.parametrize(("class_", "weeks"), [(6, 3), pytest.param(30, 12, marks=pytest.mark.proof)])
def test_a_term_is_fair(tmp_path: Path, class_: int, weeks: int) -> None:
    """Three cards, and a sixth of the class always asking: Jain's index of the slots is 0.95 or more.

    Jain, Chiu, Hawe, DEC-TR-301 (1984): (sum x)^2 / (n sum x^2); 1 is the same for everybody.
    """
    clock = Clock()
    rules = LeaseRules(max_slots=4, queue_hours=2)
    leases = LeaseBook("c", rules, url=f"sqlite:///{tmp_path / 't.sqlite'}", clock=clock)
    leases.ensure_cards(["a", "b", "c"])
    random_ = random.Random(1)
    students = [f"s{n:02d}" for n in range(class_)]
    slots = weeks * 4 * 8  # each week four afternoons of four hours, half an hour at a time
    for _ in range(slots):
        for student in students:
            if random_.random() < (0.9 if student in students[: class_ // 6] else 3.6 / class_):
                try:
                    leases.book(student, random_.randint(1, 4))
                except LeaseError:
                    continue
        for lease in leases.bookings():
            if lease.state == "booked" and lease.begins <= clock.now < lease.ends and random_.random() < 0.95:
                leases.begin(lease.identity)
        clock.turn(30)
    served = [leases.served().get(student, 0) for student in students]
    jain = sum(served) ** 2 / (len(served) * sum(x * x for x in served))
    told = f"slots {min(served)} to {max(served)} (simulated)"
    print(f"{class_} students, {weeks} weeks: Jain's index {jain:.3f}, {told}")
    assert min(served) > 0, "everybody came to a card"
    assert jain >= 0.95, served
    assert sum(served) > 0.8 * 3 * slots, "and the cards were busy"


def test_nobody_books_a_card_that_will_be_gone(tmp_path: Path, clock: Clock) -> None:
    """The nodes end by themselves: a booking after that would be a promise that nobody keeps."""
    from fpgaclass.cohort.tables import cohorts

    book = LeaseBook(
        "c", url=f"sqlite:///{tmp_path / 'l.sqlite'}", clock=clock, card_hours=3, timezone="Europe/Rome"
    )
    book.ensure_cards(["card/0"])
    row = {"name": "c", "provider": "aws", "digest": "", "phase": "ready", "currency": "USD"}
    with book.engine.begin() as connection:
        connection.execute(cohorts.insert().values(**row, created=START, expires=START + timedelta(hours=40)))
    with pytest.raises(LeaseError, match="the cards go at 2027-03-01 13:00 CET"):
        book.book("ada", at=START + timedelta(hours=3))
    last = _lease(book.book("ada", at=START + timedelta(hours=2, minutes=30)))
    assert last.ends == START + timedelta(hours=3)
    for student in ("b", "c", "d", "e", "f"):
        _lease(book.book(student))
    assert isinstance(book.book("late"), Waiting), "the sixth half hour was the last"
    with pytest.raises(LeaseError, match="no card is free at 2027-03-01 10:00 CET"):
        book.book("g", at=START)
