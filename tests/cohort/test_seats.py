"""What a student sees, and what a person sees while a cohort is made."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from fpgaclass import cohort as room
from fpgaclass.cohort import verbs
from fpgaclass.cohort.errors import CohortError
from fpgaclass.cohort.testing import MemoryCloud, MemoryProvider


def _text(table: object) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(table)
    return out.getvalue()


def test_a_seat_tells_the_way_in_and_the_turn(course: Path) -> None:
    """Which machine, until when, which card, when; and the card's address only while it is theirs."""
    room.apply(course, provider=MemoryProvider(MemoryCloud()))
    book = room.open_leases(course)
    lease = book.book("ada")
    assert isinstance(lease, room.Lease)
    seat = room.seats(course, "ada")[0]
    assert seat.machine == "ready"
    assert seat.connect.startswith("ssh ada@192.0.2.")
    assert seat.lease == lease
    text = room.seat_text(seat, timezone="Europe/Rome")
    assert "card/" in text
    assert "copy your work" in text
    assert seat.card_connect == "", "not before it has begun"
    book.release(lease.identity)
    lease = book.book("ada", at=datetime.now(UTC))
    assert isinstance(lease, room.Lease)
    seat = room.seats(course, "ada")[0]
    assert (seat.due, seat.card_connect) == (True, "")
    assert f"fpgaclass lease begin {lease.identity}" in room.seat_text(seat)
    book.begin(lease.identity)
    assert room.seats(course, "ada")[0].card_connect.startswith("ssh ada@192.0.2.")
    emmy = room.seats(course, "emmy")[0]
    assert emmy.lease is None
    assert "nothing booked" in room.seat_text(emmy)
    assert len(room.seats(course)) == 3
    cloud = MemoryProvider(MemoryCloud())
    room.destroy(course, provider=cloud)
    assert book.bookings() == (), "a cohort that is gone has no turns"
    with pytest.raises(CohortError, match="called nobody"):
        room.seats(course, "nobody")


def test_a_card_without_its_node_is_given_to_nobody(course: Path) -> None:
    """One of two nodes was sold out: its card must not be booked, until a later apply has made it."""
    cloud = MemoryCloud()
    cloud.capacity = {("f2.6xlarge", "eu-central-1a"): 1, ("f2.6xlarge", "eu-central-1b"): 0}
    room.apply(course, provider=MemoryProvider(cloud))
    book = room.open_leases(course)
    assert [(card.name, card.note) for card in book.cards() if not card.healthy] == [
        ("card/1", "its node is not up")
    ]
    when = datetime.now(UTC) + timedelta(hours=2)
    book.book("ada", at=when)
    with pytest.raises(room.LeaseError, match="no card is free"):
        book.book("emmy", at=when)
    assert "card/1 is out of use: its node is not up" in _text(
        room.leases_table(book.bookings(), book.queue(), "UTC", cards=book.cards())
    )
    with pytest.raises(room.LeaseError, match=r"there is no card card/9.*one of: card/0, card/1"):
        book.set_health("card/9", True)
    with pytest.raises(room.LeaseError, match="at most a year"):
        book.block("card/0", when, when + timedelta(days=10**6), note="a slip of the pen")
    cloud.capacity = {}
    room.apply(course, provider=MemoryProvider(cloud))
    assert isinstance(book.book("emmy", at=when), room.Lease)
    book.set_health("card/1", False, "hot")
    room.apply(course, provider=MemoryProvider(cloud))
    assert book.cards()[1].note == "hot", "what an instructor took out of use stays out"


def test_before_apply_a_seat_says_so(course: Path) -> None:
    """A student who looks too early must not see an error."""
    seat = room.seats(course, "ada")[0]
    assert (seat.machine, seat.connect, seat.ends) == ("not planned", "", None)


def test_an_apply_is_told_by_student_in_a_log(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a log there are no bars: one line for each student, when all of theirs is there."""
    plan = room.plan(course)
    with room.apply_progress(plan) as listen:
        done = room.apply(course, provider=MemoryProvider(MemoryCloud()), listener=listen)
    lines = [line.split()[-1] for line in capsys.readouterr().err.splitlines() if "done" in line]
    assert sorted(lines) == ["ada", "card/0", "card/1", "emmy", "firewall", "key", "lise"]
    text = _text(room.applied_table(done, "Europe/Rome"))
    assert "13 made" in text
    assert "13 ready" in text


def test_the_bars_do_not_run_off_the_screen(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bar for each of five students; one for all of three hundred."""
    from fpgaclass.cohort import show

    for number, most in ((5, 7), (300, 2)):
        out = io.StringIO()
        monkeypatch.setattr(
            show, "Console", lambda out=out, **_: Console(file=out, force_terminal=True, width=80, height=500)
        )
        names = [f"s{n}" for n in range(number)]
        with show.progress(names, "cohort") as move:
            for name in names:
                move(name, 3)
        last = out.getvalue().rsplit("\x1b[2K", 1)[-1]
        assert len(last.splitlines()) <= most
    assert course.exists()


def test_the_port_is_what_the_providers_have() -> None:
    """Behind one port: each adapter has every method, with the same parameters."""
    import inspect

    from fpgaclass.cohort.port import Provider
    from fpgaclass.cohort.providers.aws import AwsProvider
    from fpgaclass.cohort.providers.infn import InfnProvider
    from fpgaclass.cohort.providers.local import LocalProvider
    from fpgaclass.cohort.providers.openstack import OpenStackProvider, SiteServers

    for adapter in (AwsProvider, InfnProvider, LocalProvider, OpenStackProvider, SiteServers, MemoryProvider):
        for name in ("preflight", "inventory", "create", "complete", "delete"):
            wanted = list(inspect.signature(getattr(Provider, name)).parameters)
            assert list(inspect.signature(getattr(adapter, name)).parameters) == wanted, (adapter, name)


def test_the_room_imports_without_any_cloud(tmp_path: Path) -> None:
    """A provider's package loads only when used: a laptop without boto3 can still plan."""
    import subprocess
    import sys

    names = [
        "boto3",
        "botocore",
        "ansible",
        "ansible_runner",
        "openstack",
        "httpx",
        "sqlalchemy",
        "psycopg",
        "moto",
    ]
    code = f"import sys; sys.modules.update(dict.fromkeys({names!r})); import fpgaclass.cohort"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert verbs.plan.__doc__


def test_a_run_of_ansible_is_told_as_it_goes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal each host with its count and its last task; in a log only what fails."""
    from fpgaclass.cohort import show

    tasks = [
        room.Task("seat/ada", "Accounts", "ok"),
        room.Task("seat/emmy", "Accounts", "ok"),
        room.Task("seat/emmy", "Docker", "failed"),
        room.Task("seat/lise", "Accounts", "unreachable"),
    ]
    hosts = ["seat/ada", "seat/emmy", "seat/lise"]
    with show.configure_progress(hosts) as listen:
        for task in tasks:
            listen(task)
    said = capsys.readouterr().err.split("\n")
    assert [line.strip() for line in said if line] == [
        "failed seat/emmy: Docker",
        "unreachable seat/lise: Accounts",
    ]
    out = io.StringIO()
    monkeypatch.setattr(
        show, "Console", lambda **_: Console(file=out, force_terminal=True, width=100, height=50)
    )
    with show.configure_progress(hosts) as listen:
        for task in tasks:
            listen(task)
    plain = re.sub(" +", " ", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue()))
    assert "3 hosts 4 tasks" in plain
    assert "seat/emmy 2 tasks failed: Docker" in plain
