"""Two courses on one hub: one login, labs of the same name, and no say in the other's affairs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

LAB = "01_square"

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.proof, pytest.mark.xdist_group("hub")]


@pytest.fixture
def other_course(tiny_course: Path) -> Path:
    """A course with the same lab, its own instructor, and one student who is in the first one too."""
    folder = tiny_course.parents[1] / "other"
    shutil.copytree(tiny_course.parent, folder)
    text = (folder / "course.yaml").read_text()
    for old, new in (
        ("tiny101", "other202"),
        ("A tiny course", "Another course"),
        ("[teacher]", "[noether]"),
        ("ada, emmy, hedy, ida, lise, vera", "ada, grace"),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "course.yaml").write_text(text)
    return folder / "course.yaml"


def _token(instructor: Any) -> str:
    """Get a token as the hub's own page does, for all that an instructor may do."""
    instructor.log_in()
    found = re.search(r'xsrf_token: "([^"]+)"', instructor.web.get(f"{instructor.url}/hub/token").text)
    assert found
    made = instructor.web.post(
        f"{instructor.url}/hub/api/users/{instructor.name}/tokens",
        json={"scopes": ["inherit"]},
        headers={"X-XSRFToken": found[1], "Referer": f"{instructor.url}/hub/token"},
    )
    return str(made.raise_for_status().json()["token"])


def test_two_courses_share_people_and_nothing_else(
    tiny_course: Path, other_course: Path, operators: Callable[..., Any], person: type[Any]
) -> None:
    """The second joins while somebody works; what is handed in to one is read by nobody of the other."""
    first, second = operators(tiny_course), operators(other_course)
    up = first.does("up", port=first.port, foreground=False)
    try:
        words = dict(line.split() for line in (first.state / "logins.txt").read_text().splitlines())
        ada = person(up["url"], "ada", words["ada"])
        ada.log_in()
        ada.start_server()
        assert ada.call("GET", "/courses")["value"] == ["tiny101"]
        began = ada.call("GET", "/api/status")["started"]
        assert second.does("up", port=second.port, foreground=False)["url"] == up["url"]
        assert "other202 has joined the class that is up" in second.said
        assert ada.call("GET", "/api/status")["started"] == began, "her server is the one that it was"
        ada.stop_server()
        words = dict(
            line.split() for line in (first.state / "logins.txt").read_text().splitlines() if line.strip()
        )
        assert set(words) == {
            *("teacher", "noether", "ada", "emmy", "hedy", "ida", "lise", "vera", "grace"),
        }
        ada.start_server()
        listed = ada.call("GET", "/courses")["value"]
        assert listed == ["other202", "tiny101"]
        for course in listed:
            lab = {"course_id": course, "assignment_id": LAB}
            ada.call("POST", "/assignments/fetch", json=lab)
            assert ada.call("GET", f"/api/contents/{course}/{LAB}/{LAB}.ipynb")["type"] == "notebook"
        assert ada.call("POST", "/assignments/submit", json={"course_id": "other202", "assignment_id": LAB})[
            "success"
        ]
        asked = ada.web.get(f"{up['url']}/services/class/").text
        assert "A tiny course" in asked
        assert "Another course" in asked

        api = f"{up['url']}/services/class/api"
        tokens = {name: _token(person(up["url"], name, words[name])) for name in ("teacher", "noether")}

        def ask(name: str, path: str, method: str = "GET") -> httpx.Response:
            return httpx.request(method, path, headers={"Authorization": f"token {tokens[name]}"}, timeout=99)

        rows = ask("noether", f"{api}/submissions/other202/{LAB}").json()["submissions"]
        assert [row["student_id"] for row in rows] == ["ada"]
        assert ask("teacher", f"{api}/submissions/tiny101/{LAB}").json()["submissions"] == []
        assert ask("teacher", f"{api}/submissions/other202/{LAB}").status_code == 403
        assert ask("teacher", f"{api}/assignment/other202/{LAB}", "DELETE").status_code == 403
        hub = f"{up['url']}/hub/api/users"
        assert ask("teacher", f"{hub}/grace/server", "DELETE").status_code in (403, 404)
        seen = {user["name"] for user in ask("teacher", hub).json()}
        assert "ada" in seen
        assert not seen & {"grace", "noether"}

        noether = person(up["url"], "noether", words["noether"])
        noether.log_in()
        page = noether.web.get(f"{up['url']}/services/class/")
        assert page.url.path == "/services/class/other202/", "the only one that she is in"
        assert "grace" in page.text
        assert noether.web.get(f"{up['url']}/services/class/tiny101/").status_code == 403
        assert second.does("grade", LAB)["marks"][0]["student"] == "ada"
        assert first.does("status")["submissions"] == {LAB: 0}
    finally:
        second.does("down")
    assert second.does("up", port=second.port, foreground=False)["url"], "whichever is brought up"
    second.does("down")
