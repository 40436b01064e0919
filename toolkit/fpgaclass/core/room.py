"""Room on the disk: asked for before work starts, and named when it has run out."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from fpgaclass.core.errors import DiskFullError

_OF_THE_SYSTEM = (errno.ENOSPC, errno.EDQUOT)
_OF_SQLITE = "database or disk is full"
_STEP = "free some, or name a folder on another disk by {variable}"


def require_room(folder: Path, megabytes: float, variable: str) -> None:
    """Refuse work that would run out of disk half-way.

    Args:
        folder: where it writes; it exists.
        megabytes: what it needs at the least.
        variable: the environment variable that names another folder.

    Raises:
        DiskFullError: there is less.
    """
    free = shutil.disk_usage(folder).free / 1e6
    if free < megabytes:
        raise DiskFullError(
            f"{free:.1f} MB are free on the disk, and this needs {megabytes:g} MB",
            where=str(folder),
            next_step=_STEP.format(variable=variable),
        )


def as_disk_full(error: BaseException) -> DiskFullError | None:
    """Return what to tell where an error, or one that it came from, is that of a full disk; else None."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        full = isinstance(cause, OSError) and cause.errno in _OF_THE_SYSTEM
        if full or _OF_SQLITE in str(cause):
            where = str(cause.filename) if isinstance(cause, OSError) and cause.filename else None
            step = _STEP.format(variable="FPGACLASS_STATE or FPGACLASS_CACHE") + "; then run it again"
            return DiskFullError("the disk is full", where=where, next_step=step)
        cause = cause.__cause__ or cause.__context__
    return None
