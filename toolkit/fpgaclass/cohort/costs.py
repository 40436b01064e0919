"""What a cohort has cost and will cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fpgaclass.cohort.database import now, shown
from fpgaclass.cohort.errors import CohortError
from fpgaclass.cohort.plans import Plan
from fpgaclass.cohort.state import CREATED, READY, CohortRow, Row, State


@dataclass(frozen=True)
class Cost:
    """What a cohort has cost and will cost; estimates, from the price book and the hours that we know of.

    Attributes:
        so_far: until now.
        an_hour: of what is there now.
        until_end: if everything stays until the cohort's end.
        by_student: so far, by login; "" is what is shared.
    """

    cohort: str
    currency: str
    so_far: float
    an_hour: float
    until_end: float
    by_student: tuple[tuple[str, float], ...]


def cost(name: str, *, card_hours: float | None = None, url: str | None = None) -> Cost:
    """Return what a cohort has cost (estimate).

    Args:
        name: of the cohort.
        card_hours: how long its card nodes live; None is as long as the cohort.
        url: the state's database.

    Raises:
        CohortError: this state does not know the cohort.
    """
    state = State(url)
    cohort = state.cohort(name)
    if cohort is None:
        known = ", ".join(row.name for row in state.cohorts()) or "no cohort"
        step = f"fpgaclass cohort apply; this state knows {known}"
        raise CohortError(f"no cohort is called {name}", where=shown(state.engine), next_step=step)
    so_far: dict[str, float] = {}
    an_hour = left = 0.0
    for row in state.rows(name):
        own = card_hours if row.key.startswith("card/") else None
        end = cohort.end_of(own)
        # What outlives the cohort costs on until somebody has seen that it is gone.
        over = own is not None and end <= now()
        hours = _hours(row.created, row.ended or (end if over else now()))
        so_far[row.student] = so_far.get(row.student, 0.0) + row.spent + hours * row.hourly
        if row.created and not row.ended and not over:
            an_hour += row.hourly
            left += row.hourly * _hours(now(), end)
    total = sum(so_far.values())
    shares = tuple(sorted((login, round(value, 2)) for login, value in so_far.items()))
    return Cost(name, cohort.currency, round(total, 2), round(an_hour, 4), round(total + left, 2), shares)


def cost_in_all(plan: Plan, cohort: CohortRow, rows: Sequence[Row], *, prune: bool = False) -> float:
    """Return what a cohort that is there could cost from its beginning to its end (estimate).

    A plan knows neither who is in it no more nor what was made for other hours or at another price.

    Args:
        plan: what is wanted now; of each machine the dearest offer counts.
        cohort: when it began and ends.
        rows: what the state knows of it.
        prune: who is in the plan no more costs only until now.
    """
    known, total = {row.key: row for row in rows}, 0.0
    for resource in plan.resources:
        own = resource.hours if resource.hours < plan.hours else None
        hourly = [offer.hourly for offer in resource.offers]
        row = known.get(resource.key)
        hourly += [row.hourly] if row and row.state in (CREATED, READY) else []
        total += max(hourly) * _hours(cohort.created, cohort.end_of(own))
    for row in rows:
        # What was made before the beginning is of an earlier cohort of the same name.
        if row.key not in plan and row.created and row.created >= cohort.created:
            total += row.hourly * _hours(row.created, row.ended or (now() if prune else cohort.expires))
    return round(total, 2)


def _hours(since: datetime | None, until: datetime) -> float:
    return max(0.0, (until - since).total_seconds() / 3600) if since else 0.0
