"""Work side by side: what ends when a part of it fails."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from fpgaclass.core import BuildError, StoppedError, run_tool, together


def _python(code: str, folder: Path) -> str:
    return run_tool([sys.executable, "-c", code], cwd=folder)


def test_a_failure_ends_the_programs_of_the_others_at_once(tmp_path: Path) -> None:
    """A build whose C++ does not compile must not wait for half a minute of synthesis."""
    started = time.monotonic()
    with pytest.raises(BuildError, match="exit code 3: error: no such luck"):
        together(
            lambda: together(lambda: _python("import time; time.sleep(300)", tmp_path)),
            lambda: _python("print('error: no such luck'); raise SystemExit(3)", tmp_path),
        )
    assert time.monotonic() - started < 100


def test_what_a_program_started_ends_with_it(tmp_path: Path) -> None:
    """g++ starts cc1plus, yosys starts abc: killing the first alone would leave the second running."""
    child = (
        "import subprocess, sys, pathlib\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "pathlib.Path('pid').write_text(str(p.pid)); p.wait()"
    )

    def fails() -> str:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.05)
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        together(lambda: _python(child, tmp_path), fails)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not _runs(pid):
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} still runs")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_no_more_programs_run_than_there_are_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six compilers at once on three cores take six times the memory, and no less time."""
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    code = (
        "import os, pathlib, time\n"
        "me = pathlib.Path(f'run-{os.getpid()}'); me.touch(); time.sleep(0.2)\n"
        "print(len(list(pathlib.Path('.').glob('run-*')))); me.unlink()"
    )
    seen = together(*[lambda: together(lambda: _python(code, tmp_path)) for _ in range(6)])
    assert max(int(one[0]) for one in seen) <= 3


def test_results_come_in_order_and_nothing_starts_after_a_stop(tmp_path: Path) -> None:
    """Callers unpack the results; and a job that goes on in Python must not start its next program."""
    assert together(lambda: "a", lambda: "b") == ("a", "b")
    later = []

    def slow() -> None:
        time.sleep(0.5)
        try:
            _python("print(1)", tmp_path)
        except StoppedError as stopped:
            later.append(stopped)
            raise

    def fails() -> None:
        raise KeyError("first")

    with pytest.raises(KeyError, match="first"):
        together(slow, fails)
    assert len(later) == 1
