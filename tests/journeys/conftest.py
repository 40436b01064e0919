"""A person in front of the hub: what a browser does, by HTTP and websockets."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

import httpx
import pytest
import websocket


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
            page = self.web.get(f"{self.base}/lab")
        raise AssertionError(f"no server for {self.name} within two minutes: {page.url} {page.text[:500]}")

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
        socket = websocket.create_connection(
            f"{self.base.replace('http', 'ws', 1)}/api/kernels/{kernel['id']}/channels",
            cookie="; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies),
            header={"X-XSRFToken": self._token()},
            origin=self.url,
            timeout=300,
        )
        try:
            return [_execute(socket, source) for source in sources]
        finally:
            socket.close()
            self.call("DELETE", f"/api/kernels/{kernel['id']}")

    def _token(self) -> str:
        return self.web.cookies.get("_xsrf", default="", path=f"/user/{self.name}/") or ""


def _execute(socket: websocket.WebSocket, source: str) -> str:
    """Send an execute_request and gather text and errors until the kernel is idle again."""
    identity = uuid.uuid4().hex
    header = {"msg_id": identity, "session": identity, "username": "", "version": "5.3", "date": ""}
    content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}}
    message = {"parent_header": {}, "metadata": {}, "channel": "shell", "buffers": []}
    message |= {"header": header | {"msg_type": "execute_request"}, "content": content}
    socket.send(json.dumps(message))
    printed = ""
    while True:
        answer = json.loads(socket.recv())
        if answer["parent_header"].get("msg_id") != identity:
            continue
        if answer["msg_type"] == "stream":
            printed += answer["content"]["text"]
        elif answer["msg_type"] == "error":
            printed += f"{answer['content']['ename']}: {answer['content']['evalue']}\n"
        elif answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
            return printed


@pytest.fixture(scope="session")
def person() -> type[Person]:
    """The class `Person`."""
    return Person
