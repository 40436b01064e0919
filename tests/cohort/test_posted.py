"""A hub on a machine of its own: the copy of the seats that is sent to it, and what its page makes of it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from traitlets.config import Config

from fpgaclass import cohort as room
from fpgaclass.cohort import hosts
from fpgaclass.cohort.desk import hub as hub_part
from fpgaclass.cohort.desk.page import render
from fpgaclass.cohort.desk.posted import PostedDesk, posted_seats, write_seats
from fpgaclass.cohort.desk.room import open_room
from fpgaclass.cohort.testing import MemoryCloud, MemoryProvider

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"


@pytest.fixture
def made(course: Path) -> Path:
    """A cohort in memory whose roster has what must not travel."""
    people = ["login,name,email,public_key", f"ada,Ada L,ada@example.org,{KEY} ada@laptop"]
    (course.parent / "roster.csv").write_text("\n".join([*people, "emmy,Emmy N,emmy@example.org,", ""]))
    course.write_text(course.read_text().replace("  hours: 40\n", "  hours: 40\n  roster: roster.csv\n"))
    assert not room.apply(course, provider=MemoryProvider(MemoryCloud())).failed
    return course


@pytest.fixture
def hub(made: Path, tmp_path: Path) -> Path:
    """What the role makes of it on the hub's machine: course.yaml without the cohort, and the copy."""
    there = tmp_path / "srv" / "course"
    there.mkdir(parents=True)
    document = yaml.safe_load(made.read_text()) | {"cohort": {"posted": "../seats.json"}}
    (there / "course.yaml").write_text(yaml.safe_dump(document))
    return there / "course.yaml"


def _send(made: Path, hub: Path) -> Path:
    return write_seats(room.load_spec(made), hub.parents[1] / "seats.json")


def test_a_student_sees_their_own_seat_and_of_when_it_is(made: Path, hub: Path) -> None:
    """The same as beside the state, but for the time; nobody else's; and nothing can be changed."""
    lease = room.open_leases(made).book("ada", at=datetime.now(UTC) + timedelta(hours=3))
    sent = _send(made, hub)
    before = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2, minutes=5)
    os.utime(sent, (before.timestamp(), before.timestamp()))
    desk = open_room(hub).desk("ada")
    near = room.LocalDesk(made, "ada")
    assert desk.seat().told == before
    assert (desk.seat().connect, desk.bookings(), desk.timezone) == (
        near.seat().connect,
        near.bookings(),
        "Europe/Rome",
    )
    assert desk.next() == lease == desk.view().bookings[0]
    text = room.seat_text(desk.seat(), timezone=desk.timezone)
    assert "2 hours ago; your instructor books" in text
    page = render(desk.view(), "ada")
    assert "2 hours ago" in page
    assert near.seat().connect in page
    assert "<form" not in page, "there is nothing to press that would not work"
    emmy = open_room(hub).desk("emmy")
    assert emmy.bookings() == ()
    assert near.seat().connect not in render(emmy.view(), "emmy")
    for refused in (desk.book, desk.leave, lambda: desk.begin("0"), lambda: desk.release("0")):
        with pytest.raises(room.LeaseError, match=r"by its instructor.*Next: ask them"):
            refused()  # type: ignore[operator]


def test_nothing_private_travels(made: Path, hub: Path) -> None:
    """Names, addresses and keys stay with the instructor; on the hub only root reads what is sent."""
    sent = _send(made, hub)
    text = sent.read_text()
    assert "Ada L" not in text
    assert "example.org" not in text
    assert "AAAA" not in text
    assert sorted(json.loads(text)) == ["ada", "emmy"]
    assert sent.stat().st_mode & 0o077 == 0
    (made.parent / "roster.csv").write_text("login\nada\n")
    assert sorted(json.loads(_send(made, hub).read_text())) == ["ada"], "who has left is gone from it"


def test_a_copy_that_is_not_there_or_not_whole_is_told(made: Path, hub: Path) -> None:
    """The hub may be up before the first copy has come; a stranger has no seat."""
    with pytest.raises(room.CohortError, match="have not come to this hub yet; tell your instructor"):
        open_room(hub).desk("ada").view()
    sent = _send(made, hub)
    with pytest.raises(room.CohortError, match="called mallory"):
        PostedDesk(sent, "mallory").view()
    sent.write_text(sent.read_text()[:-9])
    with pytest.raises(room.CohortError, match="cannot be read"):
        PostedDesk(sent, "ada").view()


def test_the_hub_has_the_page_and_no_hook(made: Path, hub: Path) -> None:
    """The key that opens a card is elsewhere: no server waits for a card there."""
    assert posted_seats(made) is None
    for course, hooked in ((made, True), (hub.parent / "course.yaml", False)):
        c = Config()
        c.JupyterHub.bind_url = "http://127.0.0.1:8000"
        c.JupyterHub.services, c.JupyterHub.load_roles = [], []
        c.Spawner.environment = {}
        hub_part.configure(c, course)
        assert [service["name"] for service in c.JupyterHub.services] == ["seats"]
        assert ("pre_spawn_hook" in c.Spawner) == hooked
    asyncio.run(open_room(hub).look())  # there is no door to close, and no error in the log twice a minute


def test_a_verb_on_the_hub_says_where_the_cohort_is(run: Callable[..., Any], hub: Path) -> None:
    """Somebody logs in there and types what they know: one line, and where to do it."""
    said = run("cohort", "status", "--course", hub)
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "kept where the cohort was applied" in said.err


def test_seats_are_sent_by_a_verb(
    run: Callable[..., Any], made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the hub alone, by the short playbook; without a hub of its own there is nobody to send to."""
    said = run("seats", "--send", "--course", made)
    assert (said.code, "no hub of its own" in said.err) == (1, True)
    asked: list[tuple[str, list[str], dict[str, Any]]] = []

    def play(inventory: dict[str, Any], playbook: str, *, limit: list[str]) -> room.Configured:
        own = inventory["all"]["children"]["hubs"]["hosts"][limit[0]]
        asked.append((playbook, limit, json.loads(Path(own["seats_file"]).read_text())))
        return room.Configured((room.HostResult(limit[0], 2, 1),), 1.0)

    monkeypatch.setattr(hosts, "run_playbook", play)
    assert run("seats", "--send", "--hub", "seat/ada", "--course", made).code == 0
    assert [(name, limit, sorted(data)) for name, limit, data in asked] == [
        ("seats.yml", ["seat/ada"], ["ada", "emmy"])
    ]
    missing = run("seats", "--send", "--hub", "seat/nobody", "--course", made)
    assert (missing.code, "seat/nobody is not ready" in missing.err) == (1, True)
