"""Which exchange is meant: the service's address in a server, the class's folder on its machine."""

from __future__ import annotations

import os
from pathlib import Path

from fpgaclass.classroom.exchange.client import Client
from fpgaclass.classroom.exchange.desk import OPERATOR, Desk, Exchange
from fpgaclass.classroom.exchange.store import Store
from fpgaclass.classroom.layout import Layout
from fpgaclass.classroom.roster import members
from fpgaclass.core import ClassroomError


def open_desk(layout: Layout, user: str = OPERATOR) -> Desk:
    """Open a class's exchange where the class lives."""
    return Desk(Store(layout.exchange_url), lambda _: members(layout), user, (layout.course_id,))


def open_exchange(url: str) -> Exchange:
    """Open the exchange that nbgrader's configuration names.

    Args:
        url: an http(s) address, used with the hub's token; or ``<state directory>#<course>``.

    Raises:
        ClassroomError: it is neither.
    """
    if url.startswith(("http://", "https://")):
        token, user = os.environ.get("JUPYTERHUB_API_TOKEN", ""), os.environ.get("JUPYTERHUB_USER", "")
        return Client(url, token, user)
    state, _, course = url.partition("#")
    if not course or not Path(state).is_dir():
        raise ClassroomError("no exchange is configured", where="HubExchange.url in nbgrader_config.py")
    return open_desk(Layout(Path(state), course, ""))
