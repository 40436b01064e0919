"""Ctrl-C that comes at a bad moment: put off to a better one, or raised though Python dropped it.

Python turns Ctrl-C, a notebook's "interrupt", into an exception between any two steps of the main thread. One
that came while a lock is held, a register is half written or a module half imported would leave something
that nobody can use until the kernel restarts: ``Uninterrupted`` puts it off. One that came in the callback of
a weak reference or in a finaliser, of which TensorFlow runs thousands while a model is traced, is printed and
dropped: two presses in a hundred would do nothing, and a build would go on for its minutes.
``heeding_interrupts`` raises those at the next stage.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

_STRETCH_S = 0.05
_pressed = threading.Event()


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


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Within the block, or the function that this decorates, remember Ctrl-C until it has ended the work.

    Only the main thread is interrupted; in others, and where Ctrl-C is ignored, this does nothing.

    Raises:
        KeyboardInterrupt: at the next ``stage``, or at the end, for a Ctrl-C that was dropped.

    Example:
        >>> with heeding_interrupts():
        ...     pass
    """
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if in_main else None
    if not callable(handler):
        yield
        return
    given = handler

    def note(number: int, frame: FrameType | None) -> None:
        _pressed.set()
        given(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
        raise_dropped_interrupt()
    finally:
        signal.signal(signal.SIGINT, handler)
        _pressed.clear()


def raise_dropped_interrupt() -> None:
    """Raise a Ctrl-C that was pressed and has not ended the work.

    Raises:
        KeyboardInterrupt: there was one, and this is the main thread.
    """
    if _pressed.is_set() and threading.current_thread() is threading.main_thread():
        _pressed.clear()
        raise KeyboardInterrupt
