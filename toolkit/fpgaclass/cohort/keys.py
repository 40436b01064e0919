"""The key pair with which Ansible and the instructor log in."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fpgaclass.cohort.errors import CohortError
from fpgaclass.core import require_tool, state_directory


def private_key(cohort: str) -> Path:
    """Return where the private key of a cohort is kept: beside the state, never in it."""
    return state_directory("cohorts", cohort) / "id_ed25519"


def ensure_key(cohort: str) -> str:
    """Make the key pair of a cohort if there is none, and return its public half.

    Raises:
        CohortError: ssh-keygen failed.
        ToolMissingError: there is no ssh-keygen.
    """
    path = private_key(cohort)
    public = path.with_suffix(".pub")
    if not public.exists():
        tool = require_tool("ssh-keygen", "apt-get install openssh-client")
        path.unlink(missing_ok=True)
        comment = f"fpgaclass-{cohort}"
        command = [*tool.command, "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise CohortError(f"ssh-keygen failed: {done.stderr.strip()}", where=str(path))
    return public.read_text().strip()


def remove_key(cohort: str) -> None:
    """Remove the key pair of a cohort that is gone."""
    path = private_key(cohort)
    path.unlink(missing_ok=True)
    path.with_suffix(".pub").unlink(missing_ok=True)
