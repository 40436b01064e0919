"""Work side by side: the first failure ends the programs of all the others.

The programs that ``run_tool`` starts belong to the group in whose context they were started. A group within
a group ends with the outer one; the outermost lets as many programs run at once as there are processors, and
three at least: beside two long ones a third may be the one that fails at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar, overload

from fpgaclass.core.errors import StoppedError
from fpgaclass.core.interrupts import raise_dropped_interrupt

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")


@overload
def together(one: Callable[[], T], two: Callable[[], U], /) -> tuple[T, U]: ...
@overload
def together(one: Callable[[], T], two: Callable[[], U], three: Callable[[], V], /) -> tuple[T, U, V]: ...
@overload
def together(*jobs: Callable[[], T]) -> tuple[T, ...]: ...
def together(*jobs: Callable[[], Any]) -> tuple[Any, ...]:
    """Run jobs in threads and return their results in order; the first that fails stops the others.

    Raises:
        Exception: what the first failing job raised, once the programs of the others are ended.
        KeyboardInterrupt: Ctrl-C was pressed before, and dropped (``heeding_interrupts``).

    Example:
        >>> together(lambda: 1, lambda: 2)
        (1, 2)
    """
    raise_dropped_interrupt()
    group = _Group(_current.get())
    token = _current.set(group)
    try:
        with ThreadPoolExecutor(max(1, len(jobs))) as pool:
            try:
                futures: list[Future[Any]] = [pool.submit(copy_context().run, job) for job in jobs]
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            except BaseException:
                group.stop()
                raise
            failed = [future for future in futures if future in done and future.exception()]
            if failed:
                group.stop()
                wait(futures)
                errors = [error for future in failed if (error := future.exception())]
                # A job that was stopped from outside says less than the one that stopped it.
                raise min(errors, key=lambda error: isinstance(error, StoppedError))
        return tuple(future.result() for future in futures)
    finally:
        _current.reset(token)


@contextmanager
def running(start: Callable[[], subprocess.Popen[str]]) -> Iterator[subprocess.Popen[str]]:
    """Start a program within the present group, when it is its turn; end it if the block fails.

    Raises:
        StoppedError: another job of the group failed before or while the program ran.
    """
    group = _current.get()
    with group.slots if group else nullcontext():
        process = group.start(start) if group else start()
        try:
            yield process
        except BaseException:
            _end(process)
            raise
        finally:
            if group:
                group.forget(process)
        if group and group.stopped:
            raise StoppedError("stopped, since another part of the work failed")


class _Group:
    """The programs that end together."""

    def __init__(self, parent: _Group | None) -> None:
        self.stopped = False
        self.slots: threading.Semaphore = (
            parent.slots if parent else threading.Semaphore(max(3, os.cpu_count() or 1))
        )
        self._parent = parent
        self._lock: Any = parent._lock if parent else threading.RLock()
        self._processes: set[subprocess.Popen[str]] = set()
        self._inner: list[_Group] = []
        if parent:
            with self._lock:
                self.stopped = parent.stopped
                parent._inner.append(self)

    def start(self, start: Callable[[], subprocess.Popen[str]]) -> subprocess.Popen[str]:
        with self._lock:
            if self.stopped:
                raise StoppedError("stopped, since another part of the work failed")
            process = start()
            self._processes.add(process)
            return process

    def forget(self, process: subprocess.Popen[str]) -> None:
        with self._lock:
            self._processes.discard(process)

    def stop(self) -> None:
        with self._lock:
            self.stopped = True
            for process in self._processes:
                _end(process)
            for group in self._inner:
                group.stop()


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a program and what it started: it leads a process group of its own."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


_current: ContextVar[_Group | None] = ContextVar("_current", default=None)
