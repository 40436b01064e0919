"""What travels to the hosts: the students' notebooks and a hub's course, the same bytes each time."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import yaml

from fpgaclass.cohort import bundle
from fpgaclass.cohort.spec import load_spec


@pytest.fixture
def labs(course: Path) -> Path:
    """The course with a lab that is released, one that is kept back, and one that has no notebook."""
    for name in ("01_muon_momentum", "02_kept", "03_bare"):
        folder = course.parent / "labs" / name
        folder.mkdir(parents=True)
        (folder / "lab.py").write_text("# the solution\n")
        if name != "03_bare":
            (folder / f"{name}.ipynb").write_text("{}")
    more = ", {name: 02_kept, points: 1, released: false}, {name: 03_bare, points: 1}]\nnotebooks: labs\n"
    course.write_text(course.read_text().replace("points: 20}]\n", "points: 20}" + more))
    return course


def _names(path: Path | None) -> list[str]:
    assert path is not None
    with tarfile.open(path) as tar:
        return sorted(tar.getnames())


def test_students_get_released_notebooks_and_no_solution(labs: Path, tmp_path: Path) -> None:
    """The archive is unpacked in every student's home."""
    packed = bundle.pack_notebooks(load_spec(labs), tmp_path)
    assert _names(packed) == ["notebooks/01_muon_momentum/01_muon_momentum.ipynb"]


def test_a_course_without_notebooks_has_no_archive(course: Path, tmp_path: Path) -> None:
    """An empty archive is an error to tar, on every host at once."""
    assert bundle.pack_notebooks(load_spec(course), tmp_path) is None
    alone = tmp_path / "cohort.yaml"
    alone.write_text("name: c27\nhours: 1\n")
    assert bundle.pack_notebooks(load_spec(alone), tmp_path) is None
    assert bundle.pack_course(load_spec(alone), [], tmp_path) is None


def test_a_hub_gets_the_course_with_the_cohort_s_students(labs: Path, tmp_path: Path) -> None:
    """Where its copy of the seats is, not the cohort, whose keys are elsewhere; the same bytes each time."""
    packed = bundle.pack_course(load_spec(labs), ["vera"], tmp_path)
    assert packed is not None
    first = packed.read_bytes()
    with tarfile.open(packed) as tar:
        text = tar.extractfile("course/course.yaml")
        assert text is not None
        document = yaml.safe_load(text)
    assert (document["students"], document["notebooks"]) == (["vera"], "../notebooks")
    assert document["cohort"] == {"posted": "../seats.json"}
    assert "notebooks/02_kept/lab.py" in _names(packed)
    again = bundle.pack_course(load_spec(labs), ["vera"], tmp_path)
    assert again is not None
    assert again.read_bytes()[10:] == first[10:], "but for the time in gzip's head"
