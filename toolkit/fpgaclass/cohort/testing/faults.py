"""The proof that nothing is orphaned: every call is cut, in four ways, and recovered from.

The cloud itself cuts: before or after a call takes effect, it kills its caller (SIGKILL) or ends the
connection. Then one of three recoveries runs, and the cloud's own inventory is the judge: exactly the plan
after a resume, nothing at all after a destroy.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fpgaclass.cohort import verbs
from fpgaclass.cohort.port import Provider

MODES = ("lost-before", "lost-after", "kill-before", "kill-after")
_CLEAN = 15  # fakes remember what is gone, and get slow by it; so they are emptied after so many cases
_SHARED_MEMORY = Path("/dev/shm")


class FaultyCloud(Protocol):
    """A fake cloud that can be told to cut its n-th call."""

    def control(self, **rules: Any) -> dict[str, Any]:
        """Set rules; return at least ``calls``, the number of calls so far."""

    def things(self) -> list[dict[str, Any]]:
        """Return everything that exists, each with ``kind``, ``id`` and ``tags``."""


@dataclass(frozen=True)
class Case:
    """One cut and one recovery: the verb that is cut, at which call, how, and what comes after."""

    verb: str
    call: int
    mode: str
    recovery: str


@dataclass(frozen=True)
class Proof:
    """What the matrix showed: calls of each verb, how many cases, and the bad ones with what was left."""

    apply_calls: int
    destroy_calls: int
    cases: int
    bad: tuple[tuple[Case, str], ...]


class FaultMatrix:
    """Runs the cases.

    Args:
        cloud: the fake cloud, empty.
        provider: the adapter to it; with a ``close()`` that ends its connections, if it has any.
        write: writes the cohort's file for a name into a folder, and returns its path.
        settle: is called before each judgement, for clouds where things come and go by themselves.
        rules: of the cloud, set at the start.
    """

    def __init__(
        self,
        cloud: FaultyCloud,
        provider: Provider,
        write: Callable[[Path, str], Path],
        settle: Callable[[], None] = lambda: None,
        rules: Mapping[str, Any] | None = None,
    ) -> None:
        self._cloud, self._provider, self._write, self._settle = cloud, provider, write, settle
        self._rules = dict(rules or {})
        self._names: dict[str, list[str]] = {}
        self._unhurt = ""
        self._number = 0
        self._folder = Path(tempfile.mkdtemp(dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None))
        self._want: Counter[str] = Counter()

    def run(
        self,
        *,
        modes: Sequence[str] = MODES,
        share: tuple[int, int] = (0, 1),
        recoveries: Sequence[str] = ("resume", "destroy", "state lost"),
        verbs_cut: Sequence[str] = ("apply", "destroy"),
        only: str = "",
    ) -> Proof:
        """Run the matrix, or every ``share[1]``-th case of it beginning with ``share[0]``.

        Args:
            modes, recoveries, verbs_cut: which cases.
            share: which part of them.
            only: cut only calls whose name has this, such as ``RunInstances``.
        """
        try:
            counts = self._measure()
            cases = [
                case
                for n, case in enumerate(self._cases(counts, modes, recoveries))
                if n % share[1] == share[0]
            ]
            cases = [
                case
                for case in cases
                if case.verb in verbs_cut and only in self._names[case.verb][case.call - 1]
            ]
            bad = [(Case("none", 0, "none", "none"), self._unhurt)] if self._unhurt else []
            bad += [(case, what) for case in cases if (what := self._try(case))]
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        return Proof(counts["apply"], counts["destroy"], len(cases), tuple(bad))

    def _cases(
        self, counts: dict[str, int], modes: Sequence[str], recoveries: Sequence[str]
    ) -> Iterator[Case]:
        for verb, count in counts.items():
            for call in range(1, count + 1):
                for mode in modes:
                    for recovery in recoveries:
                        if verb == "apply" or recovery != "resume":
                            yield Case(verb, call, mode, recovery)

    def _measure(self) -> dict[str, int]:
        """Run once without a fault: count the calls, and learn what the plan looks like in the cloud."""
        self._cloud.control(**self._rules)
        self._warm_up()
        home, path = self._fresh()
        counts = {}
        for verb in ("apply", "destroy"):
            before = self._cloud.control()["calls"]
            self._child(home, path, verb)
            after = self._cloud.control()
            counts[verb] = after["calls"] - before
            self._names[verb] = after["log"][-counts[verb] :]
            self._settle()
            if verb == "apply":
                self._want = self._seen()
        error = self._folder / "last-error"
        said = error.read_text() if error.exists() else ""
        if left := self._seen():
            said += f" left: {dict(left)}"
            self._cloud.control(reset=True, **self._rules)
        self._unhurt = said.strip()
        return counts

    def _warm_up(self) -> None:
        """Run once in this process, so that no child imports and compiles what all children need."""
        home, path = self._fresh()
        before = os.environ.get("FPGACLASS_STATE")
        os.environ["FPGACLASS_STATE"] = str(home)
        try:
            verbs.apply(path, provider=self._provider)
            verbs.destroy(path, provider=self._provider)
        finally:
            if before is None:
                del os.environ["FPGACLASS_STATE"]
            else:
                os.environ["FPGACLASS_STATE"] = before
        # A forked child must not talk through its parent's connections.
        getattr(self._provider, "close", lambda: None)()

    def _try(self, case: Case) -> str:
        home, path = self._fresh()
        if case.verb == "destroy":
            self._child(home, path, "apply")
        self._child(home, path, case.verb, {"call": case.call, "mode": case.mode})
        said = ""
        if case.recovery == "resume":
            # The second one is what a person does when the first one says that something failed.
            for _ in range(2):
                self._child(home, path, "apply")
                self._settle()
                double = [key for key, number in self._seen().items() if number > self._want[key]]
                said += f"double after resume: {double} " if double else ""
            if (seen := self._seen()) != self._want:
                said += f"after resume: {dict(seen)} instead of {dict(self._want)}"
        elif case.recovery == "state lost":
            shutil.rmtree(home)
            home.mkdir()
        self._child(home, path, "destroy")
        self._settle()
        left = self._seen()
        said += f" left: {dict(left)}" if left else ""
        if left or self._number % _CLEAN == 0:
            self._cloud.control(reset=True, **self._rules)
        shutil.rmtree(home)
        return said.strip()

    def _fresh(self) -> tuple[Path, Path]:
        self._number += 1
        home = self._folder / f"case{self._number}"
        home.mkdir()
        return home, self._write(self._folder, f"c{os.getpid()}-{self._number}")

    def _seen(self) -> Counter[str]:
        """Count what is there by kind and key, untagged things included: those are the leaks."""
        return Counter(f"{t['kind']} {t['tags'].get('fpgaclass:key', '')}" for t in self._cloud.things())

    def _child(self, home: Path, path: Path, verb: str, fault: dict[str, Any] | None = None) -> None:
        """Run a verb in a forked child, which the cloud may kill."""
        pid = os.fork()
        if pid == 0:
            try:
                os.environ["FPGACLASS_STATE"] = str(home)
                if fault:
                    self._cloud.control(fault={**fault, "pid": os.getpid()})
                if verb == "apply":
                    verbs.apply(path, provider=self._provider)
                else:
                    verbs.destroy(path, provider=self._provider)
            except BaseException as trouble:
                (self._folder / "last-error").write_text(f"{type(trouble).__name__}: {trouble}")
                os._exit(1)
            os._exit(0)
        os.waitpid(pid, 0)
        if fault:
            self._cloud.control(fault={})
