"""Ctrl-C waits for the end of what must not be done by half.

A notebook's "interrupt" is a KeyboardInterrupt between any two steps of Python. One that came while a lock is
held, or while a register is half written, would leave a card that nobody can use until the kernel restarts.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

_STRETCH_S = 0.05


class Uninterrupted:
    """Put Ctrl-C off to the end of a ``with`` block.

    Only the main thread of a program is interrupted; in others this does nothing.

    Example:
        >>> with Uninterrupted():
        ...     pass
    """

    def __init__(self) -> None:
        self._handler: Any = None
        self._came = False

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.getsignal(signal.SIGINT)
            if self._handler is not None:  # else a program in C has set it
                signal.signal(signal.SIGINT, self._note)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            if self._came:
                signal.raise_signal(signal.SIGINT)

    def _note(self, *_: Any) -> None:
        self._came = True


def wait_until(happens: Callable[[float], bool]) -> None:
    """Wait for an event in short stretches, between which Ctrl-C arrives.

    An interrupt inside of Python's own waiting can keep the lock of what is waited for.

    Args:
        happens: waits for at most that many seconds, and says whether it has happened.
    """
    while True:
        with Uninterrupted():
            if happens(_STRETCH_S):
                return
