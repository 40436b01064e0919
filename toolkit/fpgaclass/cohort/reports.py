"""What the verbs found, as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from fpgaclass.cohort.applied import Applied
from fpgaclass.cohort.costs import Cost
from fpgaclass.cohort.database import now
from fpgaclass.cohort.differences import Changes
from fpgaclass.cohort.leases import Card, Lease, Waiting, Window
from fpgaclass.cohort.playbook import Configured
from fpgaclass.cohort.port import printable
from fpgaclass.cohort.seat import NO_KEY, SeatView
from fpgaclass.cohort.show import counted
from fpgaclass.cohort.sweeping import Swept
from fpgaclass.cohort.verbs import Status

if TYPE_CHECKING:
    from fpgaclass.cohort.providers.aws.images import CardImage

_SENTENCES = ("note", "why", "why not", "how to connect", "what")
_COLOURS = {
    **dict.fromkeys(("ready", "active", "available", "well"), "green"),
    **dict.fromkeys(("pending", "created", "intent", "planned", "leaving", "booked", "waiting"), "yellow"),
    **dict.fromkeys(("failed", "missing", "stopped", "unavailable", "unknown", "not reached"), "red"),
}


def applied_table(done: Applied, timezone: str) -> RenderableType:
    """Return an apply's end: the inventory, what was done, and what is wrong with it."""
    table = _table("machine", "state", "size", "zone", "address")
    for row in done.rows:
        if row.kind == "machine" and row.state != "deleted":
            table.add_row(row.key, _state(row.state), row.size, row.zone, row.address)
    did = f"{len(done.made)} made, {len(done.adopted)} found from before, {len(done.removed)} surplus removed"
    lines: list[RenderableType] = [table, Text("")]
    lines.append(Text(f"{did}; now {counted([row.state for row in done.rows])}"))
    lines.append(Text(f"everything ends {_when(done.ends, timezone)} {timezone}"))
    lines += [Text(f"note: {note}", style="yellow") for note in done.notes]
    for failure in done.failed:
        lines.append(Text(f"failed  {failure.key} ({failure.kind}): {failure.what}", style="red"))
    for key in done.strays:
        lines.append(Text(f"stray   {key}: in no plan any more; --prune removes it", style="yellow"))
    return Group(*lines)


def changes_text(found: Changes, *, prune: bool = False) -> str:
    """Return in a line or two what an apply would do to a cohort that is there."""

    def named(keys: Sequence[str]) -> str:
        more = f" and {len(keys) - 8} more" if len(keys) > 8 else ""
        return f" ({', '.join(keys[:8])}{more})" if keys else ""

    lines = [f"as the state knows it: {len(found.there)} there, {len(found.new)} to make{named(found.new)}"]
    if found.gone:
        does = (
            "--prune removes them, and all work on them"
            if prune
            else "they stay, and go on costing; --prune removes them"
        )
        lines.append(f"in the plan no more: {len(found.gone)}{named(found.gone)}; {does}")
    lines += [f"note: {note}" for note in found.notes]
    return "\n".join(lines)


def status_table(found: Status, timezone: str = "UTC") -> RenderableType:
    """Return what the state says against what is there, resource by resource."""
    table = _table("what", "state", "in the cloud", "size", "zone", "address", "note")
    there = {thing.marker.key: thing for thing in found.found}
    for row in found.rows:
        if row.state == "deleted" and row.key not in there:
            continue
        thing = there.get(row.key)
        seen = thing.status if thing else "missing" if row.key in found.missing else "-"
        address = row.address or (thing.address if thing else "")
        said = row.error or (str(thing.trouble) if thing and thing.trouble else "")
        table.add_row(row.key, _state(row.state), _state(seen), row.size, row.zone, address, said)
    for key in found.unknown:
        thing = there[key]
        table.add_row(key, _state("unknown"), _state(thing.status), thing.size, thing.zone, thing.address)
    if found.cohort is None:
        head = "this state does not know the cohort; nothing was applied from here"
        return Group(Text(head), table) if found.found else Text(head)
    cohort = found.cohort
    word = "ended" if cohort.expires <= now() else "ends"
    ends = "" if cohort.phase == "destroyed" else f", {word} {_when(cohort.expires, timezone)} {timezone}"
    head = f"cohort {cohort.name} on {cohort.provider}: {cohort.phase}{ends}"
    if not table.row_count:
        return Text(head, style="bold")
    lines: list[RenderableType] = [Text(head, style="bold"), table]
    if found.missing:
        remedy = "destroy, then apply" if word == "ended" else "apply makes them anew"
        lines.append(Text(f"missing: {', '.join(found.missing)}; {remedy}", style="red"))
    for status, remedy in (("failed", "apply makes it anew"), ("stopped", "start it at the provider's")):
        if keys := [key for key, thing in there.items() if thing.status == status]:
            lines.append(Text(f"{status}: {', '.join(keys)}; {remedy}", style="red"))
    if found.unknown:
        lines.append(Text(f"unknown to this state: {', '.join(found.unknown)}", style="yellow"))
    return Group(*lines)


def cost_table(found: Cost) -> RenderableType:
    """Return what a cohort costs, by student; every figure is an estimate."""
    table = _table("student", f"so far, {found.currency} (estimate)")
    table.columns[1].justify = "right"
    for login, amount in found.by_student:
        table.add_row(login or "shared", f"{amount:.2f}")
    total = (
        f"cohort {found.cohort}: {found.so_far:.2f} {found.currency} so far, {found.an_hour:.2f} an hour, "
        f"{found.until_end:.2f} at its end if everything stays (estimates)"
    )
    return Group(table, Text(""), Text(total, style="bold"))


def swept_table(found: Swept, *, dry_run: bool = False) -> RenderableType:
    """Return what a sweep removed, or would remove, and what it left alone."""
    table = _table("", "cohort", "kind", "what", "id")
    word = "would go" if dry_run else "removed"
    for entry in found.removed:
        table.add_row(Text(word, style="red" if dry_run else "green"), *entry)
    for entry in found.strangers:
        table.add_row(Text("not ours?", style="yellow"), *entry)
    lines: list[RenderableType] = [table] if table.row_count else []
    lines.append(Text(f"{len(found.removed)} {word}; {found.living} of living cohorts left alone"))
    if found.strangers:
        note = "not ours?: it has not expired, and its cohort is not in this state; --strangers removes it"
        lines.append(Text(note, style="yellow"))
    return Group(*lines)


def configured_table(done: Configured) -> RenderableType:
    """Return what a run of Ansible did on each host."""
    table = _table("host", "state", "ok", "changed", "why not")
    for host in done.hosts:
        state = _state("failed" if host.failed else "ready")
        table.add_row(host.host, state, str(host.ok), str(host.changed), host.failed)
    return Group(
        table,
        Text(f"\n{len(done.hosts)} host{'s' * (len(done.hosts) != 1)} in {done.seconds:.0f} s (measured)"),
    )


def leases_table(
    leases: Sequence[Lease],
    queue: Sequence[Waiting],
    timezone: str,
    *,
    cards: Sequence[Card] = (),
    lost: Sequence[Lease] = (),
) -> RenderableType:
    """Return bookings by time, the waiting list, the cards out of use, and bookings that were taken away."""
    table = _table("id", "student", "card", f"from ({timezone})", "to", "state", "note")
    for lease in leases:
        begins, ends = _when(lease.begins, timezone), _until(lease, timezone)
        table.add_row(
            lease.identity, lease.student or "-", lease.card, begins, ends, _state(lease.state), lease.note
        )
    lines: list[RenderableType] = [table] if table.row_count else []
    if queue:
        places = ", ".join(f"{x.place} {x.student}" + f" ({x.slots} slots)" * (x.slots > 1) for x in queue)
        lines.append(Text(printable(f"waiting, by place: {places}"), style=_COLOURS["waiting"]))
    lines += [Text(f"{x.name} is out of use: {x.note}", style="red") for x in cards if not x.healthy]
    lines += [Text(printable(line), style="yellow") for line in _lost(lost, timezone)]
    with_more = {lease.student for lease in leases} | {place.student for place in queue}
    if without := sorted({lease.student for lease in lost} - with_more):
        lines.append(Text(f"nothing instead: {', '.join(without)}", style="red"))
    return Group(*lines) if lines else Text("nothing is booked, and nobody waits")


def _lost(lost: Sequence[Lease], timezone: str) -> list[str]:
    """Return who lost which bookings, by card and reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for lease in lost:
        had = f"{lease.student} {_when(lease.begins, timezone)}"
        groups.setdefault((lease.card, lease.note), []).append(had)
    return [f"taken away on {card} ({note}): {', '.join(had)}" for (card, note), had in groups.items()]


def moved_table(
    moved: Sequence[Lease], instead: Sequence[Lease | Waiting | None], timezone: str
) -> RenderableType:
    """Return whose bookings had to give way, and what they have instead: nobody else tells them."""
    table = _table("student", f"had ({timezone})", "has now")
    for lease, now_ in zip(moved, instead, strict=True):
        has = f"place {now_.place} of the waiting list" if isinstance(now_, Waiting) else "nothing"
        if isinstance(now_, Lease):
            has = f"{now_.card} {_when(now_.begins, timezone)}"
        table.add_row(lease.student, f"{lease.card} {_when(lease.begins, timezone)}", has)
    return table if moved else Text("no booking had to give way")


def seats_table(seats: Sequence[SeatView], timezone: str) -> RenderableType:
    """Return the seats of a class, one line for each student."""
    table = _table("student", "machine", "card", f"when ({timezone})", "how to connect")
    for seat in seats:
        card, when = "-", ""
        if seat.lease:
            card = seat.lease.card
            when = f"{_when(seat.lease.begins, timezone)} to {_until(seat.lease, timezone)}"
        elif seat.waiting:
            when = f"waiting, place {seat.waiting.place}"
        machine = seat.connect or _state(seat.machine)
        table.add_row(seat.student, machine, card, when, seat.card_connect)
    ends = {seat.ends for seat in seats if seat.ends}
    lines: list[RenderableType] = [table]
    if without := [seat.student for seat in seats if seat.connect and not seat.key]:
        lines.append(Text(f"\n{', '.join(without)}: {NO_KEY}", style="yellow"))
    if ends:
        lines.append(Text(f"\neverything ends {_when(max(ends), timezone)} {timezone}"))
    return Group(*lines)


def images_table(images: Sequence[CardImage], timezone: str) -> RenderableType:
    """Return the FPGA images of an AWS account."""
    table = _table("load as", "name", "state", f"made ({timezone})", "image", "why")
    for image in images:
        made = _when(image.made, timezone) if image.made else ""
        table.add_row(image.load_as, image.name, _state(image.state), made, image.identity, image.why)
    return table if images else Text("the account has no FPGA images in this region")


def windows_table(windows: Sequence[Window], timezone: str) -> RenderableType:
    """Return the site's leases of a cohort's cards."""
    table = _table("site's lease", f"from ({timezone})", "to", "state")
    for window in windows:
        begins, ends = _when(window.begins, timezone), _when(window.ends, timezone)
        table.add_row(window.identity, begins, ends, window.status.lower())
    kept = "students take turns inside; outside the cards are blocked" if windows else "the cards are blocked"
    return Group(table, Text(f"\n{kept}")) if windows else Text(f"the site leases us nothing; {kept}")


class _Table(Table):
    """A table without lines, which leaves out columns that have nothing in them.

    Its cells hold what clouds, hosts and rosters say: text, whatever a terminal or rich would take it for.
    """

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row; a text is shown as it is."""
        super().add_row(*(Text(printable(c)) if isinstance(c, str) else c for c in cells), **options)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        kept = [column for column in self.columns if not self.row_count or any(map(str, column.cells))]
        shown = Table(box=None, pad_edge=False)
        for column in kept:
            shown.add_column(
                column.header,
                justify=column.justify,
                overflow=column.overflow,
                no_wrap=column.no_wrap,
                min_width=column.min_width,
            )
        for cells in zip(*(column.cells for column in kept), strict=True):
            shown.add_row(*cells)
        yield shown


def _table(*columns: str) -> Table:
    table = _Table(box=None, pad_edge=False)
    for column in columns:
        # Where it is tight, sentences are broken, and not addresses.
        broken = column in _SENTENCES
        table.add_column(column, overflow="fold", no_wrap=not broken, min_width=10 if broken else None)
    return table


def _state(word: str) -> Text:
    return Text(word, style=_COLOURS.get(word, ""))


def _until(lease: Lease, timezone: str) -> str:
    """Return the end of a time: the hour alone, where the day cannot be mistaken."""
    end = _when(lease.ends, timezone)
    return end[-5:] if lease.ends - lease.begins < timedelta(hours=24) else end


def _when(when: datetime, timezone: str) -> str:
    return f"{when.astimezone(ZoneInfo(timezone)):%a %d %b %H:%M}"
