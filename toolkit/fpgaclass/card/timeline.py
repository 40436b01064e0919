"""What a virtual card did and how long a card would have taken for it."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Literal

Source = Literal["simulated", "modelled"]
KEPT = 10_000


@dataclass(frozen=True)
class Event:
    """One thing that a card did.

    Attributes:
        kind: one of ``"to device"``, ``"from device"``, ``"registers"``, ``"launch"``, ``"kernel"`` and
            ``"program"``.
        seconds: that it takes on the modelled card; not the time that this machine needed.
        source: ``"simulated"`` (cycles over the clock) or ``"modelled"`` (constants of the link).
        amount: bytes of a transfer, cycles of a kernel, accesses of registers.
        unit: the compute unit, where there is one.
    """

    kind: str
    seconds: float
    source: Source
    amount: int
    unit: str = ""


@dataclass(frozen=True)
class Totals:
    """Seconds since the card was made.

    Attributes:
        link_s: modelled: transfers, register accesses and launches.
        kernel_s: simulated: cycles over the clock.
        kernel_cycles: simulated.
        emulation_s: measured: what this machine spent on being the card. Less it, wall time is the host's.
    """

    link_s: float = 0.0
    kernel_s: float = 0.0
    kernel_cycles: int = 0
    emulation_s: float = 0.0

    def since(self, earlier: Totals) -> Totals:
        """Return what came after ``earlier``."""
        return Totals(
            self.link_s - earlier.link_s,
            self.kernel_s - earlier.kernel_s,
            self.kernel_cycles - earlier.kernel_cycles,
            self.emulation_s - earlier.emulation_s,
        )


class Timeline:
    """The last events of a card, and totals of all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.events: deque[Event] = deque(maxlen=KEPT)
        self._totals = Totals()

    def add(self, event: Event, emulation_s: float = 0.0) -> None:
        """Record an event, and the seconds that this machine took for it."""
        with self._lock:
            self.events.append(event)
            old = self._totals
            is_kernel = event.kind == "kernel"
            is_link = event.source == "modelled" and event.kind != "program"
            self._totals = Totals(
                old.link_s + event.seconds * is_link,
                old.kernel_s + event.seconds * is_kernel,
                old.kernel_cycles + event.amount * is_kernel,
                old.emulation_s + emulation_s,
            )

    def waited(self, emulation_s: float) -> None:
        """Record time that the caller spent waiting for the emulated card."""
        with self._lock:
            old = self._totals
            self._totals = Totals(old.link_s, old.kernel_s, old.kernel_cycles, old.emulation_s + emulation_s)

    @property
    def totals(self) -> Totals:
        """Totals as of now."""
        return self._totals
