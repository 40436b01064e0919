"""A simulator shared by runs in a thread of their own and by register accesses that fall between."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fpgaclass.core import CardError, Uninterrupted

# A run gives way to register accesses about this often.
_TURN_S = 2e-3
_FIRST_TURN, _LEAST_TURN = 1 << 14, 1 << 10


class Turns:
    """Who may use a simulator when.

    Runs are taken in order by one thread, a stretch of clocks at a time; a visitor (a register access) comes
    in between two stretches, as accesses fall into a run on a card.

    Args:
        name: of what runs, for messages and the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        # A visitor holds the door while it waits for the room, so that a run cannot shut it out.
        self._door, self._room = threading.Lock(), threading.Lock()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._turn = _FIRST_TURN

    @contextmanager
    def visit(self) -> Iterator[None]:
        """Have the simulator to oneself, from any thread; Ctrl-C waits until the visit is over."""
        with Uninterrupted(), self._door, self._room:
            yield

    def submit(self, job: Callable[[], None]) -> None:
        """Queue a job, which must not raise."""
        with Uninterrupted():
            if self._thread is None or not self._thread.is_alive():  # threads do not survive a fork
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._jobs.put(job)

    def run(self, advance: Callable[[int], bool]) -> None:
        """Call ``advance(clocks)`` in turns until it returns True; from a job.

        Raises:
            CardError: ``close`` was called meanwhile, or what ``advance`` raises.
        """
        while True:
            with self._door:
                pass
            with self._room:
                started = time.perf_counter()
                ended = advance(self._turn)
                taken = time.perf_counter() - started
            if ended:
                return
            self.ensure_open()
            if taken < _TURN_S / 2:
                self._turn *= 2
            elif taken > _TURN_S * 2:
                self._turn = max(_LEAST_TURN, self._turn // 2)

    def ensure_open(self) -> None:
        """Raise if the simulator's card was freed or programmed again."""
        # Ctrl-C inside is_alive() of a thread that lives marks it as ended for good (Python 3.11): the main
        # thread, where it arrives, does not ask for itself.
        main = threading.main_thread()
        if self._closed or not (threading.current_thread() is main or main.is_alive()):
            what = f"{self._name} was stopped: the card was freed or programmed again"
            raise CardError(what, next_step="open the overlay again")

    def close(self) -> None:
        """Stop what runs and end the thread."""
        self._closed = True
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
