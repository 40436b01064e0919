"""A card's queue on disk: numbered tickets whose locks die with those who drew them.

A ticket is a file, numbered as it is drawn, with a lock (flock) of its process. The lowest ticket that is
still locked holds the card. The kernel drops the lock when a process ends, however it ends, so that a killed
holder frees the card and a killed waiter its place. This is an agreement among those who use pynq through
this package: it keeps people from disturbing each other by mistake; no lock of files can do more.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from fpgaclass.core import CardError, Uninterrupted

FOLDER_VARIABLE = "FPGACLASS_CARD_LOCKS"
_DOOR_POLL_S = 0.002
_DOOR_S = 20.0  # a thousand times what a look at the queue takes: who is longer inside is stopped
_TICKET = re.compile(r"(.+)\.(\d{9})\.ticket\Z")
_LARGEST_TICKET = 4096
# Whatever somebody may have put there: no link is followed, and no pipe waited for.
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True)
class Holder:
    """Who holds a card or waits for it.

    Attributes:
        user: the account.
        pid: of the process, as it sees itself: in a jail it is another number outside.
        host: name of the machine or of the jail.
        program: what runs.
        since: seconds since 1970 at which the ticket was drawn.
    """

    user: str
    pid: int
    host: str
    program: str
    since: float

    def __str__(self) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(self.since))
        return f"{self.user} ({self.program}, process {self.pid} on {self.host}, since {clock})"


class CardQueue:
    """The queue of one card.

    Args:
        folder: where its tickets lie.
        card: tag of the card, such as ``"virtual0"``.
    """

    def __init__(self, folder: Path, card: str) -> None:
        self._folder, self._card = folder, re.sub(r"[^\w.-]", "_", card)
        self._door = folder / f"{self._card}.door"
        self._ticket: Path | None = None
        self._lock = -1
        self._holder = _myself()

    def join(self) -> None:
        """Draw a ticket.

        Raises:
            CardError: the folder cannot be written to.
        """
        try:
            _ensure_folder(self._folder)
            with Uninterrupted(), self._closed_door():
                numbers = [number for number, _ in self._tickets()]
                self._ticket = self._folder / f"{self._card}.{max(numbers, default=0) + 1:09d}.ticket"
                self._lock = os.open(self._ticket, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
                fcntl.flock(self._lock, fcntl.LOCK_EX)
                self._holder = _myself()
                os.write(self._lock, json.dumps(asdict(self._holder)).encode())
        except OSError as error:
            self.leave()
            raise CardError(
                f"the queue for {self._card} cannot be joined: {error.strerror}",
                where=str(self._folder),
                next_step=f"let {FOLDER_VARIABLE} name a folder that all may write to (chmod 1777)",
            ) from error

    def ahead(self) -> list[Holder]:
        """Return those before this process, the card's holder first; an empty list: it holds the card."""
        return [holder for path, holder in self.living() if self._ticket is None or path < self._ticket]

    def leave(self) -> None:
        """Give the ticket back, and with it the card."""
        if self._ticket is not None:
            with suppress(OSError):
                self._ticket.unlink()
        if self._lock >= 0:
            os.close(self._lock)
        self._ticket, self._lock = None, -1

    def forget(self) -> None:
        """Close a copy of the ticket's lock in a forked child; the parent's stays."""
        if self._lock >= 0:
            os.close(self._lock)
        self._ticket, self._lock = None, -1

    def living(self) -> list[tuple[Path, Holder]]:
        """Return the tickets whose processes live, in order, with who drew them; take away the others."""
        found = []
        with Uninterrupted(), self._closed_door():
            for _, path in self._tickets():
                if path == self._ticket:
                    found.append((path, self._holder))
                    continue
                try:
                    lock = os.open(path, _READ)
                except OSError:
                    continue
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    with suppress(OSError):  # another user's ticket, in a folder with the sticky bit
                        path.unlink()
                except BlockingIOError:
                    found.append((path, _read(lock)))
                finally:
                    os.close(lock)
        return found

    def _tickets(self) -> list[tuple[int, Path]]:
        found = []
        for path in self._folder.glob(f"{self._card}.*.ticket"):
            matched = _TICKET.match(path.name)
            if matched and matched[1] == self._card:
                found.append((int(matched[2]), path))
        return sorted(found)

    @contextmanager
    def _closed_door(self) -> Iterator[None]:
        """Draw and look at tickets one process at a time: else a new one, not yet locked, would look dead."""
        door, started = _open_door(self._door), time.monotonic()
        try:
            while True:
                try:
                    fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() - started > _DOOR_S:
                        what = f"a process keeps the queue for {self._card} shut"
                        next_step = f"find it with `fuser {self._door}` and end it"
                        raise CardError(what, where=str(self._door), next_step=next_step) from None
                time.sleep(_DOOR_POLL_S)
            yield
        finally:
            os.close(door)


def _myself() -> Holder:
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return Holder(user, os.getpid(), socket.gethostname(), Path(sys.argv[0] or "python").name, time.time())


def _read(file: int) -> Holder:
    """Read a ticket; its text is another user's, and only for people to look at."""
    try:
        data = json.loads(os.read(file, _LARGEST_TICKET))
        texts = {
            name: re.sub(r"[^\w .@-]", "?", str(data[name]))[:40] for name in ("user", "host", "program")
        }
        since = min(max(0.0, float(data["since"])), time.time())
        return Holder(pid=int(data["pid"]), since=since, **texts)
    except (KeyError, OverflowError, TypeError, ValueError):
        return Holder("somebody", 0, "?", "?", 0.0)


def _ensure_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o1777)


def _open_door(path: Path) -> int:
    """Open the door's file; Linux may refuse O_CREAT on another user's file in such a folder."""
    try:
        return os.open(path, _READ)
    except FileNotFoundError:
        try:
            return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            return os.open(path, _READ)
