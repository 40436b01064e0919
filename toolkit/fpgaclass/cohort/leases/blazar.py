"""Blazar, where a site has it: the site's own leases say when its cards are ours at all.

Inside such a window students take turns by :class:`~fpgaclass.cohort.leases.LeaseBook`; outside of it the
card is blocked. The calls are those of Blazar's version 1 API.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fpgaclass.cohort.errors import AuthError, GoneError, LostError, ProviderError
from fpgaclass.cohort.leases.book import LeaseBook
from fpgaclass.cohort.port import scrub

_TIME = "%Y-%m-%d %H:%M"
NOTE = "the site's lease does not cover this"


@dataclass(frozen=True)
class Window:
    """A lease of the site: its id and name, from when to when (UTC), and Blazar's word for its state."""

    identity: str
    name: str
    begins: datetime
    ends: datetime
    status: str


class Blazar:
    """A site's reservation service.

    Args:
        endpoint: its address, ending before ``/v1``.
        token: a Keystone token.
    """

    def __init__(self, endpoint: str, token: str) -> None:
        import httpx

        local = endpoint.startswith("http://127.")
        self._http = httpx.Client(
            base_url=endpoint.rstrip("/"), headers={"X-Auth-Token": token}, timeout=60, trust_env=not local
        )

    def windows(self, name: str) -> tuple[Window, ...]:
        """Return the site's leases of that name that are not over, by time."""
        found = [
            _window(lease) for lease in self._call("GET", "/v1/leases")["leases"] if lease["name"] == name
        ]
        alive = [window for window in found if window.status not in ("TERMINATED", "ERROR")]
        return tuple(sorted(alive, key=lambda window: window.begins))

    def ensure_window(
        self, name: str, begins: datetime, ends: datetime, reservation: dict[str, Any]
    ) -> Window:
        """Lease from the site, unless a lease of that name and time is there already.

        Args:
            name: of the lease; the cohort's is a good one.
            begins, ends: when.
            reservation: what, as Blazar wants it, such as ``{"resource_type": "flavor:instance", ...}``.

        Raises:
            ProviderError: the site has nothing free then.
        """
        begins, ends = (when.astimezone(UTC).replace(second=0, microsecond=0) for when in (begins, ends))
        for window in self.windows(name):
            if (window.begins, window.ends) == (begins, ends):
                return window
        body = {
            "name": name,
            "start_date": begins.strftime(_TIME),
            "end_date": ends.strftime(_TIME),
            "before_end_date": (ends - timedelta(hours=1)).strftime(_TIME),
            "reservations": [reservation],
            "events": [],
        }
        return _window(self._call("POST", "/v1/leases", body)["lease"])

    def delete(self, identity: str) -> None:
        """Give a lease back; one that is gone already is no error."""
        try:
            self._call("DELETE", f"/v1/leases/{identity}")
        except GoneError:
            return

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        import httpx

        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise LostError(f"no answer from Blazar: {scrub(str(error))}", next_step="try again") from error
        if answer.is_error:
            text = f"Blazar said {answer.status_code}: {scrub(answer.text)}"
            kind = {401: AuthError, 403: AuthError, 404: GoneError}.get(answer.status_code, ProviderError)
            raise kind(text, code=str(answer.status_code), where=path)
        return answer.json() if answer.content else {}


def keep_to(book: LeaseBook, cards: Sequence[str], windows: Sequence[Window], *, now: datetime) -> None:
    """Block cards where no window covers them, up to the horizon; earlier such blocks are renewed."""
    for lease in book.bookings():
        if lease.note == NOTE:
            book.release(lease.identity)
    end = now + timedelta(days=book.rules.horizon_days)
    gaps, at = [], now
    for window in sorted(windows, key=lambda w: w.begins):
        if window.begins > at:
            gaps.append((at, min(window.begins, end)))
        at = max(at, window.ends)
    if at < end:
        gaps.append((at, end))
    for card in cards:
        for begins, ends in gaps:
            if begins < ends:
                book.block(card, begins, ends, note=NOTE)


def _window(lease: dict[str, Any]) -> Window:
    begins, ends = (
        datetime.fromisoformat(str(lease[name]).replace(" ", "T")).replace(tzinfo=UTC)
        for name in ("start_date", "end_date")
    )
    return Window(str(lease["id"]), str(lease["name"]), begins, ends, str(lease.get("status", "")))
