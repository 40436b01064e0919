"""The grader's hold on a warm parent: start it in the jail, have it fork, keep time and memory in bounds."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fpgaclass.core import FpgaClassError
from fpgaclass.engine.job import CellOutcome, Job, Outcome
from fpgaclass.engine.namespaces import Limits
from fpgaclass.engine.sandbox import Jail, NoJail, Person, find_jail
from fpgaclass.engine.system import pidfd_send_signal
from fpgaclass.engine.wire import Wire, WireClosedError, WireError

_POWERS = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETFCAP", "CAP_KILL")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_IMPORTS = 600.0
_WATCH = 0.5
# A pool of workers has one for each processor; what forks without end soon has every process it may have,
# and would hold the machine for as long as a cell may take.
_FAMILY = 128
_BACKSTOP = 90.0
ENDLESS = "a check took longer than it may, and could not be stopped"


class EngineError(FpgaClassError):
    """The jail or the warm parent failed; no submission is to blame."""


class WarmParent:
    """A jailed process that has imported what a lab needs.

    Args:
        modules: what it imports.
        jailed: False to do without a jail.
        threads: how many numerical libraries may use in a fork; 0 for as many as they take.

    Raises:
        EngineError: it did not start.
    """

    def __init__(self, modules: tuple[str, ...], *, jailed: bool = True, threads: int = 0) -> None:
        self.jailed = jailed
        self._lock = threading.Lock()
        self._scratch = tempfile.TemporaryDirectory(prefix="fpgaclass-warm-")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        jail = find_jail()
        if jailed and isinstance(jail, NoJail):
            raise EngineError(f"there is no jail: {jail.reason}", next_step=jail.next_step)
        settings: dict[str, Any] = {"modules": list(modules), "jailed": jailed, "control": theirs.fileno()}
        settings["by_root"] = isinstance(jail, Jail) and jail.by_root
        words = [sys.executable, "-m", "fpgaclass.engine.warm", json.dumps(settings)]
        environment = _environment(jailed) | (dict.fromkeys(_THREADS, str(threads)) if threads else {})
        if jailed and isinstance(jail, Jail):
            person = Person("grader", None, "/tmp")
            mounts = jail.account_files(Person("grader", 61000, "/tmp"), Path(self._scratch.name))
            words = jail.command(
                words, person, mounts, network=False, cwd="/", environment=environment, keep=_POWERS
            )
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the parent
        self._process = subprocess.Popen(
            words,
            env={"PATH": os.environ.get("PATH", "")} if jailed else {**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=[theirs.fileno()],
            cwd="/",
        )
        theirs.close()
        self.failed: dict[str, str] = {}
        self.threads = 0
        self._wait_ready()

    def _wait_ready(self) -> None:
        self._control.settimeout(_IMPORTS)
        try:
            ready = json.loads(self._control.recv(65536) or b"{}")
        except (OSError, ValueError) as trouble:
            ready = {"why": str(trouble)}
        if not ready.get("ready"):
            said = self._said()
            self.close()
            raise EngineError(f"the warm kernel did not start: {said or ready.get('why') or 'it ended'}")
        self.failed, self.threads = ready["failed"], ready["threads"]

    def _said(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    @property
    def alive(self) -> bool:
        """Whether it can still fork."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it, and with it every fork."""
        self._control.close()
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        self._log.close()
        self._scratch.cleanup()

    def run(self, job: Job) -> Outcome:
        """Run a job in two forks, and return what became of it.

        Raises:
            EngineError: the forks could not be made or cut off, or the parent is gone.
        """
        started = time.monotonic()
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as stack:
            stack.callback(ours.close)
            folder = "/tmp"
            if not job.jailed:
                folder = stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="fpgaclass-job-", ignore_cleanup_errors=True)
                )
            limits = asdict(Limits(memory=job.memory, cpu_seconds=int(job.total_seconds * 2) + 60))
            forks = self._fork(theirs, {"limits": limits, "folder": folder})
            for fork in forks:
                stack.callback(os.close, fork)
                stack.callback(_kill, fork)
            return _Watched(job, Wire(ours, 128_000_000), forks[0], started).run()

    def _fork(self, report: socket.socket, order: dict[str, Any]) -> list[int]:
        try:
            with self._lock:
                self._control.settimeout(60)
                socket.send_fds(self._control, [json.dumps(order).encode()], [report.fileno()])
                data, forks, _, _ = socket.recv_fds(self._control, 65536, 2)
                answer = json.loads(data or b"{}")
        except (OSError, ValueError) as trouble:
            raise EngineError(f"the warm kernel is gone: {trouble}") from trouble
        finally:
            report.close()
        if not answer.get("ok"):
            for fork in forks:
                _kill(fork)
                os.close(fork)
            why = answer.get("why") or f"the warm kernel is gone: {self._said()}"
            raise EngineError(f"no fork could be made: {why}")
        return forks


class _Watched:
    """One job on its way."""

    def __init__(self, job: Job, wire: Wire, student: int, started: float) -> None:
        self._job, self._wire, self._student, self._started = job, wire, student, started
        self._cells: list[CellOutcome] = []
        self._reason = ""
        self._looked = started

    def run(self) -> Outcome:
        ends = self._started + self._job.total_seconds + _BACKSTOP
        ready = self._next(time.monotonic() + 120)
        if not ready.get("ready"):
            raise EngineError(f"a fork was not cut off: {ready.get('infrastructure', 'it ended')}")
        try:
            self._wire.send({}, [self._job.to_bytes()])
        except WireClosedError as gone:
            raise EngineError("the checking process ended before its work") from gone
        while True:
            event = self._next(ends)
            if not event and time.monotonic() > ends:  # in the middle of one long step of a C library
                return self._outcome(self._reason or ENDLESS)
            if event.get("done"):
                return self._outcome(self._reason or str(event.get("gone", "")))
            if event.get("op") == "interrupt":
                with contextlib.suppress(OSError):
                    pidfd_send_signal(self._student, signal.SIGINT)
            elif event.get("op") == "end":
                _kill(self._student)
            elif "cell" in event:
                self._cells.append(
                    CellOutcome(
                        n=event["cell"],
                        ok=event["ok"] is True,
                        outputs=tuple(event["outputs"]),
                        count=event["count"],
                        seconds=event["seconds"],
                        line=event.get("line"),
                        figures=tuple(event.get("figures", ())),
                    )
                )
            else:
                return self._outcome(self._reason, "the checking process ended")

    def _outcome(self, gone: str, trouble: str = "") -> Outcome:
        seconds = round(time.monotonic() - self._started, 3)
        return Outcome(tuple(self._cells), gone, trouble, seconds)

    def _next(self, ends: float) -> dict[str, Any]:
        """Return the next event, or nothing if there will be none; keep an eye on the memory meanwhile."""
        while True:
            there = select.select([self._wire], [], [], _WATCH)[0]
            self._look()
            if there:
                break
            if time.monotonic() > ends:
                return {}
        try:
            return self._wire.receive(time.monotonic() + 60).header
        except (WireClosedError, WireError):
            return {}

    def _look(self) -> None:
        """End the student's process if its family is too many or too large; quick cells do not hide it."""
        now = time.monotonic()
        if not self._job.jailed or now - self._looked < _WATCH:
            return
        self._looked = now
        family = _family(self._student)
        if len(family) > _FAMILY:
            self._reason = f"more than {_FAMILY} processes ran at once"
        elif sum(_private(pid) + _files(pid) for pid in family) > self._job.memory:
            self._reason = f"more than {self._job.memory / 1e9:g} GB of memory were used"
        else:
            return
        _kill(self._student)


def _kill(fork: int) -> None:
    with contextlib.suppress(OSError):
        pidfd_send_signal(fork, signal.SIGKILL)


def _family(fork: int) -> list[int]:
    """Return the process ids of a fork and of all that it started, and they in turn."""
    import psutil

    with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
        told = Path(f"/proc/self/fdinfo/{fork}").read_text()
        top = psutil.Process(int(told.partition("Pid:")[2].split()[0]))
        return [one.pid for one in (top, *top.children(recursive=True))]
    return []


def _private(pid: int) -> int:
    """Return what a process has that its parent has not, and its part of what it shares with its children."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        size = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        return 1024 * (size["Private_Dirty"] + size.get("Pss_Shmem", 0))
    return 0


def _files(pid: int) -> int:
    """Return the bytes of a process's files without a name, of which no mapping tells (memfd_create)."""
    found = {}
    with contextlib.suppress(OSError):
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if str(handle.readlink()).startswith("/memfd:"):
                    about = handle.stat()
                    found[about.st_dev, about.st_ino] = 512 * about.st_blocks
    return sum(found.values())


def _environment(jailed: bool) -> dict[str, str]:
    """Return all variables that the warm parent and its forks see."""
    ours = {
        # Read by TensorFlow once, at import; `fpgaclass.lab.quiet` sets the same in a notebook.
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "CUDA_VISIBLE_DEVICES": "-1",
        "GRPC_VERBOSITY": "ERROR",
        "ABSL_MIN_LOG_LEVEL": "3",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if not jailed:
        return ours
    return ours | {
        "HOME": "/tmp",
        "USER": "grader",
        "LOGNAME": "grader",
        "LANG": "C.UTF-8",
        "IPYTHONDIR": "/tmp/ipython",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
    }
