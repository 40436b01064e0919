"""The clean process: it runs the cells that the notebook's author wrote, and asks the student's for the rest.

No line of the student's ever runs here. Cells that were released (imports, data, checks) do, and where they
use a name that the student defined, its value is fetched over the line, as a plain value or as a stand-in
that can be called. docs/decisions/clean_checks.md tells why.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import signal
import sys
import time
import types
from pathlib import Path, PurePosixPath
from typing import Any

from fpgaclass.engine.line import GoneError, Line, TooLongError, is_plain
from fpgaclass.engine.outputs import clean_output, what_counts
from fpgaclass.engine.shell import CUT, CellShell, Recorder
from fpgaclass.engine.wire import Wire

_MISSING = object()
_CUT = {"output_type": "stream", "name": "stdout", "text": CUT}


class Namespace(dict[str, Any]):
    """The names of the clean process; those that the student answers for are fetched when they are used."""

    def __init__(self, names: dict[str, Any], line: Line, reserved: frozenset[str]) -> None:
        super().__init__(names)
        self._line, self._reserved = line, reserved
        self._asked: set[str] = set()
        self._fetched: dict[str, Any] = {}
        self._deleted: set[str] = set()

    def __missing__(self, name: str) -> Any:
        known = name in self._asked or not (name in self._reserved or hasattr(builtins, name))
        if not known or not isinstance(name, str) or name.startswith("__"):
            raise KeyError(name)
        self.sync()
        there, value = self._line.get(name)
        if not there:
            raise KeyError(name)
        self[name] = self._fetched[name] = value
        return value

    def hand_over(self, names: list[str]) -> None:
        """From here on the student answers for these names, and anew for those fetched before."""
        for name, value in self._fetched.items():
            if self.get(name) is value:
                del self[name]
        self._fetched.clear()
        self._deleted.clear()
        for name in names:
            self._asked.add(name)
            self.pop(name, None)

    def sync(self) -> None:
        """Tell the student's process of names of its own that a check deleted or bound to something else."""
        for name, value in list(self._fetched.items()):
            now = self.get(name, _MISSING)
            if now is _MISSING:
                self._line.ask("delete", name=name)
                self._deleted.add(name)
                del self._fetched[name]
            elif now is not value:
                self._line.ask("set", payload=now, name=name)
                self._fetched[name] = now
        for name in sorted(self._deleted):
            if name in self:
                self._line.ask("set", payload=self[name], name=name)
                self._fetched[name] = self[name]
                self._deleted.discard(name)


class Checker:
    """Run a notebook's cells in order, each where it belongs.

    Args:
        job: the cells and limits, see `fpgaclass.engine.job`.
        line: the line to the student's process.
        shell: where the author's cells run.
        report: takes what became of each cell.
    """

    def __init__(self, job: dict[str, Any], line: Line, shell: CellShell, report: Wire) -> None:
        self._job, self._line, self._shell, self._report = job, line, shell, report
        reserved = frozenset(job["reserved"])
        self._names = Namespace(shell.user_ns, line, reserved)
        module = types.ModuleType("__main__")
        shell.user_ns = self._names
        shell.user_module = _Module(self._names, module)
        self._count = 0  # of cells that ran, as one kernel would count them
        self._shared: set[str] = set()
        self._given = {PurePosixPath(name) for name in job["given"]}
        self._brought: dict[PurePosixPath, tuple[int, int]] = {}
        self._ends = time.monotonic() + job["total_seconds"]
        line.before_call = self._names.sync
        line.shared = self._by_name
        line.show = lambda output: shell.recorder.add(output)

    def run(self) -> None:
        """Run all cells, and report each as it is done."""
        left = int(self._job["output_limit"]) * 5
        for cell in self._job["cells"]:
            self._count += cell["n"] >= 0 and bool((cell["source"] or cell["clean"] or "").strip())
            try:
                done = self._run(cell)
            except Exception as broken:  # whatever a submission did to get here costs it this cell
                reason = f"the check could not be run to its end ({type(broken).__name__})"
                done = {"ok": False, "outputs": [_not_run(reason)], "count": None, "seconds": 0.0}
            # What the author's cells show may be a student's, too: an object says itself how it is shown.
            done["outputs"] = [one for one in map(clean_output, done["outputs"]) if one]
            size = len(str(done["outputs"]))
            if size > left and done["outputs"]:
                done["outputs"] = what_counts(done["outputs"]) if cell["kind"] == "check" else [_CUT]
            left = max(0, left - size)
            self._report.send({"cell": cell["n"], **done})
        self._report.send({"done": True, "gone": self._line.gone})

    def _run(self, cell: dict[str, Any]) -> dict[str, Any]:
        seconds = min(float(self._job["cell_seconds"]), self._ends - time.monotonic())
        if seconds <= 0:
            self._line._lose(f"the notebook took more than {self._job['total_seconds']:g} s")
            seconds = 1.0
        self._line.deadline = time.monotonic() + seconds
        started = time.monotonic()
        run = self._check if cell["kind"] == "check" else self._answer
        done = run(cell, seconds)
        return done | {"seconds": round(time.monotonic() - started, 4)}

    def _answer(self, cell: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Run a cell of the student's, or one that both run."""
        started = False
        if cell["source"] is not None:
            try:
                self._line.start(cell["source"], self._job["output_limit"], self._count)
                started = True
            except GoneError:
                pass
        mine: dict[str, Any] = {}
        if cell["clean"] is not None:
            if not started and self._line.gone == "" and cell["source"] is None:
                self._names.hand_over([])
            mine = self._clean(cell["clean"], seconds)
            self._shared |= set(cell["names"]) if cell["source"] is not None else set()
        theirs: dict[str, Any] = {"outputs": [_not_run(self._line.gone)], "ok": False, "count": None}
        if started:
            try:
                theirs = self._line.finished()
            except GoneError as gone:
                theirs["outputs"] = [_not_run(str(gone))]
        self._names.hand_over(cell["asked"])
        for statement in cell["imports"]:
            self._clean(statement, seconds)
        if cell["kind"] == "locked":
            return mine
        recorder = Recorder(self._job["output_limit"])
        for output in theirs["outputs"]:
            recorder.add(output)
        return theirs | {"outputs": recorder.outputs}

    def _check(self, cell: dict[str, Any], seconds: float) -> dict[str, Any]:
        self._fetch_files()
        _take_figures()
        done = self._clean(cell["clean"], seconds)
        with contextlib.suppress(GoneError, TooLongError):
            self._names.sync()
        return done | {"line": self._shell.failed_line, "figures": _take_figures() if done["ok"] else []}

    def _clean(self, source: str, seconds: float) -> dict[str, Any]:
        """Run a cell here, for so many seconds at most."""

        def late(number: int, frame: Any) -> None:  # noqa: ARG001 - a signal handler's signature
            raise TooLongError("the cell took longer than it may")

        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, seconds + 10)  # the line has its own, earlier
        try:
            ok, outputs, count = self._shell.record(source, self._job["output_limit"], self._count)
        except TooLongError as slow:
            ok, count, outputs = False, 0, [_not_run(str(slow))]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return {"ok": ok, "outputs": outputs, "count": count}

    def _fetch_files(self) -> None:
        """Bring what the student's cells wrote here, beside the author's own files.

        What was released, or what a cell of the author's wrote here itself, is the author's, as names are:
        also when the student had a file of that name before. Files that are brought get a time that has
        passed, so that whatever is written here later shows.
        """
        if self._line.gone:
            return
        try:
            files = self._line.ask("files")
        except Exception:
            return
        passed = time.time_ns() - 10**9
        for name, data in files.items() if isinstance(files, dict) else ():
            path = PurePosixPath(name)  # "./a" and "a//b" are other words for "a" and "a/b"
            if not isinstance(data, bytes) or path.is_absolute() or ".." in path.parts or path in self._given:
                continue
            try:
                target = Path.cwd() / path
                if target.exists() and self._brought.get(path) != _mark(target):
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
                os.utime(target, ns=(passed, passed))
                self._brought[path] = _mark(target)
            except (OSError, ValueError):
                continue

    def _by_name(self) -> dict[int, str]:
        """Return id -> name of what both sides have, and what had better not be copied."""
        found = {}
        for name in self._shared:
            value = self._names.get(name)
            if value is not None and not is_plain(value):
                found[id(value)] = name
        return found


class _Module:
    """What IPython takes for the module in which cells run: its dictionary is the namespace."""

    def __init__(self, names: Namespace, module: types.ModuleType) -> None:
        names.setdefault("__name__", "__main__")
        names.setdefault("__builtins__", builtins)
        self.__dict__ = names
        sys.modules["__main__"] = module


def _mark(path: Path) -> tuple[int, int]:
    """Return what changes when somebody writes a file."""
    about = path.stat()
    return about.st_mtime_ns, about.st_size


def _take_figures() -> list[dict[str, Any]]:
    """Return what a check put on the leaderboard: taken here, past all outputs, which a student can write."""
    contest = sys.modules.get("fpgaclass.lab.contest")
    return list(contest.take_figures()) if contest else []


def _not_run(reason: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": "NotRun", "evalue": reason, "traceback": [reason]}
