"""Login through a real OpenID Connect provider that runs here."""

from __future__ import annotations

import re
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fpgaclass.classroom import Classroom
from fpgaclass.classroom.hub.oidc import SECRET_VARIABLE, find_provider
from fpgaclass.core import ClassroomError
from fpgaclass.course import Course, LogIn


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider that knows ada, and somebody who is not in the class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mock = pytest.importorskip("oidc_provider_mock")
        people = [
            mock.User(sub=sub, claims={"preferred_username": name})
            for sub, name in (("1", "ada.lovelace"), ("2", "emmy"), ("3", "mallory"), ("4", "Ada"))
        ]
        with mock.run_server_in_thread(user_claims=people) as server:
            yield f"http://127.0.0.1:{server.server_port}"


def _log_in(url: str, sub: str) -> httpx.Response:
    """Press the hub's button, and log in at the provider."""
    with httpx.Client(follow_redirects=True, timeout=180) as web:
        page = web.get(f"{url}/hub/login")
        way = re.search(r"href='?\"?([^'\" ]*oauth_login[^'\" ]*)", page.text)
        assert way, page.text
        form = web.get(f"{url}{way[1].replace('&amp;', '&')}")
        return web.post(str(form.url), data={"sub": sub})


@pytest.mark.slow
def test_the_provider_says_who_and_the_roster_who_may(
    issuer: str, tiny_course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A university has thousands of accounts; six of them are in this class, one under another name."""
    monkeypatch.setenv(SECRET_VARIABLE, "kept-out-of-everything")
    more = f"login: {{issuer: '{issuer}', client_id: class, users: {{ada.lovelace: ada}}}}\n"
    tiny_course.write_text(tiny_course.read_text() + more)
    classroom = Classroom(Course.load(tiny_course), tmp_path / "state")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    try:
        url = str(classroom.up(port, foreground=False).url)
        for sub, name in (("1", "ada"), ("2", "emmy")):
            page = _log_in(url, sub)
            assert page.url.path.endswith(f"/{name}") or f"/user/{name}/" in page.url.path, page.url
        assert _log_in(url, "3").status_code == 403
        assert _log_in(url, "4").status_code == 403, "whom the provider calls ada is not the class's ada"
    finally:
        classroom.down()
    for path in (tmp_path / "state").rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert b"kept-out-of-everything" not in path.read_bytes(), path


def test_a_provider_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    """The address is typed by hand, and the secret is easily forgotten."""
    login = LogIn(issuer=issuer, client_id="class")
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    with pytest.raises(ClassroomError, match=rf"secret is missing.*Next: export {SECRET_VARIABLE}"):
        find_provider(login)
    monkeypatch.setenv(SECRET_VARIABLE, "x")
    assert find_provider(login).token_url.startswith(issuer)
    with pytest.raises(ClassroomError, match=r"does not answer.*Next: check login\.issuer"):
        find_provider(LogIn(issuer="http://127.0.0.1:9", client_id="class"))
