"""What `python -m jupyterhub` reads; `fpgaclass.classroom.hub.server` starts it."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from fpgaclass.classroom.hub.bytecode import ensure_compiled
from fpgaclass.classroom.hub.config import SETTINGS_VARIABLE, HubSettings, configure
from fpgaclass.classroom.hub.joining import follow
from fpgaclass.classroom.hub.limits import Limits, raise_open_files
from fpgaclass.classroom.hub.oidc import Provider
from fpgaclass.classroom.layout import Layout

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started with `&`; services are ended by it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@event.listens_for(Engine, "connect")
def _commit_quickly(connection: Any, _: Any) -> None:
    """Wait for the disk now and then, not at each of the dozens of commits of somebody's log-in.

    What a power cut could take is a token of the last second; the file stays whole.
    """
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


raise_open_files()
ensure_compiled()
settings = json.loads(os.environ.pop(SETTINGS_VARIABLE))
layout = Layout(Path(settings.pop("state")), "", "")
settings["limits"] = Limits(**settings["limits"])
settings["provider"] = Provider(**settings["provider"]) if settings["provider"] else None
configure(get_config(), layout, HubSettings(**settings))  # type: ignore[name-defined]  # noqa: F821
following = asyncio.get_running_loop().create_task(follow(layout))
