"""How much memory this process can still have: a virtual card's buffers are this machine's memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# Of a control group of the second and of the first version: limit, what is used, and in memory.stat what of
# that is a cache of files, which the system takes back.
_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def free_memory(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the bytes that this machine, and this process's control groups, have left.

    Who takes more is ended by the system without a word. Where nothing can be read the answer is huge.
    """
    left = [1 << 62]
    with suppress(OSError, ValueError, KeyError):
        lines = (line.split() for line in (proc / "meminfo").read_text().splitlines())
        left.append({words[0]: int(words[1]) for words in lines}["MemAvailable:"] * 1024)
    for folder, names in _folders(proc, groups):
        with suppress(OSError, ValueError, KeyError):
            left.append(_left_in(folder, *names))
    return max(0, min(left))


def _folders(proc: Path, groups: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Yield the control groups that this process is in, from its own to the root, with their files' names."""
    lines: list[str] = []
    with suppress(OSError):
        lines = (proc / "self/cgroup").read_text().splitlines()
    for line in lines:
        _, kind, path = line.split(":", 2)
        if kind in _FILES:
            folder = groups / kind / path.lstrip("/")
            for one in (folder, *folder.parents):
                if one == groups.parent:
                    break
                yield one, _FILES[kind]


def _left_in(folder: Path, limit: str, used: str, cache: str) -> int:
    most = int((folder / limit).read_text())  # "max" is no number: there is no limit
    stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    return most - int((folder / used).read_text()) + int(stat[cache])
