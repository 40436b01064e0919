"""Write what nbgrader releases from: ``source/<lab>/<lab>.ipynb`` and the files beside it."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from fpgaclass.course.definition import Course
from fpgaclass.course.lab import Lab
from fpgaclass.course.notebook import source_notebook

_OURS = ("lab.py", "*.ipynb", "__pycache__", ".ipynb_checkpoints", ".*")


def release(course: Course, lab: str, root: Path | str) -> Path:
    """Write a lab of the course into nbgrader's source tree; the same lab gives the same bytes.

    nbgrader's own ``generate_assignment`` makes the student's version from it, and puts the cells into the
    gradebook.

    Args:
        course: the course.
        lab: the lab's name, such as ``"01_muon_momentum"``.
        root: nbgrader's course directory.

    Returns:
        The notebook written.

    Raises:
        CourseError: the lab or its entry in course.yaml is wrong.
        UsageError: the course has no such lab.
    """
    return ensure_source(course.lab(lab), Path(root))


def ensure_source(lab: Lab, root: Path) -> Path:
    """Write one lab's source notebook and the files that stand beside its lab.py."""
    import nbformat

    folder = root / "source" / lab.name
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in given_files(lab).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    path = folder / f"{lab.name}.ipynb"
    path.write_text(nbformat.writes(source_notebook(lab)) + "\n", encoding="utf-8")
    return path


def given_files(lab: Lab) -> dict[str, bytes]:
    """Return what a lab needs beside its notebook (pictures, data), without lab.py and notebooks."""
    folder = lab.path.parent
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(fnmatch(part, own) for part in _parts(path, folder) for own in _OURS)
    }


def _parts(path: Path, folder: Path) -> tuple[str, ...]:
    return path.relative_to(folder).parts
