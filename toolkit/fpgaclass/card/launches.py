"""Starting a kernel and waiting for it, as pynq does it through the runtime's scheduler."""

from __future__ import annotations

import asyncio
import ctypes
import time
from concurrent.futures import Future
from typing import Any

from fpgaclass.card.timeline import Timeline
from fpgaclass.core import Uninterrupted, wait_until


class CommandBuffer:
    """What pynq writes a launch into."""

    def __init__(self, size: int) -> None:
        self.memory = (ctypes.c_char * size)()
        self.future: Future[int] | None = None

    def as_packet(self, kind: Any) -> Any:
        """Return it as a packet of that ctypes structure."""
        return ctypes.cast(self.memory, ctypes.POINTER(kind))[0]


class VirtualWaitHandle:
    """What ``kernel.start`` returns."""

    def __init__(self, bo: CommandBuffer, future: Future[int], timeline: Timeline) -> None:
        self._bo, self._future, self._timeline = bo, future, timeline

    @property
    def _has_bo(self) -> bool:
        return not self.done

    @property
    def done(self) -> bool:
        """Whether the run has ended."""
        with Uninterrupted():
            return self._future.done()

    def wait(self) -> None:
        """Wait for the run's end.

        Raises:
            BusError, HungKernelError: what went wrong in it.
        """
        started = time.perf_counter()
        try:
            wait_until(self._ends_within)
        finally:
            self._timeline.waited(time.perf_counter() - started)

    async def wait_async(self) -> None:
        """Wait for the run's end in a coroutine."""
        with Uninterrupted():
            ended = asyncio.wrap_future(self._future)
        await ended

    def _ends_within(self, seconds: float) -> bool:
        try:
            self._future.result(seconds)
        except TimeoutError:
            return False
        return True
