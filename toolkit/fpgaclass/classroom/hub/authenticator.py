"""The hub's login: names and passwords of the roster."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.auth import Authenticator
from traitlets import Any as AnyTrait

from fpgaclass.classroom.roster import check_password, load_everybody


class RosterAuthenticator(Authenticator):  # type: ignore[misc]
    """Let in who is in the roster and knows the password."""

    layout = AnyTrait(help="The class's `Layout`").tag(config=True)

    async def authenticate(self, handler: Any, data: Any) -> str | None:  # noqa: ARG002 - the hub's signature
        """Return the user's name, or None."""
        users = load_everybody(self.layout)
        # scrypt takes 50 ms of CPU: in a thread, so that thirty logins do not stop the hub
        check = asyncio.to_thread(check_password, users, data["username"], data["password"])
        user = await check
        return user.name if user else None
