"""The labs as they were released, from the course folder and the gradebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fpgaclass.classroom.gradebook.gradebook import Writer
from fpgaclass.core import ClassroomError
from fpgaclass.engine import Master, make_master, reference_texts


def load_masters(course: Path, lab: str, book: Writer) -> tuple[Master, ...]:
    """Return the notebooks of a lab as they were released, hidden tests included.

    Args:
        course: the course folder, with source/ and release/.
        lab: the lab's name.
        book: the gradebook, which knows the hidden tests.

    Raises:
        ClassroomError: a released notebook is not there, or cannot be read.
    """
    return tuple(_master(course, lab, name, book) for name in book.notebooks)


def given_files(course: Path, lab: str) -> dict[str, bytes]:
    """Return the files that stand beside a lab's notebooks, by relative path."""
    folder = course / "source" / lab
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".ipynb" and ".ipynb_checkpoints" not in path.parts
    }


def _master(course: Path, lab: str, name: str, book: Writer) -> Master:
    source = course / "source" / lab / f"{name}.ipynb"
    references = reference_texts(_read(source)) if source.is_file() else {}
    released = _read(course / "release" / lab / f"{name}.ipynb")
    return make_master(name, released, book.sources(name), references)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as trouble:
        step = f"release {path.parent.name} again"
        raise ClassroomError(
            f"{path.name} cannot be read: {trouble}", where=str(path), next_step=step
        ) from trouble
