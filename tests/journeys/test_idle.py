"""A server that nobody uses makes room for those that somebody does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.proof, pytest.mark.xdist_group("hub")]


def _servers(state: Path, name: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except psutil.Error:
            continue
        if environment.get("FPGACLASS_STATE_OF") == str(state) and environment.get("JUPYTERHUB_USER") == name:
            found.append(process.pid)
    return found


def test_a_forgotten_server_stops_and_keeps_its_work(
    tiny_course: Path, operators: Callable[..., Any], person: type[Any]
) -> None:
    """Thirty servers take 4 GB; who went home must not hold theirs, and finds everything tomorrow."""
    operator = operators(tiny_course)
    url = operator.does("up", port=operator.port, foreground=False, idle_minutes=0.15)["url"]
    try:
        ada = person(url, "ada", operator.passwords()["ada"])
        ada.log_in()
        ada.start_server()
        file = {"type": "file", "format": "text", "content": "mine"}
        ada.call("PUT", "/api/contents/note.txt", json=file)
        assert _servers(operator.state, "ada"), "it runs"
        ends = time.monotonic() + 60
        while _servers(operator.state, "ada"):
            assert time.monotonic() < ends, "nobody stopped it"
            time.sleep(0.5)
        ada.start_server()
        assert ada.call("GET", "/api/contents/note.txt")["content"] == "mine"
    finally:
        operator.does("down")
