"""What a person sees while work goes on: one line a stage, a bar for long loops.

On a terminal these are live (rich); elsewhere they are plain lines, so that a log stays readable.
Everything goes to stderr: stdout belongs to results.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")


def _console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print one line for the person who waits."""
    _console().print(escape(text))


def warn(text: str) -> None:
    """Print one line that the person should not miss."""
    _console().print(f"[yellow]warning[/]: {escape(text)}")


@contextmanager
def stage(name: str, waits_for: str = "") -> Iterator[None]:
    """Show a stage of work: its name, what it waits for, and at the end the seconds it took.

    Args:
        name: what is done, such as ``"synthesis"``.
        waits_for: the program or thing that takes the time, such as ``"yosys"``.
    """
    console = _console()
    label = f"{name} [dim]({escape(waits_for)})[/]" if waits_for else name
    started = time.monotonic()
    try:
        if console.is_terminal:
            with console.status(label):
                yield
        else:
            yield
    except BaseException:
        console.print(f"  [red]failed[/] {label} after {time.monotonic() - started:.1f} s")
        raise
    console.print(f"  [green]done[/]   {label} {time.monotonic() - started:.1f} s")


def track(items: Iterable[T], name: str, total: int | None = None) -> Iterator[T]:
    """Yield the items with a bar and the time left on a terminal, a closing line elsewhere."""
    console = _console()
    if total is None and isinstance(items, Sized):
        total = len(items)
    if not console.is_terminal:
        started, count = time.monotonic(), 0
        for item in items:
            yield item
            count += 1
        console.print(f"  done   {name}: {count} in {time.monotonic() - started:.1f} s")
        return
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        yield from progress.track(items, total=total, description=name)
