"""Where a class keeps its things."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fpgaclass.classroom.layout import ensure_private, ensure_state, locked, read_json, write_json
from fpgaclass.core import ClassroomError
from fpgaclass.engine.sandbox import Jail, find_jail


def test_a_state_that_cannot_be_written_says_where_and_what_next(tmp_path: Path) -> None:
    """The first thing that goes wrong on a shared machine is the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ClassroomError, match=r"this is a file \(.*/file\).*Next: .*--state"):
        ensure_private(tmp_path / "file" / "state")


def test_a_full_disk_is_named_and_leaves_the_old_file() -> None:
    """A roster cut in half would lock the class out; the message must say that it is the disk."""
    jail = find_jail()
    if not isinstance(jail, Jail):
        pytest.skip(f"needs a small disk, made by bubblewrap: {jail.reason}")
    program = """
from pathlib import Path
from fpgaclass.classroom.layout import write_text
from fpgaclass.core import ClassroomError
write_text(Path("/mnt/roster.json"), "kept")
try:
    write_text(Path("/mnt/roster.json"), "x" * 10**6)
except ClassroomError as error:
    print(error)
print([(path.name, path.read_text()) for path in Path("/mnt").iterdir()])
"""
    disk = [jail.bwrap, "--dev-bind", "/", "/", "--size", "65536", "--tmpfs", "/mnt"]
    done = subprocess.run([*disk, sys.executable, "-c", program], capture_output=True, text=True)
    assert "No space left on device" in done.stdout, done.stderr
    assert "make room on that disk" in done.stdout
    assert done.stdout.endswith("[('roster.json', 'kept')]\n")


def test_a_folder_of_something_else_is_not_taken_over(tmp_path: Path) -> None:
    """As root, `--state /srv` would close that folder to everybody else."""
    (tmp_path / "thesis.tex").write_text("mine")
    before = tmp_path.stat().st_mode
    with pytest.raises(
        ClassroomError, match=r"holds other things than a class.*Next: give a new or an empty"
    ):
        ensure_state(tmp_path)
    assert tmp_path.stat().st_mode == before
    (tmp_path / "thesis.tex").rename(tmp_path / "up.lock")
    assert ensure_state(tmp_path).stat().st_mode & 0o777 == 0o700


def test_what_is_written_is_whole_and_private(tmp_path: Path) -> None:
    """Hashes and secrets are for the owner's eyes; a reader never sees half of a file."""
    path = tmp_path / "secret.json"
    write_json(path, {"a": 1})
    assert read_json(path, None) == {"a": 1}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["secret.json"]


def test_a_broken_file_of_ours_is_named(tmp_path: Path) -> None:
    """Somebody edits the roster by hand and forgets a comma."""
    (tmp_path / "roster.json").write_text("[,]")
    with pytest.raises(ClassroomError, match=r"roster\.json cannot be read.*restore the file"):
        read_json(tmp_path / "roster.json", [])


def test_two_commands_do_not_do_the_same_work_at_once(tmp_path: Path) -> None:
    """Two graders of one course would each undo the other's."""
    with (
        locked(tmp_path / "lock", "grading"),
        pytest.raises(ClassroomError, match="another command is grading"),
        locked(tmp_path / "lock", "grading"),
    ):
        pass
    with locked(tmp_path / "lock", "grading"):
        pass


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    """`--state grades.csv`: there is no copy to restore the roster from, and never was one."""
    (tmp_path / "grades.csv").write_text("")
    state = tmp_path / "grades.csv"
    for use in (lambda: read_json(state / "roster.json", []), lambda: ensure_state(state)):
        with pytest.raises(ClassroomError, match=r"this is a file \(.*grades\.csv\).*--state"):
            use()
