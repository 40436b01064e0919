"""Calls to an API: not faster than it allows, repeated when it asks to wait or a read got lost."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from fpgaclass.cohort.errors import LostError, ThrottleError

T = TypeVar("T")


class Limiter:
    """Spaces calls evenly, over all threads.

    Args:
        calls_per_second: the rate to stay below.
        burst: calls that may go at once after a pause.
    """

    def __init__(self, calls_per_second: float, burst: int = 5) -> None:
        self._gap = 1.0 / calls_per_second
        self._burst = burst
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Return when the next call may go."""
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now - self._burst * self._gap)
            pause = self._next - now
            self._next += self._gap
        if pause > 0:
            time.sleep(pause)

    def back_off(self, seconds: float) -> None:
        """Hold every call for so long: the API has said that it is too much."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


class Caller:
    """Runs calls under a limiter.

    Args:
        calls_per_second: the rate to stay below.
        first_pause_s: the pause after the first refusal; it doubles, with some chance in it.
        tries: after so many the error is raised.
    """

    def __init__(self, calls_per_second: float, first_pause_s: float = 0.5, tries: int = 7) -> None:
        self.limiter = Limiter(calls_per_second)
        self._first_pause = first_pause_s
        self._tries = tries

    def read(self, call: Callable[[], T]) -> T:
        """Run a call that changes nothing; a lost answer is asked for again."""
        return self._run(call, (ThrottleError, LostError))

    def change(self, call: Callable[[], T]) -> T:
        """Run a call that changes something; a lost answer is the caller's to judge."""
        return self._run(call, (ThrottleError,))

    def _run(self, call: Callable[[], T], again: tuple[type[Exception], ...]) -> T:
        for attempt in range(self._tries):
            self.limiter.wait()
            try:
                return call()
            except again as trouble:
                if attempt == self._tries - 1:
                    raise
                pause = self._first_pause * 2**attempt * random.uniform(0.7, 1.3)
                if isinstance(trouble, ThrottleError):
                    self.limiter.back_off(pause)
                else:
                    time.sleep(min(pause, 2.0))
        raise AssertionError("unreachable")
