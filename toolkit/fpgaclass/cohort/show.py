"""Plans and progress for people: rich tables and bars."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from fpgaclass.cohort.applied import Event
from fpgaclass.cohort.database import now
from fpgaclass.cohort.plans import Plan, Resource
from fpgaclass.cohort.playbook import Task
from fpgaclass.core import say


def plan_table(plan: Plan) -> RenderableType:
    """Return a plan for the terminal: one line for each kind of thing, not one for each of 300 students."""
    where = f" in {plan.region}" if plan.region else ""
    head = (
        f"cohort {plan.cohort}: {len(plan.students)} students on {plan.provider}{where}, {plan.hours:g} hours"
    )
    if plan.starts:
        past = ", which is over: the hours count from apply on" if plan.starts < now() else ""
        head += f", meant to begin on {plan.starts:%Y-%m-%d %H:%M %Z}{past}"
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
    what = {"seat": "seat", "card": "card node", "hub": "hub"}.get(resource.setting("role"), resource.kind)
    spot = " spot" if resource.setting("spot") == "True" else ""
    return what, ", else ".join(sizes) + spot, ", ".join(zones), f"{resource.hours:g}"


def counted(words: list[str]) -> str:
    """Return ``3 ready, 1 failed`` for a list of states."""
    return ", ".join(f"{number} {word}" for word, number in sorted(Counter(words).items()))


_STEPS = {"planned": 0, "intent": 1, "created": 2, "ready": 3, "failed": 3}
_MOST_BARS = 40


@contextmanager
def progress(names: Sequence[str], name: str, *, steps: int = 3) -> Iterator[Callable[[str, int], None]]:
    """Show a bar for each of the names on a terminal, and a line when one is complete elsewhere.

    With more than forty names the single bars would run off the screen: then there is one for all of them.

    Args:
        names: students, or hosts.
        name: what is being done.
        steps: how many steps complete a bar.

    Yields:
        a function to call with a name and its steps so far, from any thread.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    lock, so_far = threading.Lock(), dict.fromkeys(names, 0)
    if not console.is_terminal:

        def line(key: str, step: int) -> None:
            with lock:
                if key in so_far and so_far[key] < steps <= step:
                    say(f"  done    {name} {key}")
                so_far[key] = step

        yield line
        return
    name_ = TextColumn("  {task.description}", markup=False)  # keys may be tags that somebody wrote
    columns = (name_, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        total = bars.add_task(name, total=len(names) * steps)
        single = names if len(names) <= _MOST_BARS else ()
        rows: dict[str, TaskID] = {key: bars.add_task(key, total=steps) for key in single}

        def move(key: str, step: int) -> None:
            with lock:
                if key not in so_far:
                    return
                so_far[key] = step
                if key in rows:
                    bars.update(rows[key], completed=step)
                bars.update(total, completed=sum(so_far.values()))

        yield move


@contextmanager
def apply_progress(plan: Plan) -> Iterator[Callable[[Event], None]]:
    """Show an apply: a bar for each student, and one for each shared thing; yields the listener for it."""
    owner = {r.key: r.student or r.key for r in plan.resources}
    names = list(dict.fromkeys(owner.values()))
    size = Counter(owner.values())
    state: dict[str, int] = {}
    with progress(names, f"cohort {plan.cohort}", steps=300) as move:

        def listen(event: Event) -> None:
            name = owner.get(event.key)
            if name is None:
                return
            state[event.key] = _STEPS.get(event.state, 0)
            done = sum(step for key, step in list(state.items()) if owner[key] == name)
            move(name, 100 * done // size[name])

        yield listen


@contextmanager
def configure_progress(hosts: Sequence[str]) -> Iterator[Callable[[Task], None]]:
    """Show a run of Ansible: for each host its count of tasks and the last one; yields the listener.

    Nobody knows how many tasks a host will have, so that the lines move without an end; elsewhere than on a
    terminal only what fails is told.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:

        def line(task: Task) -> None:
            if task.result != "ok":
                say(f"  {task.result} {task.host}: {task.name}")

        yield line
        return
    single = hosts if len(hosts) <= _MOST_BARS else ()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:g} tasks"))
    last = TextColumn("{task.fields[last]}", style="dim", markup=False)
    with Progress(*columns, last, console=console) as bars:
        total = bars.add_task(f"{len(hosts)} hosts", total=None, last="")
        rows = {host: bars.add_task(host, total=None, last="") for host in single}

        def listen(task: Task) -> None:
            bars.update(total, advance=1)
            if task.host in rows:
                shown = task.name if task.result == "ok" else f"{task.result}: {task.name}"
                bars.update(rows[task.host], advance=1, last=shown)

        yield listen
