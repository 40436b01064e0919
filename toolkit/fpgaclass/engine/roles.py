"""The two roles of a fork: the student's process, and the clean one."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from fpgaclass.engine.answers import Answers, put_files
from fpgaclass.engine.checker import Checker
from fpgaclass.engine.job import Job
from fpgaclass.engine.line import Line
from fpgaclass.engine.shell import CellShell, open_cells
from fpgaclass.engine.wire import Wire, WireError

_PATIENCE = 60.0


def answer(shell: CellShell, line: socket.socket, trouble: str) -> None:
    """Be the student's process."""
    wire = Wire(line)
    wire.send({"ready": not trouble, "trouble": trouble})
    if trouble:
        return
    open_cells(shell)
    if "" not in sys.path:
        sys.path.insert(0, "")
    Answers(wire, shell).serve()


def check(shell: CellShell, line: socket.socket, report: socket.socket, folder: Path, trouble: str) -> None:
    """Be the clean process: read the job, run it, report."""
    orders, wire = Wire(report), Wire(line)
    try:
        if not trouble:
            trouble = str(wire.receive(time.monotonic() + _PATIENCE).header.get("trouble", ""))
    except WireError as silent:
        trouble = f"the student's process did not start: {silent}"
    if trouble:
        orders.send({"infrastructure": trouble})
        return
    orders.send({"ready": True})
    job = Job.from_bytes(bytes(orders.receive(time.monotonic() + _PATIENCE).buffers[0]))
    # A program that a check starts must not import what a student wrote either.
    os.environ.update(_environment(job, folder) | {"PYTHONSAFEPATH": "1"})
    # Modules that were released beside the notebook can be imported here; what the student writes cannot.
    put_files(folder / "given", job.given)
    put_files(folder / "work", job.given)
    sys.path[:] = [str(folder / "given"), *(entry for entry in sys.path if entry not in ("", "."))]
    open_cells(shell)
    talk = Line(wire, lambda: orders.send({"op": "interrupt"}), lambda: orders.send({"op": "end"}))
    talk.deadline = time.monotonic() + _PATIENCE
    theirs = folder.with_name("answers")
    setup: dict[str, Any] = {
        "environment": _environment(job, theirs),
        "folder": str(theirs / "work"),
        "files": job.files | job.given,
    }
    talk.ask("setup", payload=setup)
    plain = {
        "cells": [cell.__dict__ for cell in job.cells],
        "reserved": job.reserved,
        "given": list(job.given),
        "cell_seconds": job.cell_seconds,
        "total_seconds": job.total_seconds,
        "output_limit": job.output_limit,
    }
    Checker(plain, talk, shell, orders).run()


def _environment(job: Job, folder: Path) -> dict[str, str]:
    return {
        "FPGACLASS_STUDENT": job.student,
        "HOME": str(folder),
        "NBGRADER_EXECUTION": "autograde",
        "NBGRADER_VALIDATING": "",
        **({"FPGACLASS_CACHE": str(folder / "cache")} if job.jailed else {}),
    }
