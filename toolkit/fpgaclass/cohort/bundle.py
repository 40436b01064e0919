"""What travels to the hosts: the toolkit as a wheel, the students' notebooks, and the course for a hub."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from fpgaclass.cohort.spec import POSTED, CohortFile
from fpgaclass.core import run_tool
from fpgaclass.course import Course


def build_wheel(folder: Path) -> Path | None:
    """Build the toolkit's wheel in a clone; the same tree gives the same bytes. None outside of a clone.

    Raises:
        BuildError: the build failed.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / "pyproject.toml").is_file():
        return None
    run_tool([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=root)
    return next(folder.glob("*.whl"))


def check_course(file: CohortFile) -> None:
    """Read the course around a cohort: what ``configure`` would trip over is told before money is spent.

    Raises:
        CourseError: the course is not right.
    """
    if file.path.name == "course.yaml":
        Course.load(file.path)


def pack_notebooks(file: CohortFile, folder: Path) -> Path | None:
    """Pack the students' versions of the released labs; None where there are none.

    Raises:
        CourseError: the course is not right.
    """
    if file.path.name != "course.yaml":
        return None
    course = Course.load(file.path)
    notebooks = [course.folder / x.name / f"{x.name}.ipynb" for x in course.labs if x.released]
    there = [path for path in notebooks if path.is_file()]
    if not there:
        return None  # an empty archive is an error to tar
    target = folder / "notebooks.tar.gz"
    with _packed(target) as tar:
        for path in there:
            _add(tar, f"notebooks/{path.parent.name}/{path.name}", path.read_bytes())
    return target


def pack_course(file: CohortFile, students: Sequence[str], folder: Path) -> Path | None:
    """Pack the course for a hub of its own: course.yaml with these students, and the labs.

    The cohort's part stays here: its state and its keys are here. So do names and addresses of the roster.
    In its place the hub finds where the copy of the seats is, which this machine sends.
    """
    if file.path.name != "course.yaml":
        return None
    course = Course.load(file.path)
    document = yaml.safe_load(file.path.read_text(encoding="utf-8"))
    posted = {POSTED: "../seats.json"}
    document |= {"students": list(students), "notebooks": "../notebooks", "cohort": posted}
    target = folder / "course.tar.gz"
    with _packed(target) as tar:
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        _add(tar, "course/course.yaml", text.encode())
        for entry in course.labs:
            for path in sorted((course.folder / entry.name).rglob("*")):
                inside = path.relative_to(course.folder)
                if path.is_file() and not any(part.startswith((".", "__")) for part in inside.parts):
                    _add(tar, f"notebooks/{inside}", path.read_bytes())
    return target


def _packed(target: Path) -> tarfile.TarFile:
    return tarfile.open(target, "w:gz", compresslevel=6)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    # Without times and owners the same files give the same archive, and a second run changes nothing.
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))
