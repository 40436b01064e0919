"""A class on one machine: JupyterHub, JupyterLab and nbgrader, brought up and taken down as one thing."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fpgaclass.classroom.coursework import Coursework
from fpgaclass.classroom.disk import disk_words
from fpgaclass.classroom.exchange import open_desk
from fpgaclass.classroom.hints import command
from fpgaclass.classroom.hub import joining, server
from fpgaclass.classroom.hub.hosted import Hosted, ensure_hosted
from fpgaclass.classroom.hub.limits import find_limiter
from fpgaclass.classroom.hub.oidc import find_provider
from fpgaclass.classroom.hub.seats import ensure_seat
from fpgaclass.classroom.hub.staying import check_packages, signals_raise, signals_wait
from fpgaclass.classroom.layout import LOCK, ensure_state, locked
from fpgaclass.classroom.roster import Login, ensure_roster, load_everybody, reset_password
from fpgaclass.core import say, stage, warn
from fpgaclass.engine.sandbox import NoJail, find_jail

_COHORT = "fpgaclass.cohort.desk.hub"  # its page of seats, and cards for who has booked one


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
        disk: how little room is left on the class's disk, and who takes the most; None: there is enough.
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
    disk: str | None = None


class Classroom(Coursework):
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

    def up(self, port: int = 8000, *, foreground: bool = True, idle_minutes: float = 0) -> ClassStatus:
        """Bring the class up: logins, labs released, hub started; what is there already is kept.

        Courses brought up with the same state directory share one hub: people have one login and one home,
        and all its courses come with whichever is brought up. A hub that is up takes in a course, and people
        who are new in one, without stopping anybody's server.

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
            self._join(running.url, port)
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

    def _join(self, url: str, port: int) -> None:
        """Have the hub that is up take in the course, if it is new, and who is new in it."""
        with locked(self.layout.state / LOCK, "bringing this class up"):
            before = joining.wanted(self.layout)
            new = self.course.course_id not in before["courses"]
            logins = self.prepare() if new else self._ensure_roster()
            if joining.wanted(self.layout) != before:
                with stage("tell the hub", "JupyterHub"):
                    joining.wait_until_joined(self.layout)
        if new:
            say(f"\n{self.course.course_id} has joined the class that is up: {url}")
            say("Nobody's server was stopped: who has one finds this course in it once they start it anew.")
            if self.course.cohort:
                say(f"The page of its cards comes with the next `{command('down')}` and up.")
        else:
            say(f"The class {self.course.course_id} is up already: {url}")
        if not url.endswith(f":{port}"):
            say("It stays on that port; to move it, take the class down first.")
        self._print_logins(logins)

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
            ensure_hosted(self.layout.state, Hosted.of(self.course))
            for user in load_everybody(self.layout):
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
            disk=disk_words(layout, self.students) if layout.state.is_dir() else None,
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

    def reset_password(self, user: str) -> Login:
        """Give a user a new password; the old one ends at once, and who is logged in stays so."""
        if not self.layout.state.is_dir():
            return reset_password(self.layout, user)  # says that nobody has one
        with locked(self.layout.state / LOCK, "bringing this class up"):
            return reset_password(self.layout, user)

    def _ensure_roster(self) -> tuple[Login, ...]:
        return ensure_roster(self.layout, self.course.students, self.course.instructors)

    def _print_logins(self, logins: tuple[Login, ...]) -> None:
        if self.course.login:
            names = ", ".join(login.name for login in logins)
            say(f"  {names}: with their accounts of {self.course.login.name}")
            return
        for login in logins:
            anew = command("class", "password", login.name)
            word = login.password or f"(handed out; {anew} makes a new one)"
            say(f"  {login.role:<10}  {login.name:<12}  {word}")
        say(f"Passwords are in {self.layout.logins}; delete that file when you have handed them out.")

    def _stay(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for Ctrl-C, for a signal or for the hub's end; then leave nothing behind."""
        ours = False
        with signals_raise():
            try:
                say(f"Stop it with Ctrl-C here, or with `{command('down')}` in another terminal.")
                process.wait()
            except KeyboardInterrupt:
                ours = True
        with stage("stop the class"), signals_wait():
            self.down()
        if not ours and process.returncode:
            warn(f"the hub ended by itself; its last lines are in {self.layout.hub_log}")
        say("The class is down. Everybody's work is kept.")
