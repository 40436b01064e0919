"""Where files of ours live, and how they appear whole or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fpgaclass.core.errors import FpgaClassError


def _xdg(variable: str, fallback: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / fallback) / "fpgaclass"


def cache_directory(*parts: str) -> Path:
    """Return (and make) a folder for what can be made again: builds, compiled simulators.

    ``FPGACLASS_CACHE`` overrides; otherwise ``$XDG_CACHE_HOME/fpgaclass``.
    """
    override = os.environ.get("FPGACLASS_CACHE")
    path = (Path(override) if override else _xdg("XDG_CACHE_HOME", ".cache")).joinpath(*parts)
    return _made(path, "FPGACLASS_CACHE")


def state_directory(*parts: str) -> Path:
    """Return (and make) a folder for what must not be lost: the class, its users' homes, the gradebook.

    ``FPGACLASS_STATE`` overrides; otherwise ``$XDG_STATE_HOME/fpgaclass``.
    """
    override = os.environ.get("FPGACLASS_STATE")
    path = (Path(override) if override else _xdg("XDG_STATE_HOME", ".local/state")).joinpath(*parts)
    return _made(path, "FPGACLASS_STATE")


def _made(path: Path, variable: str) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        step = f"name a folder of yours by {variable}"
        raise FpgaClassError(
            f"no folder can be made: {refused.strerror}", where=str(path), next_step=step
        ) from refused
    return path


def digest_of(*parts: bytes | str | Path) -> str:
    """Return the SHA-256 (hex) of the parts in order; a ``Path`` counts by its content.

    Each part is preceded by its length, so that ("ab", "c") and ("a", "bc") differ.
    """
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            part = part.read_bytes()
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little"))
        total.update(data)
    return total.hexdigest()


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Give a scratch folder that becomes ``target`` only when the block ends well.

    A failure or a kill leaves ``target`` as it was. If another process finishes the same target first,
    its result is kept and ours is dropped: use it for content that is the same for the same name. What a
    killed process left beside ``target`` is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    scratch, lock = _scratch(target)
    try:
        yield scratch
        scratch.chmod(0o755)
        try:
            scratch.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)


@contextmanager
def held_lock(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock that only one process has at a time; the system frees it when its holder dies.

    Args:
        path: of the lock's file, which is gone when nobody holds it.
        waiting: called once if another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if not _lock(lock, or_else=True):
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        # Its last holder has removed the file: others may hold a new one by now.
        if _is_still(path, lock):
            break
        os.close(lock)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(lock)


_SCRATCH = ".fpgaclass-part-"


def _scratch(target: Path) -> tuple[Path, int]:
    """Make a scratch folder beside ``target`` and lock it: an unlocked one has lost its owner."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{target.name}.", dir=target.parent))
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # swept before it could be locked
            continue
        if _lock(lock, or_else=True) and _is_still(folder, lock):
            return folder, lock
        os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove the scratch folders in ``parent`` whose owners are dead."""
    for folder in parent.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                if _lock(lock):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _lock(file: int, or_else: bool = False) -> bool:
    """Lock a file if nobody else has; ``or_else`` is the answer where the file system knows no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # NFS locks no folders
        return or_else
    return True


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
