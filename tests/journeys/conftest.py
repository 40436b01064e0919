"""The people of a class: somebody at a terminal, and somebody in front of a browser."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket

TINY = Path(__file__).parents[1] / "classroom" / "data"


class Person:
    """Somebody who logs in with name and password and works in JupyterLab.

    Args:
        url: the hub's.
        name: the login name.
        password: theirs.
    """

    def __init__(self, url: str, name: str, password: str) -> None:
        self.url, self.name, self.password = url, name, password
        self.base = f"{url}/user/{name}"
        self.web = httpx.Client(follow_redirects=True, timeout=120)

    def log_in(self) -> httpx.Response:
        """Fill in the hub's login form, hidden field included, and send it."""
        form = self.web.get(f"{self.url}/hub/login").text
        hidden = re.search(r'name="_xsrf" value="([^"]+)"', form)
        assert hidden, "the login form protects itself against forged requests"
        fields = {"_xsrf": hidden[1], "username": self.name, "password": self.password}
        return self.web.post(f"{self.url}/hub/login", data=fields)

    def start_server(self) -> httpx.Response:
        """Ask for a server and wait until JupyterLab answers, as the hub's waiting page does."""
        ends = time.monotonic() + 120
        page = self.web.get(f"{self.url}/hub/spawn")
        while time.monotonic() < ends:
            if str(page.url).startswith(f"{self.base}/lab"):
                return page
            time.sleep(0.3)
            page = self.web.get(f"{self.base}/")
        raise AssertionError(f"no server for {self.name} within two minutes: {page.url} {page.text[:500]}")

    def stop_server(self) -> None:
        """Press *Stop My Server* in the hub's control panel, and wait until it has ended."""
        page = self.web.get(f"{self.url}/hub/home").text
        found = re.search(r'xsrf_token: "([^"]+)"', page)
        assert found
        words = {"X-XSRFToken": found[1], "Referer": f"{self.url}/hub/home"}
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            done = self.web.delete(f"{self.url}/hub/api/users/{self.name}/server", headers=words)
            if done.status_code == 204:
                return
            time.sleep(0.3)
        raise AssertionError(f"the server of {self.name} does not end: {done.status_code} {done.text[:300]}")

    def call(self, method: str, path: str, **fields: Any) -> Any:
        """Send a request to the own server, with its cookie and the token against forged requests."""
        answer = self.web.request(method, self.base + path, headers={"X-XSRFToken": self._token()}, **fields)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def run(self, sources: list[str], path: str = "") -> list[str]:
        """Run cells in one new kernel of the own server, through its websocket; return what they printed.

        Args:
            sources: the cells.
            path: the notebook whose folder the kernel starts in.
        """
        session = {"path": path or "scratch.ipynb", "name": "", "type": "notebook"}
        kernel = self.call("POST", "/api/sessions", json={**session, "kernel": {"name": "python3"}})["kernel"]
        cookies = [cookie for cookie in self.web.cookies.jar if self.base.endswith(cookie.path.rstrip("/"))]
        channel = websocket.create_connection(
            f"{self.base.replace('http', 'ws', 1)}/api/kernels/{kernel['id']}/channels",
            cookie="; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies),
            header={"X-XSRFToken": self._token()},
            origin=self.url,
            timeout=300,
        )
        try:
            return [_execute(channel, source) for source in sources]
        finally:
            channel.close()
            self.call("DELETE", f"/api/kernels/{kernel['id']}")

    def _token(self) -> str:
        return self.web.cookies.get("_xsrf", default="", path=f"/user/{self.name}/") or ""


def _execute(channel: websocket.WebSocket, source: str) -> str:
    """Send an execute_request and gather text and errors until the kernel is idle again."""
    identity = uuid.uuid4().hex
    header = {"msg_id": identity, "session": identity, "username": "", "version": "5.3", "date": ""}
    content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}}
    message = {"parent_header": {}, "metadata": {}, "channel": "shell", "buffers": []}
    message |= {"header": header | {"msg_type": "execute_request"}, "content": content}
    channel.send(json.dumps(message))
    printed = ""
    while True:
        answer = json.loads(channel.recv())
        if answer["parent_header"].get("msg_id") != identity:
            continue
        if answer["msg_type"] == "stream":
            printed += answer["content"]["text"]
        elif answer["msg_type"] == "error":
            printed += f"{answer['content']['ename']}: {answer['content']['evalue']}\n"
        elif answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
            return printed


class Operator:
    """The instructor at the terminal: each command is a process of its own, as root or as an ordinary user.

    Args:
        course: the course.yaml.
        state: where the class keeps its things.
        prefix: the words before each command, which make it another user's.
    """

    def __init__(self, course: Path, state: Path, prefix: list[str]) -> None:
        self.course, self.state, self.prefix = course, state, prefix
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    def does(self, verb: str, *arguments: str, **options: Any) -> Any:
        """Run a verb of fpgaclass.classroom and return what it returned, as plain data."""
        program = f"""
import dataclasses, json
from fpgaclass import classroom
done = classroom.{verb}({str(self.course)!r}, *{arguments!r}, state={str(self.state)!r}, **{options!r})
print(json.dumps(dataclasses.asdict(done) if dataclasses.is_dataclass(done) else done, default=str))
"""
        command = [*self.prefix, sys.executable, "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd="/")
        assert done.returncode == 0, done.stderr
        self.said = done.stderr
        return json.loads(done.stdout)

    def passwords(self) -> dict[str, str]:
        """Return the logins that `up` printed, by name."""
        lines = (line.split() for line in self.said.splitlines())
        return {words[1]: words[2] for words in lines if words[:1] in (["student"], ["instructor"])}


@pytest.fixture(scope="session")
def person() -> type[Person]:
    """The class `Person`."""
    return Person


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder that other users can reach, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="fpgaclass-journey-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tiny_course(scratch: Path) -> Path:
    """The course.yaml of the tiny course of tests/classroom."""
    (scratch / "course" / "notebooks" / "01_square").mkdir(parents=True)
    shutil.copy(TINY / "lab.txt", scratch / "course" / "notebooks" / "01_square" / "lab.py")
    return Path(shutil.copy(TINY / "course.yaml", scratch / "course"))


@pytest.fixture
def operators(scratch: Path) -> Callable[..., Operator]:
    """Make an `Operator` for a course."""

    def make(course: Path, prefix: list[str] | None = None) -> Operator:
        return Operator(course, scratch / "state", prefix or [])

    return make
