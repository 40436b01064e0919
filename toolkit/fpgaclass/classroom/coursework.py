"""The work of a class, with or without its hub: labs out, submissions in, marks and feedback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from fpgaclass.classroom.exchange import open_desk
from fpgaclass.classroom.gradebook.lateness import EVERYBODY
from fpgaclass.classroom.grading import grading
from fpgaclass.classroom.grading.giving import Given, feedback
from fpgaclass.classroom.grading.marking import Settings
from fpgaclass.classroom.layout import Layout, ensure_private, ensure_state, read_json, write_json
from fpgaclass.classroom.nbgrader_course import Mark
from fpgaclass.classroom.roster import load_roster
from fpgaclass.core import UsageError, stage, state_directory
from fpgaclass.course import Course

if TYPE_CHECKING:
    from fpgaclass.classroom.gradebook.contest import Board
    from fpgaclass.classroom.service.glance import Glance
    from fpgaclass.classroom.similarity import SimilarityReport


class Coursework:
    """A course and the folder of its class.

    Args:
        course: the course.
        state: the folder; without it, one of the user's own, named after the course.
    """

    def __init__(self, course: Course, state: Path | str | None = None) -> None:
        self.course = course
        folder = Path(state) if state else state_directory("class", course.course_id)
        self.layout = Layout(folder.resolve(), course.course_id, course.instructors[0])

    @property
    def students(self) -> tuple[str, ...]:
        """The login names of the students: those of the roster, or of the course before the first `up`."""
        users = load_roster(self.layout)
        return tuple(u.name for u in users if u.role == "student") if users else self.course.students

    def glance(self) -> Glance:
        """Return the class at a glance: each student's checks, submissions and marks, lab by lab."""
        from fpgaclass.classroom.service.glance import Watcher

        watcher = Watcher(self.layout, self.course.path, open_desk(self.layout))
        return watcher.look(self.students, cards=True)

    def release(self, lab: str) -> None:
        """Give a lab to the students, again if it was given before; what they have fetched stays theirs."""
        from fpgaclass.classroom.nbgrader_course import nbgrader_api, release_lab

        self.course.entry(lab)
        self._ensure_folders()
        with nbgrader_api(self.layout) as api, stage(f"release {lab}", "nbgrader"):
            release_lab(self.layout, self.course, lab, api)

    def collect(self, lab: str) -> grading.Collected:
        """Bring the submissions of a lab from the exchange into the course folder."""
        self.course.entry(lab)
        return grading.collect(self.layout, lab)

    def grade(
        self,
        lab: str,
        student: str | None = None,
        *,
        settings: Settings | None = None,
        collect_first: bool = True,
    ) -> grading.GradeReport:
        """Collect and grade a lab, for everybody or for one student; see ``grading.grade``."""
        self._follow(lab)
        return grading.grade(
            self.layout, lab, self.students, student, settings=settings, collect_first=collect_first
        )

    def feedback(self, lab: str, *, jobs: int = 1) -> Given:
        """Give the feedback on a graded lab back, written for so many students at once."""
        self._follow(lab)
        return feedback(self.layout, lab, self.students, jobs=jobs)

    def marks(self, lab: str | None = None) -> tuple[Mark, ...]:
        """Return the marks of the gradebook, of one lab or of all that were released."""
        from fpgaclass.classroom.nbgrader_course import read_marks

        if lab is not None:
            self.course.entry(lab)
        labs = [lab] if lab else [one.name for one in self.course.labs if one.released]
        return read_marks(self.layout, labs, self.students)

    def boards(self, lab: str) -> tuple[Board, ...]:
        """Return the leaderboards of a lab: one for each figure that its checks put there."""
        from fpgaclass.classroom.gradebook.contest import read_boards
        from fpgaclass.classroom.gradebook.gradebook import gradebook_url

        self._check_lab(lab)
        return read_boards(gradebook_url(self.layout.course), self.layout.course_id, [lab])[lab]

    def similarity(self, lab: str, *, least: float = 0.5) -> SimilarityReport:
        """Compare the newest submissions of a lab, each with each.

        Args:
            lab: the lab's name.
            least: leave out pairs below this similarity, from 0 to 1.
        """
        from fpgaclass.classroom.similarity import compare, read_answers
        from fpgaclass.classroom.similarity.submissions import released_parts

        self._check_lab(lab)
        desk, course = open_desk(self.layout), self.layout.course_id
        released = desk.released(course, lab)
        who = {receipt.student for receipt in desk.receipts(course, lab)} & set(self.students)
        submitted = {name: desk.submission(course, lab, name)[1] for name in sorted(who)}
        return compare(lab, read_answers(released, submitted), released_parts(released), least=least)

    def extend(self, lab: str, student: str, by: timedelta) -> tuple[str, ...]:
        """Give a student more time for a lab from its deadline on; marks that are there follow at once.

        Returns:
            The students whose penalty for lateness changed.
        """
        self._check_student(student)
        return self._lateness(lab, student, by)

    def close(self, lab: str, student: str | None = None) -> None:
        """Take no more submissions of a lab, from one student or (None) from anybody."""
        self._door(lab, student, False)

    def reopen(self, lab: str, student: str | None = None, until: datetime | None = None) -> tuple[str, ...]:
        """Take submissions of a lab again, from one student or (None) from everybody.

        Args:
            lab: the lab's name.
            student: for whom.
            until: the deadline from now on, in the course's time zone if it names none; None leaves it.

        Returns:
            The students whose penalty for lateness changed.

        Raises:
            UsageError: the lab has no deadline, so none can be moved; or the new one is before the old one.
        """
        self._check_lab(lab)
        due = self.course.deadline(lab)
        by: timedelta | None = None
        if until is not None:
            if until.tzinfo is None:
                until = until.replace(tzinfo=ZoneInfo(self.course.timezone))
            if due is None:
                raise UsageError(f"{lab} has no deadline that could be moved", next_step="leave out --until")
            by = until.astimezone(UTC) - due
            if by < timedelta():
                zone = self.course.timezone
                local = due.astimezone(ZoneInfo(zone))
                late = f"{lab} is due later than that: {local:%Y-%m-%d %H:%M} ({zone})"
                raise UsageError(late, next_step="give a later time, or none to open it as it is")
        self._door(lab, student, True)
        return self._lateness(lab, student or EVERYBODY, by)

    def settle(self, lab: str) -> tuple[str, ...]:
        """Let the penalties for lateness follow what a person gave since; return whose penalty changed."""
        return self._lateness(lab, EVERYBODY) if (self.layout.release / lab).is_dir() else ()

    def set_late(self, lab: str, student: str, rules: dict[str, Any] | None) -> tuple[str, ...]:
        """Let lateness cost a student something else than the class; marks that are there follow at once.

        Args:
            lab: the lab's name.
            student: for whom.
            rules: those fields of `LatePolicy` that differ; None for the same as everybody.

        Returns:
            The students whose penalty changed.

        Raises:
            UsageError: a rule is none that lateness can follow.
        """
        from fpgaclass.classroom.nbgrader_course import EXCEPTIONS_FILE, late_rules

        self._check_lab(lab)
        self._check_student(student)
        try:
            late_rules(rules or {})
        except ValueError as wrong:
            raise UsageError(f"lateness cannot cost that: {wrong}") from wrong
        path = self.layout.course / EXCEPTIONS_FILE
        exceptions = read_json(path, {})
        mine = exceptions.setdefault(lab, {})
        mine.pop(student, None)
        if rules is not None:
            mine[student] = rules
        write_json(path, exceptions, 0o644)
        return self._lateness(lab, student)

    def _lateness(self, lab: str, student: str, by: timedelta | None = None) -> tuple[str, ...]:
        """Write an extension, if there is one, and let the penalties follow."""
        from fpgaclass.classroom.gradebook.gradebook import gradebook_url, open_writer
        from fpgaclass.classroom.nbgrader_course import late_policy

        self._follow(lab)
        course = self.layout.course
        with open_writer(gradebook_url(course), self.layout.course_id, lab) as book:
            if by is not None:
                book.extend(student, by)
            return book.settle(lambda name: late_policy(course, lab, name))

    def _follow(self, lab: str) -> None:
        """Follow course.yaml, which may say something else of a released lab's deadline than it did."""
        from fpgaclass.classroom.nbgrader_course import ensure_rules

        self._check_lab(lab)
        ensure_rules(self.layout, self.course, lab)

    def _door(self, lab: str, student: str | None, is_open: bool) -> None:
        self._check_lab(lab)
        if student is not None:
            self._check_student(student)
        open_desk(self.layout).set_open(self.layout.course_id, lab, student, is_open)

    def _check_lab(self, lab: str) -> None:
        self.course.entry(lab)
        grading.check_released(self.layout, lab)

    def _check_student(self, student: str) -> None:
        if student not in self.students:
            step = f"students: {', '.join(self.students)}"
            raise UsageError(f"there is no student {student}", where="the class", next_step=step)

    def _ensure_folders(self) -> None:
        ensure_state(self.layout.state)
        ensure_private(self.layout.hub)
        for folder in (self.layout.course, self.layout.release):
            folder.mkdir(parents=True, exist_ok=True)
