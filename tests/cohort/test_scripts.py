"""What the role of the environment runs on a machine, with machines' Pythons as they are found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from fpgaclass.cohort.places import provisioning

SCRIPT = provisioning("ansible", "roles", "student_environment", "files", "environment.sh")


def _run(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    given = {"ENVIRONMENT": str(folder), "PYTHON": sys.executable, "OPTIONS": "--without-pip", **settings}
    return subprocess.run(
        ["/bin/sh", str(SCRIPT)], env={**os.environ, **given}, capture_output=True, text=True, check=False
    )


def test_a_run_that_was_cut_off_is_made_up_for(tmp_path: Path) -> None:
    """Python makes its links first and pip last: what looks like an environment need not be one."""
    made = tmp_path / "environment"
    assert _run(made).returncode == 0
    (made / "mine").touch()
    assert _run(made).returncode == 0
    assert (made / "mine").exists(), "a whole one stays"
    (made / "bin" / "python").unlink()
    (made / ".made").unlink()
    assert _run(made).returncode == 0
    assert (made / ".made").exists()
    assert not (made / "mine").exists()


def test_a_folder_of_somebody_s_is_not_removed(tmp_path: Path) -> None:
    """A slip in environment_path must not cost anybody's files."""
    (tmp_path / "work").touch()
    done = _run(tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path} is there, and is no environment of Python\n"
    assert (tmp_path / "work").exists()


def test_a_python_that_is_too_old_is_told_with_the_remedy(tmp_path: Path) -> None:
    """Ubuntu 22.04 has 3.10: pip would say so after minutes, of one package or another."""
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.10.12\nexit 1\n')
    old.chmod(0o755)
    path = f"{tmp_path}:/bin"
    done = _run(tmp_path / "environment", PYTHON=str(old), PATH=path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "no Python 3.11 or 3.12 here, but Python 3.10.12: take an image of Ubuntu 24.04"
    )
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "environment").exists()
