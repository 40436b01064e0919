"""Several points at once, each worker a process of its own that a crash cannot take the sweep along with.

Processes of our own rather than ``multiprocessing``: that would run a script without a ``__main__`` guard
once more in each child, and a child that the kernel kills for memory would break the whole pool.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fpgaclass.core import ToolMissingError, UsageError
from fpgaclass.firmware.board import Board
from fpgaclass.firmware.sweep.module import files_of, load_beside
from fpgaclass.firmware.sweep.point import Score, SearchPoint, Task, Train, evaluate, find_point, one_line

_WAY_OUT = "use jobs=1, or put train and score into a module beside the notebook"
_FILES = "files.json"
_START = "from fpgaclass.firmware.sweep.workers import main; main()"


def run_workers(
    train: Train,
    score: Score,
    board: Board,
    tasks: Sequence[Task],
    jobs: int,
    go_on: Callable[[], bool],
) -> Iterator[SearchPoint]:
    """Evaluate the tasks in ``jobs`` processes; yield the points as they come.

    No further task begins once ``go_on`` says no. A process that dies takes only its own point along.

    Raises:
        UsageError: the functions cannot be taken to another process.
        ToolMissingError: cloudpickle is not installed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        parcel = Path(scratch) / "work"
        parcel.write_bytes(_pack((train, score, board)))
        parcel.with_name(_FILES).write_text(json.dumps(files_of((train, score))))
        with _crew(parcel, jobs) as idle:

            def one(task: Task) -> SearchPoint | None:
                worker = idle.get()
                try:
                    return worker.evaluate(task) if go_on() else None
                finally:
                    idle.put(worker)

            pool = ThreadPoolExecutor(jobs)
            try:
                for future in as_completed([pool.submit(one, task) for task in tasks]):
                    point = future.result()
                    if point is not None:
                        yield point
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _crew(parcel: Path, jobs: int) -> Iterator[queue.SimpleQueue[_Worker]]:
    threads = max(1, len(os.sched_getaffinity(0)) // jobs)
    workers = [_Worker(parcel, parcel.with_name(f"log{k}"), threads) for k in range(jobs)]
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)
    try:
        yield idle
    finally:
        for worker in workers:
            worker.stop()


def _pack(work: Any) -> bytes:
    try:
        import cloudpickle  # type: ignore[import-untyped,unused-ignore]
    except ImportError as bad:
        raise ToolMissingError(
            "several jobs need the package cloudpickle", next_step="pip install cloudpickle, or use jobs=1"
        ) from bad
    try:
        packed: bytes = cloudpickle.dumps(work)
    except Exception as bad:  # what an object's own pickling raises is up to the object
        raise UsageError(
            f"train or score cannot be taken to another process: {one_line(bad)}", next_step=_WAY_OUT
        ) from bad
    return packed


class _Worker:
    """The parent's end of a process that evaluates one task after another; begun when first needed."""

    def __init__(self, parcel: Path, log: Path, threads: int) -> None:
        self._parcel, self._log = parcel, log
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
            "OMP_NUM_THREADS": str(threads),
            "TF_NUM_INTEROP_THREADS": "1",
            "TF_NUM_INTRAOP_THREADS": str(threads),
        }
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def evaluate(self, task: Task) -> SearchPoint | None:
        """Have a task evaluated; None when the sweep is being stopped."""
        process = self._running()
        if process is None:
            return None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asdict(task)) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except (OSError, ValueError):
            answer = ""
        if answer.startswith("refused "):
            raise UsageError(
                f"train or score cannot be unpacked in another process: {answer[8:].strip()}",
                next_step=_WAY_OUT,
            )
        if answer:
            return find_point(task)
        return None if self._stopped else self._died(process, task)

    def stop(self) -> None:
        """End the process, whatever it does."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def _running(self) -> subprocess.Popen[str] | None:
        with self._lock:
            if self._stopped:
                return None
            if self._process is None:
                with self._log.open("wb") as log:
                    self._process = subprocess.Popen(
                        [sys.executable, "-c", _START, str(self._parcel)],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=log,
                        text=True,
                        env=self._environment,
                    )
            return self._process

    def _died(self, process: subprocess.Popen[str], task: Task) -> SearchPoint:
        """Return a failed point, which is not kept: memory may suffice the next time."""
        status = process.wait()
        with self._lock:
            self._process = None
        how = f"by signal {-status}, often for want of memory" if status < 0 else f"with exit code {status}"
        said = self._log.read_text(errors="replace").split("\n") if self._log.is_file() else []
        last = next((line.strip() for line in reversed(said) if line.strip()), "")
        error = f"its process ended {how}" + (f": {last[:200]}" if last else "")
        return SearchPoint(task.setting, Path(task.folder), error=error)


def main() -> None:
    """Be a worker: a task a line on standard input, a line back when its point is kept."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what train prints must not look like a reply
    tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    try:
        import cloudpickle

        parcel = Path(sys.argv[1])
        for name, file in json.loads(parcel.with_name(_FILES).read_text()).items():
            load_beside(name, Path(file))
        train, score, board = cloudpickle.loads(parcel.read_bytes())
    except Exception as bad:
        print("refused", one_line(bad), file=replies, flush=True)
        return
    while True:
        evaluate(train, score, board, Task(**json.loads(tasks.get())))
        print("kept", file=replies, flush=True)


def _listen(tasks: queue.SimpleQueue[str]) -> None:
    """Pass tasks on; when the parent is gone nobody waits for us any more."""
    for line in sys.stdin:
        tasks.put(line)
    os._exit(0)
