"""What runs code that nobody has read: the jail, warm kernels in it, and checks in a clean process."""

from fpgaclass.engine.job import Cell, CellOutcome, Job, Outcome
from fpgaclass.engine.masters import SourceCell, make_master, reference_texts
from fpgaclass.engine.parent import EngineError, WarmParent
from fpgaclass.engine.pools import run_jobs, threads_of
from fpgaclass.engine.reading import TooLargeError, UnreadableError, read_cells
from fpgaclass.engine.restore import Master, MasterCell, Restored, restore
from fpgaclass.engine.rules import auto_comment, auto_score, graft
from fpgaclass.engine.runner import cool_down, execute, execute_job, warm_up
from fpgaclass.engine.sandbox import Jail, Mount, NoJail, Person, find_jail

__all__ = [
    "Cell",
    "CellOutcome",
    "EngineError",
    "Jail",
    "Job",
    "Master",
    "MasterCell",
    "Mount",
    "NoJail",
    "Outcome",
    "Person",
    "Restored",
    "SourceCell",
    "TooLargeError",
    "UnreadableError",
    "WarmParent",
    "auto_comment",
    "auto_score",
    "cool_down",
    "execute",
    "execute_job",
    "find_jail",
    "graft",
    "make_master",
    "read_cells",
    "reference_texts",
    "restore",
    "run_jobs",
    "threads_of",
    "warm_up",
]
