"""Where files of ours live, and how they appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _xdg(variable: str, fallback: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / fallback) / "fpgaclass"


def cache_directory(*parts: str) -> Path:
    """Return (and make) a folder for what can be made again: builds, compiled simulators.

    ``FPGACLASS_CACHE`` overrides; otherwise ``$XDG_CACHE_HOME/fpgaclass``.
    """
    override = os.environ.get("FPGACLASS_CACHE")
    path = (Path(override) if override else _xdg("XDG_CACHE_HOME", ".cache")).joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def state_directory(*parts: str) -> Path:
    """Return (and make) a folder for what must not be lost: the class, its users' homes, the gradebook.

    ``FPGACLASS_STATE`` overrides; otherwise ``$XDG_STATE_HOME/fpgaclass``.
    """
    override = os.environ.get("FPGACLASS_STATE")
    path = (Path(override) if override else _xdg("XDG_STATE_HOME", ".local/state")).joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
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
    its result is kept and ours is dropped: use it for content that is the same for the same name.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
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
