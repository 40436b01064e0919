"""The exchange: who a submission is from is decided by the box it lies in."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fpgaclass.classroom import Classroom
from fpgaclass.classroom.exchange import copy_plain

LAB = "01_square"


def _nothing(folder: str, names: list[str]) -> set[str]:  # the signature of an ignore function
    del folder, names
    return set()


def test_a_submission_in_another_students_name_is_left_out(
    classroom: Classroom, submit: Callable[..., Path]
) -> None:
    """With nbgrader's own exchange, this took a classmate's place in the gradebook."""
    honest = submit("ada")
    submit("emmy", signed="ada", when=datetime.now(UTC) + timedelta(hours=1))
    collected = classroom.collect(LAB)
    assert collected.students == ("ada",)
    assert collected.notes == ("emmy: a submission that says it is from ada, left out",)
    stamp = (classroom.layout.course / "submitted" / "ada" / LAB / "timestamp.txt").read_text()
    assert stamp == (honest / "timestamp.txt").read_text()


def test_the_newest_submission_counts(classroom: Classroom, submit: Callable[..., Path]) -> None:
    """Students submit again and again; also after a first collection."""
    submit("ada", "first = 1")
    assert classroom.collect(LAB).students == ("ada",)
    submit("ada", "second = 2", when=datetime.now(UTC) + timedelta(hours=1))
    classroom.collect(LAB)
    text = (classroom.layout.course / "submitted" / "ada" / LAB / f"{LAB}.ipynb").read_text()
    assert "second = 2" in text


def test_a_time_before_the_files_own_is_reported(classroom: Classroom, submit: Callable[..., Path]) -> None:
    """The time is written by the student's side: a deadline invites to write another."""
    submit("ada", when=datetime.now(UTC) - timedelta(days=2))
    assert "was changed after the time it bears" in classroom.collect(LAB).notes[0]


@pytest.mark.parametrize("target", ["source/01_square/01_square.ipynb", "gradebook.db"])
def test_a_link_is_not_followed(classroom: Classroom, submit: Callable[..., Path], target: str) -> None:
    """A link to the reference solution, followed by the instructor's process, would be full marks."""
    submit("emmy")
    folder = submit("ada")
    (folder / f"{LAB}.ipynb").unlink()
    (folder / f"{LAB}.ipynb").symlink_to(classroom.layout.course / target)
    collected = classroom.collect(LAB)
    assert collected.students == ("emmy",)
    assert any("is a link" in note and note.startswith("ada:") for note in collected.notes)


def test_plain_copies_hold_what_a_lab_needs(tmp_path: Path) -> None:
    """Data in folders goes along; what nbgrader ignores does not."""
    source = tmp_path / "in"
    (source / "data").mkdir(parents=True)
    (source / "data" / "x.csv").write_text("1,2")
    (source / "feedback").mkdir()
    (source / "feedback" / "old.html").write_text("")
    copy_plain(source, tmp_path / "out", 1000, lambda folder, names: {"feedback"} & {*names, folder})
    assert [str(p.relative_to(tmp_path / "out")) for p in sorted((tmp_path / "out").rglob("*"))] == [
        "data",
        "data/x.csv",
    ]


def test_a_pipe_does_not_stop_the_collection(tmp_path: Path) -> None:
    """Opening a pipe waits for a writer, for ever."""
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / "pipe")
    with pytest.raises(OSError, match="pipe is not a plain file"):
        copy_plain(tmp_path / "in", tmp_path / "out", 1000, _nothing)


def test_a_huge_submission_is_refused(tmp_path: Path) -> None:
    """One student's 100 GB would fill the disk for all."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"x" * 600)
    (tmp_path / "in" / "b").write_bytes(b"x" * 600)
    with pytest.raises(OSError, match="more than"):
        copy_plain(tmp_path / "in", tmp_path / "out", 1000, _nothing)
