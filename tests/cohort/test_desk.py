"""The student's desk: beside the state, through a real hub from a notebook, and as a page."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from fpgaclass import cohort as room
from fpgaclass.cohort.desk import hub as hub_part
from fpgaclass.cohort.desk.remote import URL_VARIABLE
from fpgaclass.cohort.errors import AuthError, CohortError, LeaseError
from fpgaclass.cohort.testing import MemoryCloud, MemoryProvider

CONFIG = """\
import sys
from pathlib import Path
from fpgaclass.cohort.desk.hub import configure
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.ConfigurableHTTPProxy.command = [
    sys.executable, "-c", "from configurable_http_proxy.cli import main; main()"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
configure(c, Path({course!r}))
"""


@dataclass
class Hub:
    """A hub with the seats' service: its address, and the course behind it."""

    url: str
    course: Path

    def browser(self, name: str) -> httpx.Client:
        """Return a browser in which somebody has logged in."""
        web = httpx.Client(base_url=self.url, follow_redirects=True, timeout=60, trust_env=False)
        hidden = re.search(r'name="_xsrf" value="([^"]+)"', web.get("/hub/login").text)
        assert hidden
        web.post("/hub/login?next=/hub/home", data={"_xsrf": hidden[1], "username": name, "password": "x"})
        return web

    def desk(self, name: str) -> room.HubDesk:
        """Return the desk as a notebook opens it, with a token that may only reach the service."""
        web = self.browser(name)
        home = web.get("/hub/token").text
        token = re.search(r'xsrf_token: "([^"]+)"', home)
        assert token
        made = web.post(
            f"/hub/api/users/{name}/tokens",
            json={"scopes": ["access:services!service=seats"]},
            headers={"X-XSRFToken": token[1], "Referer": f"{self.url}/hub/token"},
        )
        assert made.is_success, made.text
        return room.HubDesk(f"{self.url}/services/seats/", made.json()["token"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, course_text: str) -> Iterator[Hub]:
    """A real JupyterHub with the real service, over a cohort that was made in memory."""
    folder = tmp_path_factory.mktemp("hub")
    course = folder / "course.yaml"
    course.write_text(course_text)
    before = os.environ.get("FPGACLASS_STATE")
    os.environ["FPGACLASS_STATE"] = str(folder / "state")
    try:
        assert not room.apply(course, provider=MemoryProvider(MemoryCloud())).failed
        ports = {"port": _free_port(), "hub_port": _free_port(), "proxy_port": _free_port()}
        (folder / "config.py").write_text(CONFIG.format(course=str(course), **ports))
        command = [sys.executable, "-m", "jupyterhub", "--config", str(folder / "config.py")]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        found = Hub(f"http://127.0.0.1:{ports['port']}", course)
        for _ in range(240):
            try:
                if httpx.get(f"{found.url}/services/seats/static/style.css", trust_env=False).is_success:
                    break
            except httpx.HTTPError:
                pass
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            time.sleep(0.25)
        else:
            raise AssertionError((folder / "log").read_text()[-2000:])
        yield found
        process.terminate()
        process.wait(30)
    finally:
        if before is None:
            del os.environ["FPGACLASS_STATE"]
        else:
            os.environ["FPGACLASS_STATE"] = before


def _hidden(page: httpx.Response) -> str:
    found = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def test_a_student_books_and_gives_back_on_the_page(hub: Hub) -> None:
    """The whole way of somebody with a browser and no terminal."""
    web = hub.browser("ada")
    page = web.get("/services/seats/")
    assert page.status_code == 200
    assert "ssh ada@192.0.2." in page.text
    assert "Europe/Rome" in page.text, "the class's zone, where no script runs"
    fields = {"_xsrf": _hidden(page), "action": "book", "slots": "2"}
    page = web.post("/services/seats/", data=fields)
    assert "booked" in page.text
    identity = re.search(r'name="id" value="([0-9a-f]+)"', page.text)
    assert identity
    page = web.post("/services/seats/", data={**fields, "slots": "1"})
    assert "ada has 1 booking already, and may have 1</p>" in page.text, "without a terminal's commands"
    fields |= {"action": "release", "id": identity[1]}
    page = web.post("/services/seats/", data=fields)
    assert "given back" in page.text
    assert "Nothing is booked" in page.text


def test_a_forged_form_changes_nothing(hub: Hub) -> None:
    """Another site can make a student's browser send a form; it cannot know the hidden field."""
    web = hub.browser("emmy")
    web.get("/services/seats/")
    for fields in ({}, {"_xsrf": "2|forged|0|0"}):
        answer = web.post("/services/seats/", data={"action": "book", "slots": "1", **fields})
        assert answer.status_code == 403
    assert room.open_leases(hub.course, url=_url(hub)).bookings("emmy") == ()


def test_the_page_is_for_who_has_logged_in(hub: Hub) -> None:
    """Without a login there is the hub's login page; who is no student of the cohort is told."""
    stranger = httpx.Client(base_url=hub.url, follow_redirects=True, trust_env=False)
    assert "/hub/login" in str(stranger.get("/services/seats/").url)
    assert stranger.get("/services/seats/api/desk").status_code == 403
    page = hub.browser("mallory").get("/services/seats/")
    assert page.status_code == 404
    assert "called mallory" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_the_desk_of_a_notebook_is_the_desk_beside_the_state(hub: Hub) -> None:
    """One port, two adapters, the same answers; and the token decides whose desk it is, nothing else."""
    far = hub.desk("lise")
    near = room.LocalDesk(hub.course, "lise", url=_url(hub))
    assert far.seat() == near.seat()
    assert far.timezone == near.timezone == "Europe/Rome"
    assert far.next() is None
    later = (datetime.now(UTC) + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    lease = far.book(2, at=later)
    assert lease == near.next() == far.next()
    assert near.bookings() == far.bookings() == (lease,)
    with pytest.raises(LeaseError, match=r"lise has 1 booking already.*Next: use or release") as told:
        far.book()
    assert told.value.next_step
    with pytest.raises(LeaseError, match="begins at"):
        far.begin(lease.identity)  # type: ignore[union-attr]
    other = hub.desk("emmy")
    with pytest.raises(LeaseError, match="no open lease"):
        other.release(lease.identity)  # type: ignore[union-attr]
    assert (
        far.release(lease.identity)
        == room.open_leases(hub.course, url=_url(hub)).bookings(  # type: ignore[union-attr]
            "lise", past=True
        )[-1]
    )
    assert not far.leave()
    with pytest.raises(AuthError, match="token"):
        room.HubDesk(f"{hub.url}/services/seats/", "wrong").seat()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"slots": "many"}',
        b'{"slots": 1, "at": "soon"}',
        b'{"slots": 1e999}',
        b"[" * 30_000 + b"]" * 30_000,
    ],
    ids=["empty", "list", "many", "soon", "endless", "deep"],
)
def test_nonsense_is_refused(hub: Hub, body: bytes) -> None:
    """Students' code is hostile: it may send anything, and must break nothing."""
    desk = hub.desk("ada")
    headers = {"Authorization": f"token {desk._token}"}
    url = f"{hub.url}/services/seats/api/leases"
    assert httpx.post(url, content=body, headers=headers, trust_env=False).status_code == 400
    assert desk.seat().student == "ada", "and it still serves"


def _url(hub: Hub) -> str:
    return f"sqlite:///{hub.course.parent / 'state' / 'cohort.sqlite'}"


def test_where_the_desk_is(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a class's server the hub says who asks; beside the state it must be said."""
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9/services/seats/")
    assert isinstance(room.open_desk(), room.HubDesk)
    assert isinstance(room.open_desk(course, "ada"), room.LocalDesk)
    monkeypatch.delenv(URL_VARIABLE)
    with pytest.raises(LeaseError, match=r"not said whose.*--student, one of: ada"):
        room.open_desk(course)
    with pytest.raises(CohortError, match="called nobody"):
        room.open_desk(course, "nobody")
    with pytest.raises(CohortError, match="do not answer"):
        room.HubDesk("http://127.0.0.1:9/", "x").seat()


class Spawner(SimpleNamespace):
    """What the hook touches of a spawner."""

    def has_trait(self, name: str) -> bool:
        """Tell whether it is a Kubernetes spawner."""
        return hasattr(self, name)


def test_a_lease_gives_the_profile_with_the_card(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only to whom it belongs, and only now: ada's server gets the card, emmy's does not."""
    from fpgaclass.cohort.leases import Health

    course.write_text(course.read_text().replace("count: 2,", "count: 1, resource: amd.com/u250,"))
    room.apply(course, provider=MemoryProvider(MemoryCloud()))
    monkeypatch.setattr("fpgaclass.cohort.desk.local.card_gate", lambda *_, **__: lambda _: Health(True))
    book = room.open_leases(course)
    lease = book.book("ada")
    assert isinstance(lease, room.Lease)
    book._clock = lambda: lease.begins + timedelta(minutes=1)
    monkeypatch.setattr("fpgaclass.cohort.desk.local.open_leases", lambda *_, **__: book)
    monkeypatch.setattr("fpgaclass.cohort.seat._leases", lambda *_: book)
    ada = Spawner(user=SimpleNamespace(name="ada"), environment={"A": "1"}, extra_resource_limits={})
    emmy = Spawner(user=SimpleNamespace(name="emmy"), environment={"A": "1"})
    asyncio.run(hub_part.give_card(ada, course))
    asyncio.run(hub_part.give_card(emmy, course))
    assert ada.environment["FPGACLASS_CARD"] == "card/0"
    assert ada.environment["FPGACLASS_CARD_CONNECT"].startswith("ssh ada@")
    assert ada.environment["A"] == "1"
    assert ada.extra_resource_limits == {"amd.com/u250": "1"}
    assert book.bookings("ada")[0].state == "active", "who starts a server has come"
    assert emmy.environment == {"A": "1"}
    book._clock = lambda: lease.ends + timedelta(minutes=1)
    asyncio.run(hub_part.give_card(ada, course))
    assert ada.environment == {"A": "1"}, "the next server has none"


def test_a_broken_card_keeps_nobody_from_their_notebook(
    course: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server starts without the card, and the log says why."""
    monkeypatch.setattr(
        "fpgaclass.cohort.desk.hub.card_profile", lambda *_: (_ for _ in ()).throw(LeaseError("it is hot"))
    )
    spawner = Spawner(user=SimpleNamespace(name="ada"), environment={})
    asyncio.run(hub_part.give_card(spawner, course))
    assert spawner.environment == {}
    assert "no card for ada: it is hot" in caplog.text


def test_a_card_whose_time_is_over_is_closed_once(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may stay on a card because nobody else wants it; a reset takes time, so that once is enough."""
    from fpgaclass.cohort.desk.watch import Doorkeeper
    from fpgaclass.cohort.leases import Health

    room.apply(course, provider=MemoryProvider(MemoryCloud()))
    closed: list[str] = []
    well = [True]

    def gate(_hosts: object, *, holder: str = "") -> object:
        assert holder == ""
        return lambda card: closed.append(card) or Health(well[0], "" if well[0] else "hot")

    monkeypatch.setattr("fpgaclass.cohort.desk.watch.card_gate", gate)
    keeper = Doorkeeper(course)
    book = keeper._book
    lease = book.book("ada", at=datetime.now(UTC))
    assert isinstance(lease, room.Lease)
    book.begin(lease.identity)
    assert keeper.look() == ("card/1",), "what was open before it started"
    book._clock = lambda: lease.ends + timedelta(minutes=1)
    assert keeper.look() == ("card/0",)
    assert keeper.look() == ()
    assert closed == ["card/1", "card/0"]
    well[0] = False
    with pytest.raises(CohortError, match="card/0 is out of use: hot"):
        keeper.close("card/0")
    assert [card.note for card in book.cards() if not card.healthy] == ["hot"]
