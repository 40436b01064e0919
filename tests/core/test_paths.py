"""Files that are there whole or not at all, whatever kills whom."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fpgaclass.core import FpgaClassError, atomic_directory, cache_directory, held_lock

_UNFINISHED = """
import sys, time
from pathlib import Path
from fpgaclass.core import atomic_directory, held_lock
with held_lock(Path(sys.argv[1]) / "it.lock"), atomic_directory(Path(sys.argv[1]) / "it") as scratch:
    (scratch / "half").touch()
    print("there", flush=True)
    time.sleep(60)
"""


def _unfinished(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _UNFINISHED, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


def test_what_a_killed_process_left_goes_and_what_a_live_one_writes_stays(tmp_path: Path) -> None:
    """A kernel is killed in a build: the cache must not fill with halves, and a neighbour's must stay."""
    killed, alive = _unfinished(tmp_path), _unfinished(tmp_path / "other")
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert [path.name for path in tmp_path.glob(".*/half")], "the kill leaves a scratch folder"
        with atomic_directory(tmp_path / "next") as scratch:
            (scratch / "whole").touch()
        with atomic_directory(tmp_path / "other" / "next"):
            pass
        left = sorted(path.name for path in tmp_path.iterdir())
        assert left == ["it.lock", "next", "other"], "the lock's file stays, held by nobody"
        assert list((tmp_path / "other").glob(".*/half")), "its owner lives"
        asked = []
        with held_lock(tmp_path / "it.lock", lambda: asked.append(1)):
            pass
        assert asked == [], "a dead holder holds nothing"
        assert not (tmp_path / "it.lock").exists()
    finally:
        alive.kill()
        alive.wait()


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    """Half a result that looks whole would be found for ever."""
    with pytest.raises(RuntimeError), atomic_directory(tmp_path / "it") as scratch:  # noqa: PT012
        (scratch / "half").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_one_at_a_time_holds_a_lock(tmp_path: Path) -> None:
    """Four processes add ten each to a number, read and written apart: each must see the last one's."""
    number = tmp_path / "number"
    number.write_text("0")
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom fpgaclass.core import held_lock\n"
        "here = Path(sys.argv[1])\n"
        "for _ in range(10):\n"
        "    with held_lock(here / 'the.lock'):\n"
        "        was = int((here / 'number').read_text()); time.sleep(0.002)\n"
        "        (here / 'number').write_text(str(was + 1))\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(4)]
    assert [worker.wait(60) for worker in workers] == [0] * 4
    assert number.read_text() == "40"
    assert not (tmp_path / "the.lock").exists()


def test_the_second_waits_and_says_so(tmp_path: Path) -> None:
    """A cell that hangs without a word looks broken."""
    holder = _unfinished(tmp_path)
    try:
        said: list[float] = []

        def waiting() -> None:
            said.append(time.monotonic())
            os.kill(holder.pid, signal.SIGKILL)

        with held_lock(tmp_path / "it.lock", waiting):
            assert len(said) == 1
    finally:
        holder.kill()
        holder.wait()


def test_a_folder_that_cannot_be_made_is_named_with_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error in a variable is not worth a traceback."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FPGACLASS_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(FpgaClassError, match=r"no folder can be made: Not a directory .*FPGACLASS_CACHE"):
        cache_directory()
