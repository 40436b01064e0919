"""The course itself: course.yaml, read and checked."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from fpgaclass.core import CourseError, UsageError
from fpgaclass.course.lab import Lab
from fpgaclass.course.validated import LAB_NAME, PLAIN_NAME, Strict, read_yaml

Name = Annotated[str, StringConstraints(pattern=PLAIN_NAME, max_length=31)]
LabName = Annotated[str, StringConstraints(pattern=LAB_NAME, max_length=64)]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as trouble:
        raise ValueError("a time zone such as Europe/Rome or UTC") from trouble
    return name


class LatePolicy(Strict):
    """What a late submission costs.

    Attributes:
        grace_minutes: lateness up to this costs nothing.
        percent_per_day: of the mark reached, for each day begun after the grace.
        days: after so many days nothing is left.
    """

    grace_minutes: int = Field(default=0, ge=0, le=24 * 60)
    percent_per_day: int = Field(default=0, ge=0, le=100)
    days: int | None = Field(default=None, ge=1)

    def penalty(self, score: float, seconds_late: float) -> float:
        """Return the points that come off a score.

        Args:
            score: the points reached.
            seconds_late: seconds after the deadline; 0 or less is in time.

        Example:
            >>> LatePolicy(grace_minutes=10, percent_per_day=20, days=3).penalty(10, 25 * 3600)
            4.0
        """
        late = seconds_late - 60 * self.grace_minutes
        if late <= 0:
            return 0.0
        days = math.ceil(late / 86400)
        if self.days is not None and days > self.days:
            return float(score)
        return score * min(1.0, days * self.percent_per_day / 100)


class LabEntry(Strict):
    """A lab's place in the course.

    Attributes:
        name: the folder in notebooks/.
        points: what the lab gives; it must be what its lab.py adds up to.
        deadline: the last moment to submit; with the course's time zone if it names none. None: no deadline.
        late: what lateness costs.
        released: False keeps a lab back.
    """

    name: LabName
    points: int = Field(ge=1)
    deadline: datetime | None = None
    late: LatePolicy = LatePolicy()
    released: bool = True

    @field_validator("deadline", mode="before")
    @classmethod
    def _with_a_time(cls, given: object) -> object:
        a_day = isinstance(given, date) and not isinstance(given, datetime)
        if a_day or (isinstance(given, str) and ":" not in given):  # would be due as that day begins
            raise ValueError("a day and a time, such as 2027-03-15 23:59:00")
        return given


class Seats(Strict):
    """What a student's server may take of the machine, and reach.

    Attributes:
        memory_gb: GiB of memory, the notebooks' kernels included.
        cpus: cores of processor time; 0 for a fair share.
        processes: processes and threads.
        internet: hosts that notebooks and terminals may reach over HTTP and HTTPS, with ``*`` for a part of a
            name; none by default.
    """

    memory_gb: float = Field(default=4.0, gt=0.2)
    cpus: float = Field(default=0.0, ge=0)
    processes: int = Field(default=2048, ge=64)
    internet: tuple[str, ...] = ()


class LogIn(Strict):
    """Login through an identity provider, by OpenID Connect; the roster stays the course's.

    Attributes:
        issuer: the provider's address, such as ``https://idp.example.edu/realms/main``.
        client_id: what the provider calls this class's hub; its secret is never written here.
        name: what the login button says.
        username_claim: what of the provider's answer names the person.
        users: that name -> login name of the class, for those whose names differ.
    """

    issuer: str = Field(pattern=r"^https?://")
    client_id: str = Field(min_length=1)
    name: str = "your university"
    username_claim: str = "preferred_username"
    users: dict[str, Name] = Field(default_factory=dict)


class Course(Strict):
    """A course, as course.yaml defines it.

    Attributes:
        course_id: nbgrader's name of the course.
        title: for people.
        timezone: of deadlines that name none, such as ``Europe/Rome``.
        notebooks: the folder of the labs, seen from course.yaml.
        instructors: login names.
        students: login names of the demo class, or of a small real one.
        boards: names of the boards that the labs may use.
        labs: the labs, in the order of the course.
        login: an identity provider; None for passwords of the class's own.
        seats: what a student's server may take and reach on the class's machine.
        cohort: seats in a cloud, as ``fpgaclass.cohort`` reads and checks them; None for one machine.
        path: the course.yaml it was read from.
    """

    course_id: Name
    title: str = Field(min_length=3)
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    notebooks: str = "../notebooks"
    instructors: tuple[Name, ...] = Field(min_length=1)
    students: tuple[Name, ...] = ()
    boards: tuple[Name, ...] = ("u250",)
    labs: tuple[LabEntry, ...] = Field(min_length=1)
    login: LogIn | None = None
    seats: Seats = Seats()
    cohort: dict[str, Any] | None = None
    path: Path = Field(default=Path("course.yaml"), exclude=True)

    @field_validator("labs")
    @classmethod
    def _once(cls, labs: tuple[LabEntry, ...]) -> tuple[LabEntry, ...]:
        names = [lab.name for lab in labs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"each lab once; twice here: {', '.join(twice)}")
        return labs

    @field_validator("students", "instructors")
    @classmethod
    def _one_person_once(cls, people: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in people if people.count(name) > 1})
        if twice:
            raise ValueError(f"everybody once; twice here: {', '.join(twice)}")
        return people

    @model_validator(mode="after")
    def _one_role_each(self) -> Course:
        both = sorted(set(self.instructors) & set(self.students))
        if both:
            raise ValueError(f"nobody is student and instructor at once: {', '.join(both)}")
        return self

    @classmethod
    def load(cls, path: Path | str) -> Course:
        """Read a course from its course.yaml, or from the folder that holds it.

        Raises:
            CourseError: the file is missing or wrong; the message names file, line, key and what is allowed.

        Example:
            >>> Course.load("course").course_id  # doctest: +SKIP
            'fpgaclass101'
        """
        path = Path(path)
        if path.is_dir():
            path = path / "course.yaml"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as trouble:
            raise CourseError(f"the course cannot be read: {trouble}", where=str(path)) from trouble
        return read_yaml(text, cls, where=str(path)).model_copy(update={"path": path.resolve()})

    @cached_property
    def folder(self) -> Path:
        """The folder of the labs."""
        return (self.path.parent / self.notebooks).resolve()

    def entry(self, name: str) -> LabEntry:
        """Return a lab's place in the course.

        Raises:
            UsageError: the course has no such lab.
        """
        for entry in self.labs:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.labs)
        raise UsageError(
            f"the course has no lab '{name}'", where=str(self.path), next_step=f"one of: {known}"
        )

    def lab(self, name: str) -> Lab:
        """Load one lab of the course and check that its points are those of course.yaml.

        Raises:
            CourseError: the lab is wrong, or its points are not those announced.
            UsageError: the course has no such lab.
        """
        entry = self.entry(name)
        lab = Lab.load(self.folder / name)
        if lab.points != entry.points:
            raise CourseError(
                f"{name} adds up to {lab.points} points, and the course announces {entry.points}",
                where=f"{lab.path} and {self.path}",
                next_step=f"points: {lab.points} in course.yaml, or other points in lab.py",
            )
        return lab

    def deadline(self, name: str) -> datetime | None:
        """Return the deadline of a lab in UTC, or None."""
        when = self.entry(name).deadline
        if when is None:
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=ZoneInfo(self.timezone))
        return when.astimezone(UTC)
