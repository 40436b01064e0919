"""Where the files of provisioning/ are: price book, playbooks, templates."""

from __future__ import annotations

import os
from pathlib import Path

from fpgaclass.cohort.errors import CohortError


def provisioning(*parts: str) -> Path:
    """Return a file or folder of provisioning/.

    ``FPGACLASS_PROVISIONING`` overrides; otherwise the clone's folder, or the one packed into the wheel.

    Raises:
        CohortError: it is in none of them.
    """
    here = Path(__file__).resolve()
    override = os.environ.get("FPGACLASS_PROVISIONING")
    roots = [Path(override)] if override else [here.parents[3] / "provisioning", here.parent / "provisioning"]
    for root in roots:
        if (found := root.joinpath(*parts)).exists():
            return found
    raise CohortError(
        f"provisioning/{'/'.join(parts)} is missing",
        where=", ".join(str(root) for root in roots),
        next_step="work in a clone of the course, or set FPGACLASS_PROVISIONING",
    )
