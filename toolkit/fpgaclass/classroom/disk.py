"""Room on the class's disk, and who has taken it.

A home has no limit of its own: that needs a quota of the file system, and root to set it. What can be told is
who to talk to, or whose server to stop, when the room is nearly gone.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fpgaclass.classroom.layout import Layout

_LOW_BYTES, _LOW_PART = 10_000_000_000, 0.1
_SECONDS = 5.0
_SHOWN = 3


def disk_words(layout: Layout, users: Iterable[str]) -> str | None:
    """Return how little room is left on the class's disk and who takes the most of it; None: there is enough.

    Example:
        >>> disk_words(Layout(Path("/"), "a", "b"), [])  # doctest: +SKIP
        '1.2 GB are left; the largest homes: ada 140 GB, emmy 0.3 GB'
    """
    here = shutil.disk_usage(layout.state)
    if here.free > min(_LOW_BYTES, _LOW_PART * here.total):
        return None
    names = list(users)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda name: _size(layout.home(name), layout.seat(name)), names)
        sizes = dict(zip(names, found, strict=True))
    largest = sorted(names, key=lambda name: -sizes[name])[:_SHOWN]
    told = ", ".join(f"{name} {_shown(sizes[name])}" for name in largest)
    return f"{here.free / 1e9:.1f} GB are left; the largest homes: {told or 'none'}"


def _size(*folders: Path) -> float:
    """Return the bytes that folders take; infinity for so many files that counting them takes too long."""
    there = [str(folder) for folder in folders if folder.is_dir()]
    if not there:
        return 0.0
    words = ["du", "-sxc", "--block-size=1", "--", *there]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return float("inf")
    last = done.stdout.split("\n")[-2:-1]
    return float(last[0].split()[0]) if last else 0.0


def _shown(size: float) -> str:
    return "(more files than can be counted)" if size == float("inf") else f"{size / 1e9:.1f} GB"
