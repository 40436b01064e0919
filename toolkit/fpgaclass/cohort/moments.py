"""Times that people write, in the class's zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from fpgaclass.core import InvalidInputError


def in_zone(when: datetime, zone: str, *, where: str | None = None) -> datetime:
    """Return a time with a zone: its own, else the class's.

    In the night in which clocks are put back, an hour is there twice; without a zone its first is meant.

    Args:
        when: as somebody wrote it.
        zone: of the class, such as ``Europe/Rome``.
        where: it was written, for the message.

    Raises:
        InvalidInputError: clocks in that zone never show it, since they are put forward over it.

    Example:
        >>> in_zone(datetime(2027, 3, 1, 10), "Europe/Rome").isoformat()
        '2027-03-01T10:00:00+01:00'
    """
    if when.tzinfo is not None:
        return when
    own = ZoneInfo(zone)
    found = when.replace(tzinfo=own)
    shown = found.astimezone(UTC).astimezone(own)
    if shown.replace(tzinfo=None) != when:
        what = f"{when:%Y-%m-%d %H:%M} is on no clock of {zone}: clocks are put forward over it"
        raise InvalidInputError(what, where=where, next_step=f"such as {shown:%Y-%m-%dT%H:%M}")
    return found
