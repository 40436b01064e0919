"""What a person sees while work goes on: one line a stage, a bar for long loops.

On a terminal these are live (rich); elsewhere they are plain lines, so that a log stays readable.
Everything goes to stderr: stdout belongs to results. Stages may run in several threads at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from fpgaclass.core.errors import StoppedError
from fpgaclass.core.interrupts import raise_dropped_interrupt

T = TypeVar("T")


def say(text: str) -> None:
    """Print one line for the person who waits."""
    _display.print(escape(text))


def warn(text: str) -> None:
    """Print one line that the person should not miss."""
    _display.print(f"[yellow]warning[/]: {escape(text)}")


@contextmanager
def stage(name: str, waits_for: str = "") -> Iterator[None]:
    """Show a stage of work: its name, what it waits for, and at the end the seconds it took.

    Args:
        name: what is done, such as ``"synthesis"``.
        waits_for: the program or thing that takes the time, such as ``"yosys"``.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed before, and dropped (``heeding_interrupts``).
    """
    raise_dropped_interrupt()
    label = f"{escape(name)} [dim]({escape(waits_for)})[/]" if waits_for else escape(name)
    started = time.monotonic()
    with _display.row(label):
        try:
            yield
        except (KeyboardInterrupt, StoppedError):
            _display.print(f"  [yellow]stopped[/] {label} after {time.monotonic() - started:.1f} s")
            raise
        except BaseException:
            _display.print(f"  [red]failed[/]  {label} after {time.monotonic() - started:.1f} s")
            raise
        _display.print(f"  [green]done[/]    {label} {time.monotonic() - started:.1f} s")


def track(items: Iterable[T], name: str, total: int | None = None) -> Iterator[T]:
    """Yield the items with a bar and the time left on a terminal, a closing line elsewhere."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    console = _console()
    if not console.is_terminal:
        started, count = time.monotonic(), 0
        for item in items:
            yield item
            count += 1
        console.print(f"  done    {escape(name)}: {count} in {time.monotonic() - started:.1f} s")
        return
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        yield from progress.track(items, total=total, description=escape(name))


def _console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


class _Display:
    """The spinner rows of the stages that run now; one live display serves all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: Progress | None = None
        self._rows = 0

    def print(self, text: str) -> None:
        live = self._live
        (live.console if live else _console()).print(text)

    @contextmanager
    def row(self, label: str) -> Iterator[None]:
        console = _console()
        if not console.is_terminal:
            yield
            return
        with self._lock:
            if self._live is None:
                columns = (
                    TextColumn(" "),
                    SpinnerColumn(),
                    TextColumn("{task.description}"),
                    TimeElapsedColumn(),
                )
                self._live = Progress(*columns, console=console, transient=True)
                self._live.start()
            live, task = self._live, self._live.add_task(label, total=None)
            self._rows += 1
        try:
            yield
        finally:
            with self._lock:
                live.remove_task(task)
                self._rows -= 1
                if self._rows == 0:
                    live.stop()
                    self._live = None


_display = _Display()
