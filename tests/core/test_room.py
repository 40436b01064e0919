"""A full disk: seen before work starts where it can be, and else named in one line."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from fpgaclass.core import ClassroomError, DiskFullError, as_disk_full, require_room


def test_too_little_room_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """Half a build on a full disk is a loss of ten minutes."""
    require_room(tmp_path, 0.001, "FPGACLASS_CACHE")
    with pytest.raises(DiskFullError, match=r"this needs 1e\+12 MB .*by FPGACLASS_CACHE"):
        require_room(tmp_path, 1e12, "FPGACLASS_CACHE")


def test_a_full_disk_is_known_behind_other_errors(tmp_path: Path) -> None:
    """The kernel's own error, SQLite's, and either of them as the cause of one of ours; nothing else."""
    with pytest.raises(OSError, match="No space left") as written, Path("/dev/full").open("w") as file:
        file.write("x" * 100_000)
    assert as_disk_full(written.value) is not None
    database = sqlite3.connect(tmp_path / "small.db")
    database.execute("CREATE TABLE t (x)")
    database.execute("PRAGMA max_page_count = 3")
    with pytest.raises(sqlite3.OperationalError) as stored:
        database.execute("INSERT INTO t VALUES (?)", ("x" * 100_000,))
    ours = ClassroomError("the gradebook could not be written")
    ours.__cause__ = stored.value
    assert as_disk_full(ours) is not None
    assert as_disk_full(ValueError("full of faults")) is None
    loop = ValueError("its own context")
    loop.__context__ = loop.__cause__ = None
    assert as_disk_full(loop) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
def test_a_class_does_not_begin_on_a_full_disk(tmp_path: Path) -> None:
    """One line that names the disk and the variable, and nothing half-made."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=True)
    try:
        command = [sys.executable, "-c", "from fpgaclass.cli import main; main()", "up"]
        env = {**os.environ, "FPGACLASS_STATE": str(disk / "state")}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "0.4 MB are free on the disk, and this needs 100 MB" in done.stderr
        assert "FPGACLASS_STATE" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert not [path for path in disk.rglob("*") if path.is_file()]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
