"""The courses of one hub: each has its own gradebook, labs and instructors; people and homes are shared.

A course joins the hub whose state directory it is brought up with (`fpgaclass.classroom.hub.joining`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from fpgaclass.classroom.layout import Layout, read_json, write_json
from fpgaclass.classroom.roster import load_everybody
from fpgaclass.course import Course


@dataclass(frozen=True)
class Hosted:
    """A course of a hub.

    Attributes:
        course_id: nbgrader's name of it.
        path: its course.yaml.
        title: what it is called.
        instructor: whose home holds its folder.
    """

    course_id: str
    path: str
    title: str
    instructor: str

    @classmethod
    def of(cls, course: Course) -> Hosted:
        """Return the entry of a course."""
        return cls(course.course_id, str(course.path), course.title, course.instructors[0])

    def layout(self, state: Path) -> Layout:
        """Return where it keeps its things."""
        return Layout(state, self.course_id, self.instructor)


def hosted(state: Path) -> tuple[Hosted, ...]:
    """Return the courses of the hub with this state directory, in the order in which they joined."""
    return tuple(Hosted(**entry) for entry in read_json(Layout(state, "", "").courses, []))


def ensure_hosted(state: Path, course: Hosted) -> tuple[Hosted, ...]:
    """Put a course on the hub's list, in place of what was known of it, and return the list."""
    known = {one.course_id: one for one in hosted(state)} | {course.course_id: course}
    write_json(Layout(state, "", "").courses, [asdict(one) for one in known.values()])
    return tuple(known.values())


def roles_of(state: Path, user: str) -> Mapping[str, str]:
    """Return what somebody is in each course of the hub that they are in."""
    people = load_everybody(Layout(state, "", ""))
    return dict(next((one.roles for one in people if one.name == user), ()))


def way_to_labs(layout: Layout, user: str) -> tuple[str, ...]:
    """Return the folders from somebody's home to their labs of a course: its name if they are in several."""
    return (layout.course_id,) if len(roles_of(layout.state, user)) > 1 else ()
