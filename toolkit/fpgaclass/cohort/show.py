"""Plans and inventories for people: rich tables."""

from __future__ import annotations

from collections import Counter

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fpgaclass.cohort.plan import Plan, Resource


def plan_table(plan: Plan) -> RenderableType:
    """Return a plan for the terminal: one line for each kind of thing, not one for each of 300 students."""
    where = f" in {plan.region}" if plan.region else ""
    head = (
        f"cohort {plan.cohort}: {len(plan.students)} students on {plan.provider}{where}, {plan.hours:g} hours"
    )
    price = f"{plan.currency} (estimate)"
    table = Table("number", "what", "size", "zones", "hours", price, box=None, pad_edge=False)
    for column in (0, 4, 5):
        table.columns[column].justify = "right"
    groups: dict[tuple[str, ...], list[Resource]] = {}
    for resource in plan.resources:
        groups.setdefault(_row(resource), []).append(resource)
    for (what, size, zones, hours), members in groups.items():
        cost = sum(r.hours * r.offers[0].hourly for r in members)
        table.add_row(str(len(members)), what, size, zones, hours, f"{cost:.2f}" if cost else "-")
    lines: list[RenderableType] = [Text(head, style="bold"), table, Text("")]
    limit = f"; max_cost {plan.max_cost:.2f}" if plan.max_cost is not None else ""
    lines.append(
        Text(
            f"cost {plan.cost:.2f} {plan.currency}, at most {plan.cost_at_most:.2f}{limit} "
            f"(estimate, prices of {plan.prices_dated})"
        )
    )
    for quota in plan.quotas:
        known = f"of {quota.limit}" if quota.limit is not None else "(limit not known here)"
        over = quota.limit is not None and quota.needed > quota.limit
        lines.append(Text(f"quota: {quota.needed} {quota.name} {known}", style="red" if over else ""))
    lines += [Text(f"note: {note}", style="yellow") for note in plan.notes]
    lines.append(Text(f"plan {plan.digest[:12]}", style="dim"))
    return Group(*lines)


def _row(resource: Resource) -> tuple[str, str, str, str]:
    sizes = list(dict.fromkeys(offer.size for offer in resource.offers))
    zones = list(dict.fromkeys(offer.zone for offer in resource.offers))
    what = {"seat": "seat", "card": "card node"}.get(resource.setting("role"), resource.kind)
    spot = " spot" if resource.setting("spot") == "True" else ""
    return what, ", else ".join(sizes) + spot, ", ".join(zones), f"{resource.hours:g}"


def counted(words: list[str]) -> str:
    """Return ``3 ready, 1 failed`` for a list of states."""
    return ", ".join(f"{number} {word}" for word, number in sorted(Counter(words).items()))
