"""What the file asks for and what is there keeps as it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from fpgaclass.cohort.costs import cost_in_all
from fpgaclass.cohort.database import now
from fpgaclass.cohort.errors import PlanRefusedError
from fpgaclass.cohort.plans import Plan
from fpgaclass.cohort.spec import CohortSpec, own_hours
from fpgaclass.cohort.state import CREATED, READY, CohortRow, Row, State


@dataclass(frozen=True)
class Changes:
    """A plan against what the state knows of its cohort, by keys.

    Attributes:
        new: what is in the plan, and not made.
        there: what is in both.
        gone: what was made, and is in the plan no more.
        cost_at_most: of all of it, those included, from the cohort's beginning to its end (estimate).
    """

    new: tuple[str, ...]
    there: tuple[str, ...]
    gone: tuple[str, ...]
    cost_at_most: float

    def refuse_if_wrong(self, plan: Plan, *, prune: bool = False) -> None:
        """Raise if the plan keeps its limit, and what is there and to be made does not.

        Raises:
            PlanRefusedError: something that costs is to be made, and all of it could pass ``max_cost``.
        """
        priced = any(offer.hourly for key in self.new for offer in plan[key].offers)
        if plan.max_cost is None or not priced or self.cost_at_most <= plan.max_cost:
            return
        less = f"{len(self.gone)} are in the plan no more, and --prune removes them; "
        raise PlanRefusedError(
            f"with what is there the cohort could cost {self.cost_at_most:.2f} {plan.currency} (estimate), "
            f"and max_cost is {plan.max_cost:.2f}",
            where=f"cohort {plan.cohort}, price book of {plan.prices_dated}",
            next_step=f"{less if self.gone and not prune else ''}a higher --max-cost, or fewer new machines",
        )


def changes(plan: Plan, *, prune: bool = False, url: str | None = None) -> Changes | None:
    """Return what an apply would change, as far as the state knows; None for a cohort that it does not.

    Args:
        plan: what is wanted.
        prune: the apply would remove who is in the plan no more.
        url: the state's database.
    """
    state = State(url)
    known = state.cohort(plan.cohort)
    if known is None or known.phase == "destroyed":
        return None
    rows = state.rows(plan.cohort)
    made = [row.key for row in rows if row.state in (CREATED, READY)]
    planned = [resource.key for resource in plan.resources]
    return Changes(
        tuple(key for key in planned if key not in made),
        tuple(key for key in planned if key in made),
        tuple(key for key in made if key not in plan),
        cost_in_all(plan, known, rows, prune=prune),
    )


def without_what_is_over(wanted: Plan, cohort: CohortRow, spec: CohortSpec) -> tuple[Plan, tuple[str, ...]]:
    """Leave out what has had its hours: made anew, it would end, and cost, at once."""
    due = [r for r in wanted.resources if cohort.end_of(own_hours(spec, r.key)) > now()]
    over = tuple(r.key for r in wanted.resources if r not in due)
    return replace(wanted, resources=tuple(due)), over


def differences(row: CohortRow, wanted: Plan, rows: Sequence[Row]) -> list[str]:
    """Say what the file asks for and what is there keeps as it was made."""
    found = []
    if abs((row.created + timedelta(hours=wanted.hours) - row.expires).total_seconds()) >= 60:
        had = (row.expires - row.created).total_seconds() / 3600
        found.append(f"hours: {wanted.hours:g} counts for a cohort made anew; this one was made for {had:g}")
    sizes: dict[str, list[str]] = {}
    for there in rows:
        if there.kind == "machine" and there.state == READY and there.key in wanted:
            offers = {offer.size for offer in wanted[there.key].offers}
            if there.size and there.size not in offers:
                sizes.setdefault(there.size, []).append(there.key)
    for size, keys_ in sizes.items():
        more = f" and {len(keys_) - 5} more" if len(keys_) > 5 else ""
        found.append(
            f"{', '.join(keys_[:5])}{more}: made as {size}, which the plan no longer has; "
            "a machine keeps its size, and gets another if it is removed at the provider's and applied again"
        )
    return found
