"""What a device under pynq is, in words."""

from __future__ import annotations

from typing import Any

from fpgaclass.card.timeline import Timeline


def kind_of(device: Any) -> str:
    """Return ``"virtual"`` for a device that runs RTL, ``"real"`` for hardware."""
    return "virtual" if isinstance(getattr(device, "timeline", None), Timeline) else "real"
