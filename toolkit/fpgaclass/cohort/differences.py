"""What the file asks for and what is there keeps as it was made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from fpgaclass.cohort.costs import cost_in_all
from fpgaclass.cohort.database import now
from fpgaclass.cohort.errors import PlanRefusedError
from fpgaclass.cohort.plans import Plan, Resource
from fpgaclass.cohort.spec import CohortSpec, own_hours
from fpgaclass.cohort.state import CREATED, DELETED, FAILED, INTENT, PLANNED, READY, CohortRow, Row, State
from fpgaclass.core import digest_of

Digests = Mapping[str, Mapping[str, str]]
_IN_THE_FILE = {
    "email": "aws.budget_email",
    "limit": "max_cost (of the budget alarm)",
    "role": "aws.expiry_role",
    "size_gb": "seat.volume_gb",
    "hours": "cards.hours",
}


@dataclass(frozen=True)
class Changes:
    """A plan against what the state knows of its cohort, by keys.

    Attributes:
        new: what is in the plan, and not made.
        there: what is in both.
        gone: what was made, and is in the plan no more.
        cost_at_most: of all of it, those included, from the cohort's beginning to its end (estimate).
        notes: what the file asks for and what is there keeps as it was made.
    """

    new: tuple[str, ...]
    there: tuple[str, ...]
    gone: tuple[str, ...]
    cost_at_most: float
    notes: tuple[str, ...] = ()

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
        tuple(differences(known, plan, rows, state.made_with(plan.cohort))),
    )


def without_what_is_over(wanted: Plan, cohort: CohortRow, spec: CohortSpec) -> tuple[Plan, tuple[str, ...]]:
    """Leave out what has had its hours: made anew, it would end, and cost, at once."""
    due = [r for r in wanted.resources if cohort.end_of(own_hours(spec, r.key)) > now()]
    over = tuple(r.key for r in wanted.resources if r not in due)
    return replace(wanted, resources=tuple(due)), over


def settings_to_note(
    plan: Plan, rows: Sequence[Row], noted: Digests, made: Collection[str] = ()
) -> dict[str, dict[str, str]]:
    """Return the digests of the settings of what an apply makes, by key.

    Args:
        plan: what is wanted.
        rows: what the state knows.
        noted: digests that are known already; of what may have been made with them they stay.
        made: these were made just now.
    """
    fresh = {
        row.key
        for row in rows
        if row.state in (PLANNED, DELETED) or (row.state in (INTENT, FAILED) and row.key not in noted)
    }
    return {r.key: _digests(plan, r) for r in plan.resources if r.key in fresh | set(made)}


def _digests(plan: Plan, resource: Resource) -> dict[str, str]:
    settings = dict(resource.settings)
    if resource.key.startswith("card/"):
        settings["hours"] = f"{resource.hours:g}" if resource.hours < plan.hours else ""
    return {name: digest_of(value) for name, value in settings.items()}


def _kept(plan: Plan, rows: Sequence[Row], noted: Digests) -> Iterator[str]:
    there = {row.key for row in rows if row.state in (CREATED, READY)}
    kept: dict[str, list[str]] = {}
    for resource in plan.resources:
        had = noted.get(resource.key, {}) if resource.key in there else {}
        for name, digest in _digests(plan, resource).items():
            # Without a key in the file the plan has none: apply takes the pair that was made.
            unsaid = name == "public_key" and not resource.setting(name)
            if not unsaid and had.get(name, digest) != digest:
                kept.setdefault(_IN_THE_FILE.get(name, name), []).append(resource.key)
    for name, keys_ in kept.items():
        yield f"{name}: another one in the file now, for what is made anew; {_few(keys_)} as made"


def _few(keys_: Sequence[str]) -> str:
    more = f" and {len(keys_) - 5} more" if len(keys_) > 5 else ""
    stays = "stay" if len(keys_) > 1 else "stays"
    return f"{', '.join(keys_[:5])}{more} {stays}"


def differences(row: CohortRow, wanted: Plan, rows: Sequence[Row], noted: Digests) -> list[str]:
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
    return [*found, *_kept(wanted, rows, noted)]
