"""Jobs side by side: who stops them does not wait for the slowest."""

from __future__ import annotations

import time

from fpgaclass.engine import Cell, Job, NoJail, find_jail, run_jobs


def _job(source: str) -> Job:
    jailed = not isinstance(find_jail(), NoJail)
    return Job("ada", (Cell(0, "student", source, None, asked=()),), (), (), jailed=jailed, cell_seconds=300)


def test_ctrl_c_ends_what_runs() -> None:
    """A cell may take ten minutes, and its instructor has pressed Ctrl-C; the next run works as ever."""
    running = run_jobs([("quick", _job("1 + 1")), ("endless", _job("while True: pass"))], at_once=2)
    assert next(running)[0][0] == "quick"
    began = time.monotonic()
    running.close()
    assert time.monotonic() - began < 150, "half of what the cell may take"
    ((key, outcome),) = next(run_jobs([("again", _job("2 + 2"))], at_once=2))
    assert (key, outcome.trouble) == ("again", "")
    assert outcome.cells[0].ok
