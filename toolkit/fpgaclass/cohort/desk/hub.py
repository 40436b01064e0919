"""What a class's hub gets from its cohort: the page of seats, and a card for whoever's time it is."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fpgaclass.cohort.desk.local import LocalDesk
from fpgaclass.cohort.desk.posted import posted_seats
from fpgaclass.cohort.desk.remote import URL_VARIABLE
from fpgaclass.cohort.leases.entries import BOOKED
from fpgaclass.cohort.spec import load_spec
from fpgaclass.core import FpgaClassError

NAME = "seats"
_PASSED_ON = (
    "FPGACLASS_STATE",
    "FPGACLASS_STATE_OF",
    "FPGACLASS_DATABASE",
    "FPGACLASS_PROVISIONING",
    "XDG_STATE_HOME",
    "HOME",
)
_LOG = logging.getLogger("fpgaclass.seats")


@dataclass(frozen=True)
class CardProfile:
    """A card that is a student's now.

    Attributes:
        card, board: which one.
        connect: what to type to get to its node.
        ends: when the time is over, UTC.
        resource: what Kubernetes calls such a card; "" where no device plug-in hands it out.
    """

    card: str
    board: str
    connect: str
    ends: datetime
    resource: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What the student's server finds in its environment."""
        return {
            "FPGACLASS_CARD": self.card,
            "FPGACLASS_CARD_BOARD": self.board,
            "FPGACLASS_CARD_CONNECT": self.connect,
            "FPGACLASS_CARD_ENDS": self.ends.isoformat(),
        }


def configure(c: Any, course: Path | str) -> None:
    """Add the service, who may use it, and the spawner's hook to a hub's configuration.

    Args:
        c: JupyterHub's configuration object.
        course: the course.yaml with the cohort.
    """
    port = _free_port()
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment["FPGACLASS_SEATS_COURSE"] = str(course)
    service = {
        "name": NAME,
        "url": f"http://127.0.0.1:{port}",
        "command": [sys.executable, "-m", "fpgaclass.cohort.desk.service"],
        "environment": environment,
        "oauth_no_confirm": True,
        "oauth_redirect_uri": f"/services/{NAME}/oauth_callback",
    }
    reach = f"access:services!service={NAME}"
    c.JupyterHub.services.append(service)
    c.JupyterHub.load_roles.append({"name": "user", "scopes": ["self", reach]})
    default = ["users:activity!user", "access:servers!server"]
    scopes = c.Spawner.server_token_scopes if "server_token_scopes" in c.Spawner else default
    c.Spawner.server_token_scopes = [*scopes, reach]
    # Through the class's public port, which is the one that a student's server can reach.
    c.Spawner.environment.update({URL_VARIABLE: f"{c.JupyterHub.bind_url.rstrip('/')}/services/{NAME}/"})

    if posted_seats(course) is not None:
        return  # the key that opens cards is elsewhere

    async def hook(spawner: Any) -> None:
        await give_card(spawner, Path(course))

    c.Spawner.pre_spawn_hook = hook


async def give_card(spawner: Any, course: Path) -> None:
    """Give the profile with the card to a server whose student's time it is; all others start without one.

    A card that is not well, or a node that is down, must not keep anybody from their notebook: it is logged.
    """
    kept = {k: v for k, v in spawner.environment.items() if not k.startswith("FPGACLASS_CARD")}
    spawner.environment = kept
    try:
        profile = await asyncio.to_thread(card_profile, course, spawner.user.name)
    except FpgaClassError as trouble:
        _LOG.warning("no card for %s: %s", spawner.user.name, trouble)
        return
    if profile is None:
        return
    spawner.environment = {**kept, **profile.environment}
    if profile.resource and spawner.has_trait("extra_resource_limits"):
        spawner.extra_resource_limits = {**spawner.extra_resource_limits, profile.resource: "1"}


def card_profile(course: Path | str, student: str, *, url: str | None = None) -> CardProfile | None:
    """Return the card that is a student's now, taken over if that is still to be done; None without one.

    Raises:
        CohortError: the card could not be handed over, or nobody is called like that.
    """
    spec = load_spec(course).spec
    desk = LocalDesk(course, student, url=url)
    lease = desk.current()
    if lease is None:
        return None
    if lease.state == BOOKED:
        lease = desk.begin(lease.identity)
    resource = spec.cards.resource or ""
    return CardProfile(lease.card, spec.cards.board, desk.seat().card_connect, lease.ends, resource)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
