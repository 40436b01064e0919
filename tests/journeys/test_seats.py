"""A student of a class with a cohort: a card is booked in a notebook, taken over, and in the next server."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fpgaclass import cohort
from fpgaclass.cohort import why_no_local_hosts

pytestmark = [
    pytest.mark.journey,
    pytest.mark.proof,
    pytest.mark.xdist_group("hub"),
    pytest.mark.skipif(bool(why_no_local_hosts()[0]), reason=why_no_local_hosts()[0] or "can be tested here"),
]


@pytest.fixture
def made(tiny_course: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The tiny course with a cohort of real hosts on this machine, set up."""
    pytest.importorskip("ansible_runner", reason="ansible-runner is not installed")
    monkeypatch.setenv("FPGACLASS_STATE", str(scratch / "cohorts"))
    (tiny_course.parent / "roster.csv").write_text("login\nada\n")
    part = f"cohort: {{name: journey-{os.getpid()}, hours: 4, roster: roster.csv, cards: {{count: 1}}}}\n"
    tiny_course.write_text(tiny_course.read_text() + f"timezone: Europe/Rome\n{part}")
    try:
        assert not cohort.apply(tiny_course, timeout_s=120).failed
        assert not cohort.configure(tiny_course).failed
        yield tiny_course
    finally:
        cohort.destroy(tiny_course)


def test_a_card_is_booked_in_a_notebook(made: Path, operators: Callable[..., Any], person: type[Any]) -> None:
    """The jail has no way to the database: the hub says who asks, and its service does the rest."""
    instructor = operators(made)
    up = instructor.does("up", port=instructor.port, foreground=False)
    try:
        ada = person(up["url"], "ada", instructor.passwords()["ada"])
        ada.log_in()
        ada.start_server()
        said = ada.run(
            [
                "from datetime import UTC, datetime; from fpgaclass import cohort; desk = cohort.open_desk()",
                "lease = desk.book(slots=4, at=datetime.now(UTC))",
                "print(lease.card, desk.timezone, desk.seat().connect)",
                "print(desk.begin(lease.identity).state, desk.seat().card_connect)",
                "!fpgaclass seats && fpgaclass lease list",
                "import os; print(sorted(n for n in os.environ if n.startswith('FPGACLASS_CARD')))",
            ]
        )
        seat = cohort.seats(made, "ada")[0]
        assert said[2].split() == ["card/0", "Europe/Rome", "ssh", *seat.connect.split()[1:]]
        assert said[3].strip() == f"active {seat.card_connect}"
        assert seat.card_connect in said[4], "the same from a terminal of the class"
        assert cohort.open_leases(made).bookings("ada")[0].identity in said[4]
        assert said[5].strip() == "[]", "the server was there before the card"
        page = ada.web.get(f"{up['url']}/services/seats/").text
        assert "active" in page
        assert seat.card_connect in page
        token = re.search(r'xsrf_token: "([^"]+)"', ada.web.get(f"{up['url']}/hub/home").text)
        assert token
        headers = {"X-XSRFToken": token[1], "Referer": f"{up['url']}/hub/home"}
        ada.web.delete(f"{up['url']}/hub/api/users/ada/server", headers=headers).raise_for_status()
        ada.start_server()
        said = ada.run(
            ["import os; print(os.environ['FPGACLASS_CARD'], os.environ['FPGACLASS_CARD_CONNECT'])"]
        )
        assert said[0].strip() == f"card/0 {seat.card_connect}", (
            "a server that starts in one's time has the card"
        )
    finally:
        instructor.does("down")
