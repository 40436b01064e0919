"""Turns: a few at once, the others in the order in which they came, each knowing how many are before them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A queue of people.

    Args:
        at_once: how many have their turn at the same time.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self._busy: set[str] = set()
        self._waiting: dict[str, asyncio.Event] = {}

    def before(self, name: str) -> int:
        """Return how many people come before ``name``: 0 when it is their turn, or they do not wait."""
        waiting = list(self._waiting)
        return waiting.index(name) + 1 if name in waiting else 0

    @asynccontextmanager
    async def take(self, name: str) -> AsyncIterator[None]:
        """Wait for a turn, and hold it while the block runs."""
        event = self._waiting[name] = asyncio.Event()
        self._admit()
        try:
            await event.wait()
            yield
        finally:
            if self._waiting.get(name) is event:
                del self._waiting[name]
            if event.is_set():
                self._busy.discard(name)
            self._admit()

    def _admit(self) -> None:
        for name, event in list(self._waiting.items()):
            if len(self._busy) >= self.at_once:
                return
            self._busy.add(name)
            del self._waiting[name]
            event.set()
