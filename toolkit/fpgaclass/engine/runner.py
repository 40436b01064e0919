"""Bytes in, bytes out: run a job on this machine, in the warm parent that its imports ask for."""

from __future__ import annotations

import atexit
import threading
import time
from dataclasses import replace

from fpgaclass.engine.job import Job, Outcome
from fpgaclass.engine.parent import EngineError, WarmParent

_ATTEMPTS = 3
_parents: dict[tuple[tuple[str, ...], bool, int], WarmParent] = {}
_lock = threading.Lock()


def execute(job: bytes) -> bytes:
    """Run a job and return what became of it: a function of its argument, whatever machine it runs on.

    A failure of the jail or of the warm parent is tried again, and in the end told apart in the outcome's
    ``trouble``: no submission loses marks for it.
    """
    return execute_job(Job.from_bytes(job)).to_bytes()


def execute_job(job: Job, stop: threading.Event | None = None) -> Outcome:
    """Do what `execute` does, without the bytes, and try nothing again once ``stop`` is set."""
    trouble = ""
    for attempt in range(1, _ATTEMPTS + 1):
        if stop is not None and stop.is_set():
            break
        try:
            outcome = replace(_parent(job).run(job), attempts=attempt)
        except EngineError as failed:
            trouble = str(failed)
            _drop(job)
            time.sleep(0.2 * attempt)
            continue
        if not outcome.trouble or attempt == _ATTEMPTS:
            return outcome
        trouble = outcome.trouble
    return Outcome((), trouble=trouble, attempts=_ATTEMPTS)


def warm_up(modules: tuple[str, ...], *, jailed: bool, threads: int = 0) -> WarmParent:
    """Start (or find) the warm parent of some modules, whose forks use so many threads.

    Raises:
        EngineError: it did not start.
    """
    with _lock:
        parent = _parents.get((modules, jailed, threads))
        if parent is None or not parent.alive:
            parent = WarmParent(modules, jailed=jailed, threads=threads)
            _parents[modules, jailed, threads] = parent
        return parent


def cool_down() -> None:
    """End every warm parent of this process."""
    with _lock:
        while _parents:
            _parents.popitem()[1].close()


def _parent(job: Job) -> WarmParent:
    return warm_up(job.modules, jailed=job.jailed, threads=job.threads)


def _drop(job: Job) -> None:
    with _lock:
        key = (job.modules, job.jailed, job.threads)
        parent = _parents.get(key)
        if parent is not None and not parent.alive:
            del _parents[key]
            parent.close()


atexit.register(cool_down)
