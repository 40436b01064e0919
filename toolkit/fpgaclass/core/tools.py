"""External programs: which ones there are, where each was looked for, how to get one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fpgaclass.core.errors import BuildError, ToolMissingError
from fpgaclass.core.parallel import running


@dataclass(frozen=True)
class Tool:
    """A program that was found.

    Attributes:
        name: what it is called here, such as ``"yosys"``.
        command: the words to start it with.
        origin: where it was found, for messages.
    """

    name: str
    command: tuple[str, ...]
    origin: str


def find_tool(name: str) -> Tool | None:
    """Find a program by ``FPGACLASS_<NAME>``, on PATH, or beside the running Python, else None."""
    variable = _variable(name)
    override = os.environ.get(variable)
    if override:
        return Tool(name, tuple(override.split()), variable) if shutil.which(override.split()[0]) else None
    for origin, path in (("PATH", None), ("the environment", str(Path(sys.executable).parent))):
        found = shutil.which(name, path=path)
        if found:
            return Tool(name, (found,), origin)
    return None


def require_tool(name: str, how_to_get: str) -> Tool:
    """Find a program or raise ToolMissingError with where it was looked for and how to get it."""
    tool = find_tool(name)
    if tool is None:
        looked = f"{_variable(name)}, PATH, {Path(sys.executable).parent}"
        raise ToolMissingError(f"{name} is not on this machine", where=looked, next_step=how_to_get)
    return tool


def run_tool(
    command: Sequence[str],
    *,
    cwd: Path,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> str:
    """Run a program to its end and return what it printed.

    It ends when we do, and with the other programs of a ``together``.

    Raises:
        BuildError: it failed; the message holds its first line that reads like an error, and the log's path.
        StoppedError: another part of a ``together`` failed.
    """
    words = [*_with_us(), *command]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )

    try:
        with running(start) as process:
            printed, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired as slow:
        what = f"{Path(command[0]).name} did not end within {timeout:.0f} s"
        raise BuildError(what, where=str(cwd)) from slow
    if log is not None:
        log.write_text(printed)
    if process.returncode:
        raise BuildError(
            f"{Path(command[0]).name} {_how_it_ended(process.returncode)}: {_first_error(printed)}",
            where=str(log or cwd),
        )
    return printed


def _with_us() -> tuple[str, ...]:
    """Return the words before a command that end it when we are killed; none where util-linux is missing."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"failed with exit code {code}"
    name = signal.Signals(-code).name
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _variable(name: str) -> str:
    return "FPGACLASS_" + name.upper().replace("-", "_").replace("+", "X")


# What begins with the word is told before what only holds it; "0 Errors" is none.
_ERRORS = (
    re.compile(r"^\W*((fatal|critical|internal) )?error\b|: (fatal )?error:", re.I),
    re.compile("error", re.I),
)
_NO_ERROR = re.compile(r"\b(0|no) (\w+ )?errors?\b", re.I)


def _first_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for pattern in _ERRORS:
        for line in lines:
            if pattern.search(line) and not _NO_ERROR.search(line):
                return line[:300]
    return lines[-1][:300] if lines else "it printed nothing"
