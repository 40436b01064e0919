"""What stands beside the notebooks of a submission that was collected."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

_KEPT_BESIDE = 100_000_000


def read_timestamp(folder: Path) -> datetime | None:
    """Return when a submission was made, in UTC without a zone, or None."""
    try:
        text = (folder / "timestamp.txt").read_text().strip()
        when = datetime.fromisoformat(text.removesuffix(" UTC").strip())
    except (OSError, ValueError):
        return None
    return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when


def files_beside(folder: Path, given: dict[str, bytes]) -> dict[str, bytes]:
    """Return what was submitted beside the notebooks: plain files, up to a limit, none that was released."""
    found, room = {}, _KEPT_BESIDE
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink() or not path.is_file() or path.suffix == ".ipynb" or name in given:
            continue
        if name in ("timestamp.txt", "submission_secret.txt") or path.stat().st_size > room:
            continue
        found[name] = path.read_bytes()
        room -= len(found[name])
    return found
