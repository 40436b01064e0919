"""The end of memory is seen before it is reached: beyond it there is no error, only a dead process."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from fpgaclass.card import Bank
from fpgaclass.card.machine_memory import free_memory
from fpgaclass.card.memory import CardMemory

_MEMINFO = "MemTotal:  8000 kB\nMemAvailable:    3000 kB\nHugePages_Total:       0\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A machine with 3,000 kB left."""
    folder = tmp_path / "proc"
    (folder / "self").mkdir(parents=True)
    (folder / "meminfo").write_text(_MEMINFO)
    return folder


def _group(folder: Path, limit: str, used: int, cache: int, version: int = 2) -> None:
    folder.mkdir(parents=True)
    names = {2: ("memory.max", "memory.current"), 1: ("memory.limit_in_bytes", "memory.usage_in_bytes")}
    for name, text in zip(names[version], (limit, str(used)), strict=True):
        (folder / name).write_text(text + "\n")
    (folder / "memory.stat").write_text(f"anon 5\n{'' if version == 2 else 'total_'}inactive_file {cache}\n")


def test_the_machines_own_memory(proc: Path, tmp_path: Path) -> None:
    """Without control groups it is what the machine has, and without anything nothing is refused."""
    assert free_memory(proc, tmp_path / "none") == 3000 * 1024
    assert free_memory(tmp_path / "none", tmp_path / "none") > 1 << 60
    assert free_memory() > 0


@pytest.mark.parametrize("version", [1, 2])
def test_the_narrowest_group_counts(proc: Path, tmp_path: Path, version: int) -> None:
    """A seat of a class lies in groups within groups, and caches of files do not count."""
    root = tmp_path / "cgroup"
    top = root if version == 2 else root / "memory"
    (proc / "self/cgroup").write_text("0::/class/ada\n" if version == 2 else "7:memory:/class/ada\n3:cpu:/\n")
    _group(top / "class", "2000000", 1_500_000, 100_000, version)
    _group(top / "class" / "ada", "max" if version == 2 else "1000000000", 1_400_000, 0, version)
    assert free_memory(proc, root) == 600_000


def test_a_buffer_that_this_machine_cannot_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card has room and the seat has none: pages are given when they are touched, and then it is late."""
    memory = CardMemory((Bank("bank0", 0x4000000000, 1 << 34, "DDR4"),))
    monkeypatch.setattr("fpgaclass.card.memory.free_memory", lambda: 100 << 20)
    with pytest.raises(MemoryError, match=r"104,857,600 bytes of memory left.*twice the 54,525,952.*Next"):
        memory.allocate(0, 52 << 20)
    memory.allocate(0, 50 << 20)


def test_a_page_lies_between_buffers() -> None:
    """A kernel that is given bytes for words runs past its buffer: into nothing, not into the results."""
    memory = CardMemory((Bank("bank0", 0x4000000000, 1 << 20, "DDR4"),))
    first, second, third = (memory.allocate(0, 5000) for _ in range(3))
    memory.give_back(0, second)
    fourth = memory.allocate(0, 8192)
    spans = sorted((one.address, one.address + 8192) for one in (first, third, fourth))
    assert [start - end for (_, end), (start, _) in pairwise(spans)] == [4096, 4096]
