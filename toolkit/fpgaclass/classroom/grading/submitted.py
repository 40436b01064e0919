"""What stands beside the notebooks of a submission that was collected."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

_KEPT_BESIDE = 100_000_000
_DEEPEST = 50
_THE_SERVERS = ("timestamp.txt", "submission_secret.txt")


def read_timestamp(folder: Path) -> datetime | None:
    """Return when a submission was made, in UTC without a zone, or None."""
    try:
        text = (folder / "timestamp.txt").read_text().strip()
        when = datetime.fromisoformat(text.removesuffix(" UTC").strip())
        return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
    except (OSError, ValueError, OverflowError):
        return None


def submitted_files(folder: Path) -> list[Path]:
    """Return the plain files below a folder, sorted; no links, and nothing below fifty folders.

    What walks a folder by calling itself for each level ends with an error at a few hundred, and a folder
    from elsewhere can have thousands.
    """
    found: list[Path] = []
    level = [folder]
    for _ in range(_DEEPEST):
        level = [below for one in level for below in _look(one, found)]
    return sorted(found)


def _look(folder: Path, found: list[Path]) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)
            elif entry.is_file(follow_symlinks=False):
                found.append(Path(entry.path))


def files_beside(folder: Path, given: Collection[str]) -> dict[str, bytes]:
    """Return what was submitted beside the notebooks: plain files, none in the place of what was released.

    Args:
        folder: where the submission was collected.
        given: what was released beside the notebooks: a file of that name, a folder of that name, and a file
            where a released one's folder is, are left out.
    """
    taken = {*given, *(str(above) for name in given for above in PurePosixPath(name).parents)}
    found, room = {}, _KEPT_BESIDE
    for path in submitted_files(folder):
        way = path.relative_to(folder)
        inside = any(str(above) in given for above in way.parents)
        if inside or str(way) in taken or str(way) in _THE_SERVERS or path.suffix == ".ipynb":
            continue
        if path.stat().st_size <= room:
            found[str(way)] = path.read_bytes()
            room -= len(found[str(way)])
    return found
