"""Plans: pure, priced, deterministic, and refused before money is spent where that can be known."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from fpgaclass.cohort.errors import PlanRefusedError
from fpgaclass.cohort.planning import make_plan
from fpgaclass.cohort.plans import WAVES, Plan
from fpgaclass.cohort.prices import PriceBook
from fpgaclass.cohort.roster import students_of
from fpgaclass.cohort.show import plan_table
from fpgaclass.cohort.spec import load_spec


def _plan(course: Path, *changes: tuple[str, str]) -> Plan:
    text = course.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    course.write_text(text)
    found = load_spec(course)
    return make_plan(found.spec, students_of(found.students, "course.yaml"), public_key="ssh-ed25519 AAAA x")


def test_a_plan_has_everything_and_nothing_twice(course: Path) -> None:
    """What is not in the plan is not made; what is there twice is paid for twice."""
    plan = _plan(course)
    keys = [resource.key for resource in plan.resources]
    assert len(keys) == len(set(keys)) == 2 + 3 * 3 + 2
    waves = [resource.wave for resource in plan.resources]
    assert waves == sorted(waves), "the order of making"
    assert WAVES["expiry"] < WAVES["machine"], "nothing that costs exists before what ends it"
    seat = plan["seat/ada"]
    assert [(o.size, o.zone[-1]) for o in seat.offers] == [
        ("m5.large", "a"),
        ("m5.large", "b"),
        ("m6i.large", "a"),
        ("m6i.large", "b"),
    ]


def test_the_cost_is_what_a_hand_would_add_up(course: Path) -> None:
    """The figure that an instructor signs for: machines, disks, volumes and addresses, each for its hours."""
    book = PriceBook.load("aws")
    month = book.volume_gb_month / 730
    seat = (0.096 + 40 * month) * 1.20 * 40
    volume, address = 20 * month * 1.20 * 40, 0.005 * 40
    card = ((1.98 + 80 * month) * 1.20 + 0.005) * 10  # it has a public address, too, if not a fixed one
    assert _plan(course).cost == pytest.approx(3 * (seat + volume + address) + 2 * card, abs=0.01)


def test_the_digest_follows_the_plan_and_nothing_else(course: Path) -> None:
    """Two instructors with the same files must see the same plan; another roster is another plan."""
    plan = _plan(course)
    assert plan.digest == _plan(course).digest
    assert plan.digest != replace(plan, hours=41.0).digest
    assert json.loads(json.dumps(plan.as_json()))["digest"] == plan.digest


def test_f1_gives_its_retirement_and_the_f2_offer(course: Path) -> None:
    """Every older course asks for F1; AWS's own error does not say that it is gone."""
    with pytest.raises(PlanRefusedError, match=r"f1\.2xlarge was retired on 2025-12-20.*f2\.6xlarge"):
        _plan(course, ("f2.6xlarge", "f1.2xlarge"))


def test_a_region_without_the_type_is_refused(course: Path) -> None:
    """Milan is the nearest region and has no F2."""
    with pytest.raises(PlanRefusedError, match="eu-south-1 has no f2"):
        _plan(course, ("eu-central-1", "eu-south-1"))


def test_what_is_too_dear_can_be_printed_but_not_applied(course: Path) -> None:
    """The instructor must see what makes it dear; nobody must be able to start it."""
    plan = _plan(course, ("hours: 40", "hours: 40\n  max_cost: 20"))
    assert "max_cost 20.00" in _text(plan)
    with pytest.raises(PlanRefusedError, match=r"could cost .*max_cost is 20\.00"):
        plan.refuse_if_wrong()


def test_max_cost_counts_the_dearest_alternative(course: Path) -> None:
    """A plan that stays below its limit only if the cheap type is in stock breaks the limit."""
    plan = _plan(course, ("m6i.large", "f2.48xlarge"))
    assert plan.cost_at_most > plan.cost + 1000
    with pytest.raises(PlanRefusedError):
        replace(plan, max_cost=plan.cost + 1).refuse_if_wrong()


@pytest.mark.parametrize(("limit", "said"), [(0, "none of it at all"), (24, "the limit is 24")])
def test_a_quota_that_does_not_fit_is_refused(course: Path, limit: int, said: str) -> None:
    """New AWS accounts have an F quota of zero; raising it takes days, so say it before the course."""
    plan = _plan(course, ("hours: 40", f"hours: 40\n  quota: {{F vCPUs: {limit}}}"))
    with pytest.raises(PlanRefusedError, match=f"needs 48 F vCPUs.*{said}"):
        plan.refuse_if_wrong()


def test_an_unknown_size_is_said_not_priced_silently(course: Path) -> None:
    """A price of 0 that nobody notices is worse than none."""
    plan = _plan(course, ("m5.large", "x9.large"))
    assert any("x9.large is not in the price book" in note for note in plan.notes)


def _text(plan: Plan) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(plan_table(plan))
    return out.getvalue()


def test_the_table_says_that_its_figures_are_estimates(course: Path) -> None:
    """An estimate that looks like a bill misleads; and 300 students must fit on one screen."""
    text = _text(_plan(course))
    assert "estimate" in text
    assert "prices of 2026-11-15" in text
    assert len(text.splitlines()) < 20


def test_a_plan_for_300_students_is_quick(course: Path) -> None:
    """Under 2 s: an instructor plays with sizes and prices, and must not wait."""
    found = load_spec(course)
    students = students_of([f"s{n:03d}" for n in range(300)], "test")
    started = time.perf_counter()
    plan = make_plan(found.spec, students)
    assert plan.digest
    assert _text(plan)
    assert time.perf_counter() - started < 2
    assert len(plan.of_kind("machine")) == 302
