"""External programs: what is said when one dies, and that none outlives us."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fpgaclass.core import BuildError, ToolMissingError, require_tool, run_tool


def test_the_first_real_error_is_shown_and_the_log_named(tmp_path: Path) -> None:
    """Of a thousand lines a student needs one; "report not found" later would hide it."""
    code = "print('ERROR: [Synth 8-439] module x not found'); print('bye'); raise SystemExit(1)"
    with pytest.raises(BuildError, match=r"failed with exit code 1: ERROR: \[Synth 8-439\]") as caught:
        run_tool([sys.executable, "-c", code], cwd=tmp_path, log=tmp_path / "log")
    assert caught.value.where == str(tmp_path / "log")
    assert "bye" in (tmp_path / "log").read_text()


def test_a_tool_that_was_killed_says_by_what(tmp_path: Path) -> None:
    """The kernel's out-of-memory killer leaves no message of its own."""
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(BuildError, match=r"was killed by SIGKILL \(out of memory\?\)"):
        run_tool([sys.executable, "-c", code], cwd=tmp_path)


def test_a_tool_that_hangs_is_ended(tmp_path: Path) -> None:
    """With its children: the time limit is for all of it."""
    with pytest.raises(BuildError, match="did not end within 1 s"):
        run_tool([sys.executable, "-c", "import time; time.sleep(60)"], cwd=tmp_path, timeout=1)


def test_a_missing_tool_says_where_it_was_looked_for_and_how_to_get_it() -> None:
    """The error is the manual."""
    with pytest.raises(ToolMissingError, match=r"FPGACLASS_NO_SUCH, PATH.*Next: apt-get install it"):
        require_tool("no-such", "apt-get install it")


def test_a_tool_ends_with_us_when_we_are_killed(tmp_path: Path) -> None:
    """A notebook's kernel is restarted by SIGKILL: its synthesis must not go on for nobody."""
    inner = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
    outer = (
        "import sys; from pathlib import Path; from fpgaclass.core import run_tool\n"
        f"run_tool([sys.executable, '-c', {inner!r}], cwd=Path('.'))"
    )
    process = subprocess.Popen([sys.executable, "-c", outer], cwd=tmp_path)
    pid = tmp_path / "pid"
    while not (pid.exists() and pid.read_text()):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for _ in range(100):
        state = Path(f"/proc/{pid.read_text()}/stat")
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the tool still runs")
