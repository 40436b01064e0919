"""Run a submitted notebook in a jail: no network, no course folder, limits on time, memory and output.

This takes the place of nbgrader's own step `Execute`, for `fpgaclass grade` and for the formgrader's button.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.exporters import NotebookExporter
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade, is_solution
from traitlets import Enum, Integer

from fpgaclass.classroom.seats import SEAT_VARIABLE
from fpgaclass.core import ClassroomError
from fpgaclass.course import proof_line
from fpgaclass.engine.sandbox import Jail, Mount, Person, find_jail

NOT_RUN = "not run to its end:"
"""What a line of the log starts with when the rest of a notebook got errors instead of being run."""

GRADER_UID = 62998
"""Who submitted code runs as when root grades."""

_OUTPUTS = ("stream", "display_data", "execute_result", "update_display_data")


class JailedExecute(Execute):  # type: ignore[misc]
    """Execute a notebook in a jail; a cell that could not run to its end gets an error, and so no points."""

    timeout = Integer(600, allow_none=True, help="Seconds for one cell").tag(config=True)
    total_timeout = Integer(1800, help="Seconds for a whole notebook").tag(config=True)
    startup_timeout = Integer(120, help="Seconds for the kernel to start").tag(config=True)
    shutdown_kernel = Enum(["immediate", "graceful"], "immediate").tag(config=True)
    output_limit = Integer(2_000_000, help="Bytes of output that are kept of a cell").tag(config=True)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Execute every code cell of ``nb`` in place."""
        self._ends = time.monotonic() + self.total_timeout
        self._gave_up, self._job = "", None
        student = resources.get("nbgrader", {}).get("student", "")
        jail = _usable_jail()
        if jail is None:
            with _variable("FPGACLASS_STUDENT", student):
                return self._run(nb, resources)
        with _job_folder(Path(resources["metadata"]["path"]), jail, student) as self._job:
            return self._run(nb, resources)

    def _run(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        nb, resources = super().preprocess(nb, resources)
        _require_proofs(nb)
        return nb, resources

    def create_kernel_manager(self) -> Any:
        """Return a manager whose kernel runs in the jail, with sockets in the job's folder."""
        if self._job is None:
            return super().create_kernel_manager()
        specs = KernelSpecManager(kernel_dirs=[str(self._job / "kernels")], ensure_native_kernel=False)
        self.km = _JobKernelManager(
            kernel_name="python3",
            kernel_spec_manager=specs,
            transport="ipc",
            ip=str(self._job / "k"),
            connection_file=str(self._job / "connection.json"),
            config=self.config,
        )
        return self.km

    def preprocess_cell(self, cell: Any, resources: Any, index: int) -> tuple[Any, Any]:
        """Execute a cell; after the kernel died or the time was up, give it an error instead."""
        if cell.cell_type != "code" or not cell.source.strip():
            return cell, resources
        self._printed = 0
        left = self._ends - time.monotonic()
        if not self._gave_up and left <= 0:
            self._give_up(f"the notebook took more than {self.total_timeout} s")
        if not self._gave_up:
            whole, self.timeout = self.timeout, math.ceil(min(self.timeout or left, left))
            try:
                done: tuple[Any, Any] = super().preprocess_cell(cell, resources, index)
                return done
            except DeadKernelError:
                self._give_up("the kernel died (out of memory, or the code ended it)")
            except CellTimeoutError:
                self._give_up("the kernel did not answer any more")
            finally:
                self.timeout = whole
        cell.outputs.append(
            new_output("error", ename="NotRun", evalue=self._gave_up, traceback=[self._gave_up])
        )
        return cell, resources

    def _give_up(self, reason: str) -> None:
        self._gave_up = reason
        self.log.warning("%s %s", NOT_RUN, reason)

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Take in what the kernel prints, up to the limit."""
        if msg["msg_type"] in _OUTPUTS:
            before = self._printed
            self._printed += len(str(msg["content"]))
            if self._printed > self.output_limit:
                if before <= self.output_limit:
                    cell.outputs.append(new_output("stream", name="stdout", text="\n[the rest was cut]\n"))
                return None
        return super().process_message(msg, cell, cell_index)


class JailedExporter(NotebookExporter):
    """The first thing nbgrader makes when it grades: a missing jail stops it before it removes anything."""

    def __init__(self, **kwargs: Any) -> None:
        _usable_jail()
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]


class _JobKernelManager(AsyncKernelManager):
    """A kernel manager whose connection file belongs to the jailed user."""

    def write_connection_file(self, **kwargs: Any) -> None:
        super().write_connection_file(**kwargs)
        owner = Path(self.connection_file).parent.stat()
        os.chown(self.connection_file, owner.st_uid, owner.st_gid)


def _usable_jail() -> Jail | None:
    """Return the jail, or None in a class that does without.

    Raises:
        ClassroomError: this is a server of a class with jails, and no jail can be made inside its own.
    """
    jail = find_jail()
    if isinstance(jail, Jail):
        return jail
    if os.environ.get(SEAT_VARIABLE) == "jailed":
        step = "run `fpgaclass grade` in a terminal of the machine where `fpgaclass up` runs"
        raise ClassroomError("students' code cannot be run safely from here", next_step=step)
    return None


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    old = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if old is None:
            del os.environ[name]
        else:
            os.environ[name] = old


def _require_proofs(notebook: Any) -> None:
    """Give an error to each check that did not print its last line: nbgrader takes silence for success."""
    for cell in notebook.cells:
        if cell.cell_type != "code" or not is_grade(cell) or is_solution(cell):
            continue
        proof = proof_line(cell.source)
        printed = "".join(out.text for out in cell.outputs if out.get("name") == "stdout").splitlines()
        failed = any(out.output_type == "error" for out in cell.outputs)
        if proof and proof not in printed and not failed:
            text = "the check did not run to its end"
            cell.outputs.append(new_output("error", ename="NotRun", evalue=text, traceback=[text]))


@contextmanager
def _job_folder(submission: Path, jail: Jail, student: str) -> Iterator[Path]:
    """Make the folder that one jailed run sees: the submission's files, the sockets, the kernel's command."""
    folder = tempfile.gettempdir()
    folder = folder if len(folder) < 80 else "/tmp"  # a socket's path has 107 bytes at most
    job = Path(tempfile.mkdtemp(prefix="fpgaclass-job-", dir=folder))
    try:
        work = shutil.copytree(submission, job / "work", ignore=shutil.ignore_patterns("*.ipynb"))
        person = Person("grader", GRADER_UID, "/tmp")
        mounts = (*jail.account_files(person, job), Mount(job, str(job), writable=True))
        kernel = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        limited = ["prlimit", *_limits(), "--", *kernel, "--IPKernelApp.log_level=50"]
        environment = _environment(student)
        command = jail.command(limited, person, mounts, network=False, cwd=str(work), environment=environment)
        spec = job / "kernels" / "python3"
        spec.mkdir(parents=True)
        text = {"argv": command, "display_name": "Jailed", "language": "python", "interrupt_mode": "message"}
        (spec / "kernel.json").write_text(json.dumps(text))
        if jail.by_root:
            for path in (job, work, *work.rglob("*")):
                os.chown(path, GRADER_UID, GRADER_UID, follow_symlinks=False)
        yield job
    finally:
        shutil.rmtree(job, ignore_errors=True)


def _environment(student: str) -> dict[str, str]:
    """Return all variables that submitted code sees."""
    return {
        "FPGACLASS_STUDENT": student,
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "NBGRADER_EXECUTION": "autograde",
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
    }


def _limits() -> list[str]:
    """Return prlimit's options: no core dumps, 1 GB a file, half the machine's memory, 4096 threads."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return ["--core=0", "--fsize=1000000000", f"--data={max(memory // 2, 2**31)}", "--nproc=4096"]
