"""The key pair with which Ansible and the instructor log in."""

from __future__ import annotations

import subprocess
from pathlib import Path

from fpgaclass.cohort.errors import CohortError
from fpgaclass.core import require_tool, state_directory


def private_key(cohort: str) -> Path:
    """Return where the private key of a cohort is kept: beside the state, never in it."""
    return state_directory("cohorts", cohort) / "id_ed25519"


def private_keys(cohort: str, own: Path | None) -> tuple[Path, ...]:
    """Return the files that may open a cohort's machines: of the pair that was made, and the instructor's.

    Args:
        cohort: its name.
        own: the file of the instructor's own public key. Its private half may be elsewhere than beside it, in
            an agent or on a token; then ssh finds it by the public one.

    Raises:
        CohortError: there is none on this machine.
    """
    made = private_key(cohort)
    found = [made] if made.exists() else []
    if own is not None:
        beside = own.with_suffix("")
        found.append(beside if own.suffix == ".pub" and beside.exists() else own)
    if not found:
        step = "run it where the cohort was applied, or copy this file from there"
        raise CohortError(f"the key that opens {cohort} is not here", where=str(made), next_step=step)
    return tuple(found)


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
