"""What every room may use: errors, external tools, progress, paths."""

from fpgaclass.core.errors import (
    BuildError,
    BusError,
    CardError,
    ClassroomError,
    CohortError,
    CourseError,
    DiskFullError,
    FirmwareError,
    FpgaClassError,
    HungKernelError,
    InvalidInputError,
    StoppedError,
    ToolMissingError,
    UnsupportedLayerError,
    UsageError,
    WrongCardError,
)
from fpgaclass.core.interrupts import Uninterrupted, heeding_interrupts, wait_until
from fpgaclass.core.loading import load_file
from fpgaclass.core.parallel import together
from fpgaclass.core.paths import atomic_directory, cache_directory, digest_of, held_lock, state_directory
from fpgaclass.core.progress import say, stage, track, warn
from fpgaclass.core.room import as_disk_full, require_room
from fpgaclass.core.tools import Tool, find_tool, require_tool, run_tool

__all__ = [
    "BuildError",
    "BusError",
    "CardError",
    "ClassroomError",
    "CohortError",
    "CourseError",
    "DiskFullError",
    "FirmwareError",
    "FpgaClassError",
    "HungKernelError",
    "InvalidInputError",
    "StoppedError",
    "Tool",
    "ToolMissingError",
    "Uninterrupted",
    "UnsupportedLayerError",
    "UsageError",
    "WrongCardError",
    "as_disk_full",
    "atomic_directory",
    "cache_directory",
    "digest_of",
    "find_tool",
    "heeding_interrupts",
    "held_lock",
    "load_file",
    "require_room",
    "require_tool",
    "run_tool",
    "say",
    "stage",
    "state_directory",
    "together",
    "track",
    "wait_until",
    "warn",
]
