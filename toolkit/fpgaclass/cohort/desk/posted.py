"""The desk of a hub on a machine of its own: a copy of the seats, which the instructor's machine sends there.

The state and the cohort's key stay where the cohort was applied. A hub elsewhere can show its students their
seats, and says of when they are; it cannot book, nor open a card's node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import yaml

from fpgaclass.cohort.desk.wire import DeskView, decode, encode, view_of
from fpgaclass.cohort.errors import CohortError, LeaseError
from fpgaclass.cohort.leases import Lease, Waiting
from fpgaclass.cohort.seat import SeatView, open_leases, seats
from fpgaclass.cohort.spec import POSTED, CohortFile


def write_seats(file: CohortFile, target: Path, *, url: str | None = None) -> Path:
    """Write what each student's page shows, now: addresses and times, and nothing that opens a door.

    Names, mail addresses and keys of the roster are not in it, and neither is who has booked what else.

    Args:
        file: the cohort.
        target: the file to write, for its owner alone.
        url: the state's database.
    """
    booked = open_leases(file.path, url=url).bookings()
    views = {
        seat.student: view_of(file, seat, [lease for lease in booked if lease.student == seat.student])
        for seat in seats(file.path, url=url)
    }
    target.touch(mode=0o600)
    target.write_bytes(encode(views, dict[str, DeskView]))
    return target


def posted_seats(course: Path | str) -> Path | None:
    """Return where the copy of a hub's course is, or None where the course has a cohort of its own."""
    path = Path(course)
    path = path / "course.yaml" if path.is_dir() else path
    part: Any = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("cohort")
    if not isinstance(part, Mapping) or POSTED not in part:
        return None
    return (path.parent / str(part[POSTED])).resolve()


class PostedDesk:
    """The desk of one student, on a copy that can only be read.

    Args:
        path: the file that :func:`write_seats` wrote; its time is that of the copy.
        student: the login.
    """

    def __init__(self, path: Path, student: str) -> None:
        self._path, self.student = path, student

    @property
    def timezone(self) -> str:
        """The class's time zone."""
        return self.view().timezone

    def view(self) -> DeskView:
        """Return all that the student's page shows, with the time of which it is.

        Raises:
            CohortError: nothing was sent yet, it is not whole, or nobody is called like that.
        """
        step = "fpgaclass seats --send, where the cohort was applied"
        try:
            told = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
            views: dict[str, DeskView] = decode(self._path.read_bytes(), dict[str, DeskView])
        except (OSError, ValueError) as trouble:
            what = "the seats have not come to this hub yet; tell your instructor"
            if not isinstance(trouble, FileNotFoundError):
                what = "the copy of the seats on this hub cannot be read"
            raise CohortError(what, next_step=step) from trouble
        if self.student not in views:
            raise CohortError(f"no student of this class is called {self.student}", next_step=step)
        view = views[self.student]
        return replace(view, seat=replace(view.seat, told=told))

    def seat(self) -> SeatView:
        """See the port."""
        return self.view().seat

    def bookings(self) -> tuple[Lease, ...]:
        """See the port."""
        return self.view().bookings

    def next(self) -> Lease | Waiting | None:
        """See the port."""
        seat = self.seat()
        return seat.lease or seat.waiting

    def book(self, slots: int = 1, *, at: datetime | None = None) -> Lease | Waiting:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def begin(self, identity: str) -> Lease:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def release(self, identity: str) -> Lease:  # noqa: ARG002
        """Refuse."""
        self._refuse()

    def leave(self) -> bool:
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        step = "ask them; fpgaclass seats tells of when this hub's copy is"
        raise LeaseError("this class's cards are booked and begun by its instructor", next_step=step)
