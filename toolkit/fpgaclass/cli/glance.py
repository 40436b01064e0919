"""`fpgaclass class status`: the class at a glance, in a terminal."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fpgaclass import classroom
from fpgaclass.cli import coursework
from fpgaclass.cli.options import CoursePath, Json, State, find_class

if TYPE_CHECKING:
    from fpgaclass.classroom.service.glance import Glance, LabView, Row

app = typer.Typer(name="class", help="The people of the class.", no_args_is_help=True)
for _verb in coursework.VERBS:
    app.command()(_verb)

_SIGNS = {
    "untouched": ("·", "dim"),
    "passed": ("✓", "green"),
    "failing": ("×", "yellow"),
    "stuck": ("!", "bold red"),
}


@app.command()
def status(course: CoursePath = None, state: State = None, as_json: Json = False) -> None:
    """Show who is where, who is stuck, what came in and what has been graded."""
    glance = classroom.glance(find_class(course, state), state)
    if as_json:
        print(json.dumps(asdict(glance), indent=2, default=_plain))
        return
    console = Console()
    for lab in glance.labs:
        console.print(_heading(glance, lab), style="bold", soft_wrap=True)
        console.print(_table(glance, lab))
        if lab.stuck:
            console.print(f"stuck: {', '.join(lab.stuck)}", style="bold red")
        for board in lab.boards:
            best = ", ".join(f"{place.student} {place.value:.4g}" for place in board.places[:3])
            console.print(f"{board.figure}, the {board.best} wins: {best} {board.unit}".rstrip())
    _print_cards(console, glance)
    console.print("As last saved: ✓ passes  × fails  ! stuck for ten minutes  · not run")


def _print_cards(console: Console, glance: Glance) -> None:
    for card in glance.cards.cards:
        state = (
            f"out of use: {card.note}" if card.note else f"held by {card.holder}" if card.holder else "free"
        )
        waiting = f"; waiting: {', '.join(card.waiting)}" if card.waiting else ""
        console.print(f"card {card.name}: {state}{waiting}")
    if glance.cards.waiting:
        console.print(f"waiting for a card: {', '.join(glance.cards.waiting)}")
    if glance.cards.trouble:
        console.print(f"the cards cannot be seen: {glance.cards.trouble}")


def _heading(glance: Glance, lab: LabView) -> Text:
    due = lab.due.astimezone(ZoneInfo(glance.timezone)) if lab.due else None
    title = f"{lab.name}: {lab.submitted} of {len(lab.rows)} submitted, {lab.graded} graded"
    title += f", {lab.ungraded} to grade" if lab.ungraded else ""
    title += f", {lab.by_hand} to mark by hand" if lab.by_hand else ""
    title += f", due {due:%a %d %b %H:%M} ({glance.timezone})" if due else ""
    return Text(title + ("" if lab.is_open else ", closed"))


def _table(glance: Glance, lab: LabView) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("student")
    table.add_column(f"{len(lab.checks)} checks")
    for heading in ("passing", "saved", "submitted", "mark"):
        table.add_column(heading, justify="right")
    for row in lab.rows:
        cells = Text()
        for cell in row.cells:
            cells.append(*_SIGNS[cell])
        table.add_row(row.student, cells, f"{row.passed}/{len(lab.checks)}", *_words(row, glance))
    return table


def _words(row: Row, glance: Glance) -> tuple[str, str, str]:
    zone = ZoneInfo(glance.timezone)
    saved = f"{row.saved.astimezone(zone):%d %b %H:%M}" if row.saved else ""
    sent = f"{row.submitted.when_utc.astimezone(zone):%d %b %H:%M}" if row.submitted else ""
    mark = f"{row.mark.score:g}/{row.mark.max_score:g}" if row.mark and row.mark.score is not None else ""
    return saved, sent + (" late" if row.late else ""), mark


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
