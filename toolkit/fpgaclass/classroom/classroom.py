"""A class on one machine: JupyterHub, JupyterLab and nbgrader, brought up and taken down as one thing."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from fpgaclass.classroom import grading, server
from fpgaclass.classroom.exchange import open_desk
from fpgaclass.classroom.hints import command
from fpgaclass.classroom.layout import LOCK, Layout, ensure_private, ensure_state, locked, unwritable
from fpgaclass.classroom.limits import find_limiter
from fpgaclass.classroom.marking import Settings
from fpgaclass.classroom.nbgrader_course import Mark
from fpgaclass.classroom.oidc import find_provider
from fpgaclass.classroom.roster import Login, ensure_roster, load_roster, reset_password
from fpgaclass.classroom.seats import ensure_seat
from fpgaclass.core import ClassroomError, ToolMissingError, say, stage, state_directory, warn
from fpgaclass.course import Course
from fpgaclass.engine.sandbox import NoJail, find_jail

if TYPE_CHECKING:
    from fpgaclass.classroom.service.glance import Glance

_COHORT = "fpgaclass.cohort.desk.hub"  # its page of seats, and cards for who has booked one
_NEEDED = ("jupyterhub", "jupyterlab", "nbgrader", "configurable_http_proxy", "psutil", "ipykernel")


@dataclass(frozen=True)
class ClassStatus:
    """What a class is doing.

    Attributes:
        course_id: nbgrader's name of the course.
        url: where to log in, or None when the class is down.
        state: the state directory.
        log: the hub's log.
        students: the login names.
        labs: the labs that were released.
        submissions: lab -> how many students have submitted it.
        separated: None if each server runs in a jail, else why not.
        limits: what holds each server back from taking the whole machine.
    """

    course_id: str
    url: str | None
    state: Path
    log: Path
    students: tuple[str, ...]
    labs: tuple[str, ...]
    submissions: dict[str, int]
    separated: str | None
    limits: str


class Classroom:
    """A class: a course, and the folder that holds everything the class makes.

    Args:
        course: the course.
        state: the folder; without it, one of the user's own, named after the course.

    Example:
        >>> classroom = Classroom(Course.load("course"))  # doctest: +SKIP
        >>> classroom.up(foreground=False).url  # doctest: +SKIP
        'http://127.0.0.1:8000'
        >>> classroom.grade("01_muon_momentum").marks[0].score  # doctest: +SKIP
        20.0
        >>> classroom.down()  # doctest: +SKIP
        True
    """

    def __init__(self, course: Course, state: Path | str | None = None) -> None:
        self.course = course
        try:
            folder = Path(state) if state else state_directory("class", course.course_id)
        except OSError as trouble:
            raise unwritable(Path(trouble.filename or "the home directory"), trouble) from trouble
        self.layout = Layout(folder.resolve(), course.course_id, course.instructors[0])

    def up(self, port: int = 8000, *, foreground: bool = True, idle_minutes: int = 0) -> ClassStatus:
        """Bring the class up: logins, labs released, hub started; what is there already is kept.

        Args:
            port: where people log in, on 127.0.0.1.
            foreground: True to stay until Ctrl-C or `down`, and then take everything down.
            idle_minutes: stop servers that nobody used for so long; 0 for never.

        Returns:
            The status: of the running class, or, in the foreground, of the class after it was taken down.

        Raises:
            ToolMissingError: a package is missing.
            ClassroomError: the port is taken, the state cannot be written, or a part did not start.
        """
        check_packages()
        running = server.find_running(self.layout)
        if running:
            say(f"The class {self.course.course_id} is up already: {running.url}")
            if not running.url.endswith(f":{port}"):
                say("It stays on that port; to move it, take the class down first.")
            self._print_logins(self._ensure_roster())
            return self.status()
        provider = find_provider(self.course.login) if self.course.login else None
        server.check_port(port)  # before anything is made: a taken port leaves nothing behind
        ensure_state(self.layout.state)
        with locked(self.layout.state / LOCK, "bringing this class up"):
            logins = self.prepare()
            with stage("start the hub", "JupyterHub"):
                running, process = server.start(
                    self.layout,
                    port,
                    course=self.course.path,
                    title=self.course.title,
                    seats=self.course.seats,
                    idle_minutes=idle_minutes,
                    tied=foreground,
                    provider=provider,
                    extensions=((_COHORT, str(self.course.path)),) if self.course.cohort else (),
                )
        say(f"\nThe class is up: {running.url}")
        self._print_logins(logins)
        say(f"Log: {self.layout.hub_log}")
        if foreground:
            self._stay(process)
        return self.status()

    def prepare(self) -> tuple[Login, ...]:
        """Make what is missing of the class, all but the hub: folders, logins, released labs.

        Safe to call again at any time: what is there stays, and what a crash left half-made is made.

        Returns:
            Everybody's login.
        """
        from fpgaclass.classroom.nbgrader_course import ensure_course

        jail = find_jail()
        if isinstance(jail, NoJail):
            warn(
                f"the students' servers are NOT separated from each other and from you: {jail.reason}. "
                f"Next: {jail.next_step}"
            )
        with stage("folders and logins"):
            self._ensure_folders()
            logins = self._ensure_roster()
            for user in load_roster(self.layout):
                ensure_seat(self.layout, jail, user)
        with stage("labs", "nbgrader"):
            released = ensure_course(self.layout, self.course, self.course.students)
        if released:
            say(f"  released: {', '.join(released)}")
        return logins

    def down(self) -> bool:
        """Take the class down; homes, submissions and marks stay. Return False if it was not up."""
        if not self.layout.state.is_dir():
            return False
        return server.stop(self.layout)

    def status(self) -> ClassStatus:
        """Return what the class is doing."""
        running = server.find_running(self.layout)
        layout = self.layout
        labs, submitted = self._submissions()
        jail = find_jail()
        return ClassStatus(
            course_id=layout.course_id,
            url=running.url if running else None,
            state=layout.state,
            log=layout.hub_log,
            students=self.students,
            labs=labs,
            submissions=submitted,
            separated=jail.reason if isinstance(jail, NoJail) else None,
            limits=str(find_limiter()),
        )

    def _submissions(self) -> tuple[tuple[str, ...], dict[str, int]]:
        """Return the released labs, and how many students of the class submitted each."""
        if (
            not (self.layout.state / "exchange.db").is_file()
            and "FPGACLASS_EXCHANGE_DATABASE" not in os.environ
        ):
            return (), {}
        course, desk = self.layout.course_id, open_desk(self.layout)
        labs = desk.labs(course)
        students = set(self.students)
        by = {lab: {receipt.student for receipt in desk.receipts(course, lab)} & students for lab in labs}
        return tuple(labs), {lab: len(names) for lab, names in by.items()}

    @property
    def students(self) -> tuple[str, ...]:
        """The login names of the students: those of the roster, or of the course before the first `up`."""
        users = load_roster(self.layout)
        return tuple(u.name for u in users if u.role == "student") if users else self.course.students

    def glance(self) -> Glance:
        """Return the class at a glance: each student's checks, submissions and marks, lab by lab."""
        from fpgaclass.classroom.service.glance import Watcher

        return Watcher(self.layout, self.course.path, open_desk(self.layout)).look(self.students)

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
        """Collect and grade a lab, for everybody or for one student; see `fpgaclass.classroom.grading`."""
        self.course.entry(lab)
        return grading.grade(
            self.layout, lab, self.students, student, settings=settings, collect_first=collect_first
        )

    def feedback(self, lab: str) -> tuple[str, ...]:
        """Give the feedback on a graded lab back; return the students who can fetch it now."""
        self.course.entry(lab)
        return grading.feedback(self.layout, lab, self.students)

    def marks(self, lab: str | None = None) -> tuple[Mark, ...]:
        """Return the marks of the gradebook, of one lab or of all that were released."""
        from fpgaclass.classroom.nbgrader_course import read_marks

        if lab is not None:
            self.course.entry(lab)
        labs = [lab] if lab else [one.name for one in self.course.labs if one.released]
        return read_marks(self.layout, labs, self.students)

    def extend(self, lab: str, student: str, by: timedelta) -> None:
        """Give a student more time for a lab; it counts from the next grading on."""
        from fpgaclass.classroom.gradebook import gradebook_url, open_writer

        self.course.entry(lab)
        if student not in self.students:
            step = f"students: {', '.join(self.students)}"
            raise ClassroomError(f"there is no student {student}", where="the class", next_step=step)
        with open_writer(gradebook_url(self.layout.course), self.layout.course_id, lab) as book:
            book.extend(student, by)

    def reset_password(self, user: str) -> Login:
        """Give a user a new password."""
        return reset_password(self.layout, user)

    def _ensure_folders(self) -> None:
        ensure_state(self.layout.state)
        ensure_private(self.layout.hub)
        for folder in (self.layout.course, self.layout.release):
            folder.mkdir(parents=True, exist_ok=True)

    def _ensure_roster(self) -> tuple[Login, ...]:
        return ensure_roster(self.layout, self.course.students, self.course.instructors)

    def _print_logins(self, logins: tuple[Login, ...]) -> None:
        if self.course.login:
            names = ", ".join(login.name for login in logins)
            say(f"  {names}: with their accounts of {self.course.login.name}")
            return
        for login in logins:
            word = login.password or "(handed out; Classroom.reset_password makes a new one)"
            say(f"  {login.role:<10}  {login.name:<12}  {word}")
        say(f"Passwords are in {self.layout.logins}; delete that file when you have handed them out.")

    def _stay(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for Ctrl-C, for a signal or for the hub's end; then leave nothing behind."""
        ours = False
        with _signals_raise():
            try:
                say(f"Stop it with Ctrl-C here, or with `{command('down')}` in another terminal.")
                process.wait()
            except KeyboardInterrupt:
                ours = True
        with stage("stop the class"), _signals_wait():
            self.down()
        if not ours and process.returncode:
            warn(f"the hub ended by itself; its last lines are in {self.layout.hub_log}")
        say("The class is down. Everybody's work is kept.")


def check_packages() -> None:
    """Check that what a class needs is installed.

    Raises:
        ToolMissingError: a package is missing.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ToolMissingError(
            f"the class needs {', '.join(missing)}", next_step="pip install 'fpgaclass[classroom]'"
        )


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Treat a closed terminal and a polite kill like Ctrl-C while the block runs."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    old = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, old, strict=True):
            signal.signal(number, handler)


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Keep an impatient second Ctrl-C from leaving half of the class running."""
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, old)
