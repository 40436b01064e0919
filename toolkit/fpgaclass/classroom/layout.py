"""Where a class keeps its things, and who may read each of them."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpgaclass.core import ClassroomError

DATABASE_VARIABLE = "FPGACLASS_EXCHANGE_DATABASE"
"""The environment variable that puts the exchange's database elsewhere than into the class's folder."""


@dataclass(frozen=True)
class Layout:
    """The folders and files of one class, all below its state directory.

    ::

        roster.json  logins.txt     who may log in (hashes), and the first passwords (delete when handed out)
        running.json                the hub that runs now, if one does
        courses.json                the courses that share this hub, its people and their homes
        releases-<course>.json      what of each lab the students were given
        hub/                        the hub's database, secrets and log
        homes/<user>/               what each person sees as home; the instructor's holds the nbgrader course
        exchange.db                 released labs, submissions with their receipts, feedback
        seats/<user>/               a person's scratch space, account files and server log

    Attributes:
        state: the state directory.
        course_id: nbgrader's name of the course.
        instructor: the user who holds the course folder.
    """

    state: Path
    course_id: str
    instructor: str

    @property
    def roster(self) -> Path:
        """User names, uids and password hashes (mode 0600)."""
        return self.state / "roster.json"

    @property
    def logins(self) -> Path:
        """The passwords made at the first `up`, in the clear (mode 0600)."""
        return self.state / "logins.txt"

    @property
    def running(self) -> Path:
        """The record of the hub that runs."""
        return self.state / "running.json"

    @property
    def releases(self) -> Path:
        """The digest of each released lab."""
        return self.state / f"releases-{self.course_id}.json"

    @property
    def courses(self) -> Path:
        """The courses of the hub."""
        return self.state / "courses.json"

    @property
    def hub(self) -> Path:
        """The hub's own folder (mode 0700)."""
        return self.state / "hub"

    @property
    def hub_log(self) -> Path:
        """What the hub and the proxy print."""
        return self.hub / "hub.log"

    def home(self, user: str) -> Path:
        """The home of a user, seen from outside the jail."""
        return self.state / "homes" / user

    @property
    def course(self) -> Path:
        """The nbgrader course: source, release, submitted, autograded, feedback, gradebook."""
        return self.home(self.instructor) / self.course_id

    @property
    def course_lock(self) -> Path:
        """Held by whichever command works on the course; another course of the hub has its own."""
        return self.hub / f"course-{self.course_id}.lock"

    @property
    def release(self) -> Path:
        """The students' version of each lab, as nbgrader made it."""
        return self.course / "release"

    @property
    def exchange_url(self) -> str:
        """The exchange's database: SQLite in the class's folder, or what `DATABASE_VARIABLE` says."""
        return os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{self.state / 'exchange.db'}"

    def seat(self, user: str) -> Path:
        """Scratch space and log of a user's server."""
        return self.state / "seats" / user


LOCK = "up.lock"


def ensure_private(folder: Path) -> Path:
    """Make a folder that only its owner may enter, and return it.

    Raises:
        ClassroomError: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as trouble:
        raise unwritable(folder, trouble) from trouble
    return folder


def ensure_state(folder: Path) -> Path:
    """Make the folder of a class, or take one that is empty or a class's already, and return it.

    Raises:
        ClassroomError: it holds something else, or cannot be written.
    """
    try:
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    except OSError as trouble:
        raise unwritable(folder, trouble) from trouble
    if names - {LOCK} and "hub" not in names:
        raise ClassroomError(
            "that folder holds other things than a class",
            where=str(folder),
            next_step="give a new or an empty folder with --state",
        )
    return ensure_private(folder)


def unwritable(path: Path, trouble: OSError) -> ClassroomError:
    """Say that the state cannot be written, and what helps."""
    step = "choose another folder with --state"
    if trouble.errno == 28:
        step = f"make room on that disk, or {step}"
    if isinstance(trouble, NotADirectoryError | FileExistsError):
        return _no_folder(path)
    reason = trouble.strerror or str(trouble)
    return ClassroomError(
        f"the state of the class cannot be written: {reason}", where=str(path), next_step=step
    )


def _no_folder(path: Path) -> ClassroomError:
    """Say which part of a path is a file where a folder of the class should be."""
    files = (part for part in (*reversed(path.parents), path) if part.exists() and not part.is_dir())
    where = next(files, path)
    step = "give the folder of a class, or a new one, with --state"
    return ClassroomError("a class is kept in a folder, and this is a file", where=str(where), next_step=step)


def write_json(path: Path, data: Any, mode: int = 0o600) -> None:
    """Write a file whole or not at all, readable by its owner only unless ``mode`` says otherwise."""
    write_text(path, json.dumps(data, indent=1, sort_keys=True) + "\n", mode)


def write_text(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a text file whole or not at all."""
    try:
        handle, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(scratch).chmod(mode)
            Path(scratch).replace(path)
        finally:
            Path(scratch).unlink(missing_ok=True)
    except OSError as trouble:
        raise unwritable(path, trouble) from trouble


def read_json(path: Path, default: Any) -> Any:
    """Read a JSON file of ours; a missing one gives ``default``.

    Raises:
        ClassroomError: the file is there and broken: somebody edited it; or its folder is none.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return default
    except NotADirectoryError as trouble:
        raise _no_folder(path) from trouble
    except (OSError, ValueError) as trouble:
        step = f"restore the file from a copy, or move {path.parent} away and start anew"
        raise ClassroomError(
            f"{path.name} cannot be read: {trouble}", where=str(path), next_step=step
        ) from trouble


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock while the block runs, so that two commands do not do the same work at once.

    Raises:
        ClassroomError: another process holds it.
    """
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            step = "wait for it to end"
            raise ClassroomError(f"another command is {what}", where=str(path), next_step=step) from held
        yield
