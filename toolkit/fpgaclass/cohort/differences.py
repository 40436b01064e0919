"""What the file asks for and what is there keeps as it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from fpgaclass.cohort.database import now
from fpgaclass.cohort.plans import Plan
from fpgaclass.cohort.spec import CohortSpec, own_hours
from fpgaclass.cohort.state import READY, CohortRow, Row


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
