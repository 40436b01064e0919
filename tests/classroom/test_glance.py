"""What the class page says beyond the heat map: own deadlines, closed doors, who leads, who holds a card."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sql

from fpgaclass.classroom import Classroom, Mark
from fpgaclass.classroom.exchange import open_desk
from fpgaclass.classroom.gradebook import tables
from fpgaclass.classroom.service.cards import see_cards
from fpgaclass.classroom.service.glance import Glance, Watcher
from fpgaclass.classroom.service.pages import templates
from fpgaclass.course import Course

LAB = "01_square"
Submit = Callable[..., Any]


def _page(template: str, glance: Glance, me: str, **words: Any) -> str:
    common = {"glance": glance, "prefix": "/class/", "me": me, "role": "", "zone": ZoneInfo("UTC")}
    html = templates().get_template(template).render(**common, **words)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def _put_on_board(classroom: Classroom, **values: float) -> None:
    with sql.create_engine(f"sqlite:///{classroom.layout.course / 'gradebook.db'}").begin() as db:
        tables.figures.create(db, checkfirst=True)
        for student, value in values.items():
            row = {"course": "tiny101", "lab": LAB, "student": student, "name": "latency", "value": value}
            db.execute(sql.insert(tables.figures).values(**row, unit="ns", best="lowest"))


def test_own_deadlines_and_closed_doors(classroom: Classroom, submit: Submit) -> None:
    """A student with an extension must not read that they are late."""
    for student in ("ada", "emmy"):
        submit(student, when=datetime(2100, 1, 1, 12, tzinfo=UTC))
    classroom.extend(LAB, "ada", timedelta(days=2))
    classroom.close(LAB)
    classroom.reopen(LAB, "hedy")
    (lab,) = classroom.glance().labs
    rows = {row.student: row for row in lab.rows}
    assert (rows["ada"].late, rows["emmy"].late) == (False, True)
    assert rows["ada"].due == datetime(2100, 1, 3, tzinfo=UTC)
    assert [name for name, row in rows.items() if row.is_open] == ["hedy"]
    page = _page("glance.html", classroom.glance(), "teacher")
    assert "may until Sun 03 Jan 2100, 00:00 (UTC)" in page
    watcher = Watcher(classroom.layout, classroom.course.path, open_desk(classroom.layout))
    for student, said in (("ada", "with my extension"), ("emmy", "closed: no more submissions")):
        glance = watcher.look((student,))
        labs = [(view, view.rows[0], []) for view in glance.labs]
        assert said in _page("mine.html", glance, student, labs=labs)


def test_how_far_grading_is(classroom: Classroom, submit: Submit) -> None:
    """Three came in, one was graded, one handed in again since: two are to be graded."""
    submit("ada")
    classroom.grade(LAB)
    for student in ("ada", "emmy", "hedy"):
        submit(student)
    classroom.grade(LAB, "emmy")
    (lab,) = classroom.glance().labs
    assert (lab.submitted, lab.graded, lab.ungraded) == (3, 2, 2)
    assert "2 to grade" in _page("glance.html", classroom.glance(), "teacher")
    classroom.grade(LAB)
    assert classroom.glance().labs[0].ungraded == 0


def test_the_board_names_nobody_to_others(classroom: Classroom) -> None:
    """Marks are private; who leads is for the instructor to say."""
    _put_on_board(classroom, ada=40.5, emmy=12.25, hedy=40.5)
    (board,) = classroom.glance().labs[0].boards
    assert [(place.rank, place.student) for place in board.places] == [(1, "emmy"), (2, "ada"), (2, "hedy")]
    assert "emmy 12.25" in _page("glance.html", classroom.glance(), "teacher")
    watcher = Watcher(classroom.layout, classroom.course.path, open_desk(classroom.layout))
    glance = watcher.look(("ada",))
    assert "emmy" not in repr(glance)
    page = _page("mine.html", glance, "ada", labs=[(view, view.rows[0], []) for view in glance.labs])
    assert "1 somebody else 12.25" in page
    assert "2 me 40.5" in page


def test_who_holds_a_shared_card(
    classroom: Classroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One card and a queue: the page says whom to ask."""
    pytest.importorskip("numpy")
    locks = tmp_path / "locks"
    locks.mkdir(mode=0o1777)
    monkeypatch.setenv("FPGACLASS_CARD_LOCKS", str(locks))
    code = "import sys; from fpgaclass.card import hold; hold('virtual0'); print('held', flush=True); "
    code += "sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        (card,) = see_cards(classroom.course).cards
        assert card.name == "virtual0"
        assert card.holder
        assert f"virtual0 {card.holder}" in _page("glance.html", classroom.glance(), "teacher")
        holder.communicate()
    (card,) = see_cards(classroom.course).cards
    assert card.holder == ""


def test_the_cards_of_a_cohort(classroom: Classroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Booked cards have a holder and an end; one that is out of use says why."""
    from fpgaclass.cohort import open_leases

    cohort = (
        "cohort: {name: spring, provider: aws, region: eu-central-1, hours: 40, ssh_from: [131.154.0.0/16], "
        "seat: {size: m5.large}, cards: {board: u250, size: f2.6xlarge, count: 2, hours: 10}, "
        "aws: {image: ami-0123456789abcdef0}}"
    )
    path = tmp_path / "course.yaml"
    path.write_text(f"{classroom.course.path.read_text()}\n{cohort}\n")
    monkeypatch.setenv("FPGACLASS_STATE", str(tmp_path / "cohort"))
    book = open_leases(path)
    now = datetime.now(UTC)
    book.block("card/0", now, now + timedelta(hours=2), note="visitors")
    book.set_health("card/1", False, "no answer")
    found = see_cards(Course.load(path))
    assert found.trouble == ""
    views = {card.name: card for card in found.cards}
    assert views["card/0"].holder == "visitors"
    assert (views["card/0"].until or now) > now
    assert (views["card/1"].holder, views["card/1"].note) == ("", "no answer")


def test_the_way_to_what_is_marked_by_hand_is_one(classroom: Classroom) -> None:
    """nbgrader moves its pages from one version to the next, and answers an old address with nothing."""
    from nbgrader.server_extensions.formgrader.handlers import default_handlers

    glance = classroom.glance()
    waiting = Mark("ada", LAB, "needs a person", 1, 3)
    rows = tuple(replace(row, mark=waiting) for row in glance.labs[0].rows)
    waits = replace(glance, labs=(replace(glance.labs[0], rows=rows),))
    common = {"prefix": "/class/", "me": "teacher", "role": "", "zone": ZoneInfo("UTC")}
    page = templates().get_template("glance.html").render(glance=waits, **common)
    (address,) = re.findall(r'href="/hub/user-redirect(/formgrader[^"]*)"', page)
    assert any(re.fullmatch(pattern, address) for pattern, *_ in default_handlers)


def test_cards_of_a_cohort_that_cannot_be_asked(classroom: Classroom) -> None:
    """The page must open on a day on which the cohort's state is out of reach."""
    course = classroom.course.model_copy(update={"cohort": {"nonsense": 1}, "path": Path("/nowhere.yaml")})
    found = see_cards(course)
    assert found.cards == ()
    assert "nowhere" in found.trouble
