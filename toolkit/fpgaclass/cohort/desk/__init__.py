"""A student's side of the cohort: their seat and their turns, at the database or through the hub."""

from __future__ import annotations

import os
from pathlib import Path

from fpgaclass.cohort.desk.local import LocalDesk
from fpgaclass.cohort.desk.port import Desk
from fpgaclass.cohort.desk.remote import URL_VARIABLE, HubDesk

__all__ = ["Desk", "HubDesk", "LocalDesk", "open_desk"]


def open_desk(course: Path | str | None = None, student: str | None = None) -> Desk:
    """Return the desk of a student.

    In a server of the class the hub says who you are, and neither argument is needed. Beside the state, where
    an instructor works, both are.

    Args:
        course: course.yaml, its folder, or the cohort's own file.
        student: the login.

    Raises:
        LeaseError: this is no server of a class, and it was not said whose desk is meant.
        CohortError: nobody is called like that.

    Example:
        >>> open_desk().book(slots=2)  # doctest: +SKIP
        Lease(identity='5f0c', student='ada', card='card/0', ...)
    """
    if course is None and student is None and os.environ.get(URL_VARIABLE):
        return HubDesk(os.environ[URL_VARIABLE], os.environ.get("JUPYTERHUB_API_TOKEN", ""))
    return LocalDesk(course or "course", student)
