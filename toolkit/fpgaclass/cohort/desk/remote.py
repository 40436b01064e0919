"""The desk from a notebook or a terminal of the class: the hub's service answers, and knows who asks."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cached_property
from typing import Any

from fpgaclass.cohort.desk.wire import DeskView, Turn, decode
from fpgaclass.cohort.errors import AuthError, CohortError, LeaseError, LostError
from fpgaclass.cohort.leases import Lease, Waiting
from fpgaclass.cohort.seat import SeatView

URL_VARIABLE = "FPGACLASS_SEATS_URL"
"""Set in every server of a class that has a cohort: the address of the service."""


class HubDesk:
    """The desk of whoever the token belongs to.

    Args:
        address: of the service, ending in ``/services/seats/``.
        token: the server's own, which the hub has put into its environment.
    """

    def __init__(self, address: str, token: str) -> None:
        self._address, self._token = address.rstrip("/"), token

    @cached_property
    def timezone(self) -> str:
        """The class's time zone."""
        return self.view().timezone

    def view(self) -> DeskView:
        """Return all that the page shows."""
        return decode(self._call("GET", "desk"), DeskView)

    def seat(self) -> SeatView:
        """See the port."""
        return self.view().seat

    def bookings(self) -> tuple[Lease, ...]:
        """See the port."""
        return self.view().bookings

    def book(self, slots: int = 1, *, at: datetime | None = None) -> Lease | Waiting:
        """See the port."""
        asked = {"slots": slots, "at": at.isoformat() if at else None}
        found: Lease | Waiting = decode(self._call("POST", "leases", asked), Turn)  # type: ignore[arg-type]
        return found

    def next(self) -> Lease | Waiting | None:
        """See the port."""
        found: Turn = decode(self._call("GET", "next"), Turn)  # type: ignore[arg-type]
        return found

    def begin(self, identity: str) -> Lease:
        """See the port."""
        return decode(self._call("POST", f"leases/{identity}/begin"), Lease)

    def release(self, identity: str) -> Lease:
        """See the port."""
        return decode(self._call("DELETE", f"leases/{identity}"), Lease)

    def leave(self) -> bool:
        """See the port."""
        return bool(json.loads(self._call("DELETE", "queue")))

    def _call(self, method: str, path: str, data: Any = None) -> bytes:
        import httpx

        headers = {"Authorization": f"token {self._token}"}
        url = f"{self._address}/api/{path}"
        try:
            # A card's reset takes as long as it takes.
            answer = httpx.request(
                method,
                url,
                json=data,
                headers=headers,
                timeout=330,
                trust_env=not url.startswith("http://127."),
            )
        except httpx.HTTPError as trouble:
            step = "try again; if it stays, tell your instructor"
            raise LostError(
                f"the hub's seats do not answer: {trouble}", where=url, next_step=step
            ) from trouble
        if answer.is_success:
            return answer.content
        if answer.status_code in (401, 403):
            step = "stop your server in the hub's control panel and start it again"
            raise AuthError("the hub does not take this server's token", where=url, next_step=step)
        try:
            said = answer.json()
            kind = LeaseError if said["kind"] == "LeaseError" else CohortError
            raise kind(said["what"], where=said["where"], next_step=said["next_step"])
        except (ValueError, KeyError) as odd:
            raise CohortError(f"the hub's seats answered {answer.status_code}", where=url) from odd
