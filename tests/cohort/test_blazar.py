"""Blazar as an outer source: students take turns only while the site's lease runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.cohort.errors import AuthError
from fpgaclass.cohort.leases import Lease, LeaseBook
from fpgaclass.cohort.leases.blazar import Blazar, keep_to
from fpgaclass.cohort.spec import LeaseRules

NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)


class Site(BaseHTTPRequestHandler):
    """Blazar's leases, as its reference describes them: dates without a zone, seconds in the answers."""

    leases: dict[str, dict[str, object]] = {}  # noqa: RUF012
    asked: list[dict[str, Any]] = []  # noqa: RUF012

    def log_message(self, *_: object) -> None:
        return

    def _say(self, status: int, data: object = None) -> None:
        body = b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path.rstrip("/") == "/compute":
            links = [{"rel": "self", "href": f"http://{self.headers['Host']}/compute"}]
            version = {"id": "v2.1", "status": "CURRENT", "version": "2.79", "min_version": "2.1"}
            self._say(200, {"version": {**version, "links": links}})
            return
        if self.path.startswith("/compute/flavors/alveo.u250"):
            self._say(200, {"flavor": {"id": "42", "name": "alveo.u250"}})
            return
        if self.headers["X-Auth-Token"] != "good":
            self._say(401, {"error": "Unauthorized"})
            return
        self._say(200, {"leases": list(self.leases.values())})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        identity = f"lease-{len(self.leases)}"
        dates = {name: f"{asked[name].replace(' ', 'T')}:00.000000" for name in ("start_date", "end_date")}
        self.leases[identity] = {"id": identity, "name": asked["name"], "status": "PENDING", **dates}
        self.asked.append(asked)
        self._say(201, {"lease": self.leases[identity]})

    def do_DELETE(self) -> None:
        found = self.leases.pop(self.path.rpartition("/")[2], None)
        self._say(200 if found else 404)


Run = Callable[..., Any]


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


def test_the_verb_leases_and_keeps_to_it(
    site: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From clouds.yaml to the book: nodes leased once, students inside, cards blocked outside."""
    pytest.importorskip("openstack", reason="openstacksdk is not installed")
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(
        "clouds:\n  bari:\n    auth_type: admin_token\n"
        f"    auth: {{endpoint: '{site}', token: good}}\n"
        f"    reservation_endpoint_override: '{site}'\n    compute_endpoint_override: '{site}/compute'\n"
    )
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    cohort = tmp_path / "cohort.yaml"
    (tmp_path / "r.csv").write_text("login\nada\nemmy\n")
    cohort.write_text(
        "name: bari27\nprovider: openstack\nhours: 40\nroster: r.csv\nssh_from: [10.0.0.0/8]\n"
        "seat: {size: m1.large}\ncards: {size: alveo.u250, count: 2}\n"
        "openstack: {cloud: bari, image: ubuntu, network: private}\n"
    )
    here = ("--course", cohort)
    assert "the site leases us nothing" in run("lease", "site", *here).out
    assert "waiting" in run("lease", "book", "--student", "ada", *here).out, "no window, no card"
    day = (datetime.now(UTC) + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
    times = ("--begins", f"{day:%Y-%m-%dT%H:%M}", "--ends", f"{day + timedelta(hours=4):%Y-%m-%dT%H:%M}")
    for _ in range(2):
        (window,) = run("lease", "site", *times, "--json", *here).data["windows"]
    asked = Site.asked[-1]["reservations"][0]
    assert (asked["flavor_id"], asked["amount"]) == ("42", 2)
    assert datetime.fromisoformat(window["begins"]) == day
    assert "students take turns inside" in run("lease", "site", *here).out
    inside = run("lease", "book", "--student", "emmy", "--at", f"{day:%Y-%m-%dT%H:%M}", "--json", *here)
    assert inside.data["lease"]["card"] in ("card/0", "card/1")
    assert run("lease", "site", "--begins", "2027-03-01T10:00", *here).code == 2
