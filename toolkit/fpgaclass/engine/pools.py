"""Where jobs run: in threads that each hold a fork on this machine, or on the workers of a Dask scheduler."""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from collections.abc import Hashable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from fpgaclass.core import FpgaClassError, ToolMissingError
from fpgaclass.engine.job import Job, Outcome
from fpgaclass.engine.parent import EngineError
from fpgaclass.engine.runner import cool_down, execute, execute_job, warm_up

Key = TypeVar("Key", bound=Hashable)


def threads_of(at_once: int) -> int:
    """Return how many threads each process may use when so many jobs run at once, two processes each."""
    return max(1, (os.cpu_count() or 1) // (2 * at_once))


def run_jobs(
    jobs: Iterable[tuple[Key, Job]], *, at_once: int = 1, scheduler: str | None = None
) -> Iterator[list[tuple[Key, Outcome]]]:
    """Run jobs, and yield what became of those that are done, together; few wait in memory at a time.

    Args:
        jobs: (a key, the job).
        at_once: how many run at once on this machine.
        scheduler: the address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``, whose workers have this
            toolkit installed; a worker that dies has its jobs done by another.

    Raises:
        FpgaClassError: the scheduler cannot be reached.
    """
    if scheduler:
        yield from _on_dask(jobs, scheduler)
        return
    stop = threading.Event()
    with ThreadPoolExecutor(max(1, at_once)) as pool:
        try:
            yield from _bounded(jobs, pool, 2 * at_once + 2, stop)
        except BaseException:
            # A pool waits for what it has begun, and a cell may take ten minutes: what runs is ended.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            cool_down()
            raise


def _bounded(
    jobs: Iterable[tuple[Key, Job]], pool: ThreadPoolExecutor, most: int, stop: threading.Event
) -> Iterator[list[tuple[Key, Outcome]]]:
    waiting: dict[Future[Outcome], Key] = {}
    for key, job in jobs:
        # Started here and not in a thread of the pool: a jail ends with the thread that made it.
        with contextlib.suppress(EngineError):
            warm_up(job.modules, jailed=job.jailed, threads=job.threads)
        waiting[pool.submit(execute_job, job, stop)] = key
        if len(waiting) >= most:
            yield from _done(waiting)
    while waiting:
        yield from _done(waiting)


def _done(waiting: dict[Future[Outcome], Key]) -> Iterator[list[tuple[Key, Outcome]]]:
    finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
    yield [(waiting.pop(future), future.result()) for future in finished]


def _on_dask(jobs: Iterable[tuple[Key, Job]], scheduler: str) -> Iterator[list[tuple[Key, Outcome]]]:
    try:
        dask: Any = importlib.import_module("distributed")
    except ImportError as missing:
        raise ToolMissingError("Dask is not installed", next_step="pip install distributed") from missing
    try:
        client = dask.Client(scheduler, timeout="10s", set_as_default=False)
    except OSError as trouble:
        step = "start one with `dask scheduler`, and workers with `dask worker ADDRESS`"
        raise FpgaClassError("the scheduler does not answer", where=scheduler, next_step=step) from trouble
    with client:
        more = iter(jobs)
        waiting: dict[Any, Key] = {}
        running = dask.as_completed(loop=client.loop)
        room = 4 * max(1, len(client.scheduler_info()["workers"]))
        while True:
            while len(waiting) < room and (pair := next(more, None)) is not None:
                future = client.submit(execute, pair[1].to_bytes(), pure=False, retries=2)
                waiting[future.key] = pair[0]
                running.add(future)
            if not waiting:
                return
            future = next(running)
            try:
                outcome = Outcome.from_bytes(future.result())
            except Exception as trouble:
                outcome = Outcome((), trouble=f"its worker failed: {trouble}"[:300])
            yield [(waiting.pop(future.key), outcome)]
            future.release()
