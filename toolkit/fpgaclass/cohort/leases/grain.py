"""The length of a slot, which all bookings of a cohort are counted in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from fpgaclass.cohort.errors import LeaseError
from fpgaclass.cohort.leases.entries import BLOCK, BOOKED, DONE, NO_SHOW, OPEN

if TYPE_CHECKING:
    from sqlalchemy import Connection


def keep_grain(connection: Connection, cohort: str, minutes: int, now: datetime) -> None:
    """Keep a cohort to one length of its slots, as long as anything is booked.

    In slots of another length the same numbers are other times: what is booked would be elsewhere, and its
    card would look free. What is over is counted anew.

    Args:
        connection: in a transaction that no other booking runs beside.
        cohort: whose bookings.
        minutes: what the rules say.
        now: UTC.

    Raises:
        LeaseError: something is booked, or kept by an instructor, in slots of another length.
    """
    from fpgaclass.cohort.tables import grains, leases, slots, waiting

    ours = grains.c.cohort == cohort
    row = connection.execute(grains.select().where(ours)).first()
    if row is None:
        connection.execute(grains.insert().values(cohort=cohort, minutes=minutes))
        return
    if row.minutes == minutes:
        return
    had, here = row.minutes, leases.c.cohort == cohort
    over = int(now.timestamp() // (60 * had))
    ahead = here & leases.c.state.in_((*OPEN, BLOCK)) & (leases.c.first + leases.c.slots > over)
    if connection.execute(leases.select().where(ahead)).first():
        raise LeaseError(
            f"times on the cards are booked in slots of {had} minutes, and leases.slot_minutes is {minutes}",
            next_step=f"have it say {had} again, until nothing is booked (fpgaclass lease list)",
        )
    ended = {BOOKED: NO_SHOW}
    for lease in connection.execute(leases.select().where(here)).all():
        changed = {name: max(1, round(getattr(lease, name) * had / minutes)) for name in ("slots", "used")}
        changed["used"] = changed["used"] if lease.used or lease.state in OPEN else 0
        state = ended.get(lease.state, DONE) if lease.state in OPEN else lease.state
        this = leases.update().where(leases.c.identity == lease.identity)
        connection.execute(this.values(first=lease.first * had // minutes, state=state, **changed))
    connection.execute(slots.delete().where(slots.c.cohort == cohort))
    for place in connection.execute(waiting.select().where(waiting.c.cohort == cohort)).all():
        count = max(1, round(place.slots * had / minutes))
        this_ = waiting.update().where((waiting.c.cohort == cohort) & (waiting.c.student == place.student))
        connection.execute(this_.values(slots=count))
    connection.execute(grains.update().where(ours).values(minutes=minutes))
