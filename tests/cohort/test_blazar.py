"""Blazar as an outer source: students take turns only while the site's lease runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fpgaclass.cohort.errors import AuthError
from fpgaclass.cohort.leases import Lease, LeaseBook
from fpgaclass.cohort.leases.blazar import Blazar, keep_to
from fpgaclass.cohort.spec import LeaseRules

NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)


class Site(BaseHTTPRequestHandler):
    """Blazar's leases, as its reference describes them: dates without a zone, seconds in the answers."""

    leases: dict[str, dict[str, object]] = {}  # noqa: RUF012

    def log_message(self, *_: object) -> None:
        return

    def _say(self, status: int, data: object = None) -> None:
        body = b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.headers["X-Auth-Token"] != "good":
            self._say(401, {"error": "Unauthorized"})
            return
        self._say(200, {"leases": list(self.leases.values())})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        identity = f"lease-{len(self.leases)}"
        dates = {name: f"{asked[name].replace(' ', 'T')}:00.000000" for name in ("start_date", "end_date")}
        self.leases[identity] = {"id": identity, "name": asked["name"], "status": "PENDING", **dates}
        self._say(201, {"lease": self.leases[identity]})

    def do_DELETE(self) -> None:
        found = self.leases.pop(self.path.rpartition("/")[2], None)
        self._say(200 if found else 404)


@pytest.fixture
def site() -> Iterator[str]:
    Site.leases.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_a_window_is_leased_once(site: str) -> None:
    """Asked for twice it is one lease; given back twice it is no error."""
    blazar = Blazar(site, "good")
    asked = {"resource_type": "flavor:instance", "amount": 2}
    first = blazar.ensure_window("bari27", NOW, NOW + timedelta(hours=5), asked)
    assert blazar.ensure_window("bari27", NOW, NOW + timedelta(hours=5), asked) == first
    assert blazar.windows("bari27") == (first,)
    assert (first.begins, first.ends) == (NOW, NOW + timedelta(hours=5))
    blazar.delete(first.identity)
    blazar.delete(first.identity)
    assert blazar.windows("bari27") == ()
    with pytest.raises(AuthError):
        Blazar(site, "old").windows("bari27")


def test_students_get_turns_only_inside_the_window(site: str, tmp_path: Path) -> None:
    """A booking outside the site's lease would be a card that is not there."""
    blazar = Blazar(site, "good")
    window = blazar.ensure_window("c", NOW + timedelta(hours=2), NOW + timedelta(hours=3), {})
    rules = LeaseRules(horizon_days=1, queue_hours=24, open_bookings=1)
    book = LeaseBook("c", rules, url=f"sqlite:///{tmp_path / 'l.sqlite'}", clock=lambda: NOW)
    book.ensure_cards(["u250"])
    keep_to(book, ["u250"], [window], now=NOW)
    keep_to(book, ["u250"], [window], now=NOW)
    lease = book.book("ada", 2)
    assert isinstance(lease, Lease)
    assert (lease.begins, lease.ends) == (window.begins, window.ends)
    assert not isinstance(book.book("emmy", 1), Lease), "the window is full"
