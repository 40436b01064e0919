"""The OIDC token for INFN Cloud: from oidc-agent, or from the environment."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from typing import Any

from fpgaclass.cohort.errors import AuthError
from fpgaclass.cohort.port import printable
from fpgaclass.core import require_tool

VARIABLE = "FPGACLASS_OIDC_TOKEN"
_MIN_VALID_S = 300


class Token:
    """A token that renews itself where it can.

    Args:
        account: the account's name in oidc-agent; None takes the environment's token.

    Raises:
        AuthError: there is none, or it has expired.
        ToolMissingError: oidc-agent is asked for and not installed.
    """

    def __init__(self, account: str | None) -> None:
        self._account = account
        self._text = ""

    def header(self) -> str:
        """Return the value of the Authorization header."""
        if not self._text or self.seconds_left() < _MIN_VALID_S / 5:
            self._text = self._fetch()
        return f"Bearer {self._text}"

    def seconds_left(self) -> float:
        """Return how long it is still valid; infinity where the token does not say."""
        try:
            return float(self._claims()["exp"]) - time.time()
        except (KeyError, TypeError, ValueError):
            return float("inf")

    def owner(self) -> str:
        """Return whose it is, by the names that its issuer gives; "" where the token does not say.

        Raises:
            AuthError: there is no token.
        """
        self.header()
        claims = self._claims()
        words = [str(claims[name]) for name in ("sub", "iss") if claims.get(name)]
        return printable(" of ".join(words)) if "sub" in claims else ""

    def renew(self) -> bool:
        """Forget the token that was refused; return whether there is a way to another one."""
        old, self._text = self._text, ""
        return self._account is not None or os.environ.get(VARIABLE, "") != old

    def _claims(self) -> dict[str, Any]:
        """Return what is written in the token; nothing for one that only its issuer can read."""
        parts = self._text.split(".")
        try:
            padded = parts[1] + "=" * (-len(parts[1]) % 4)
            claims = json.loads(base64.urlsafe_b64decode(padded))
        except (IndexError, ValueError):
            return {}
        return claims if isinstance(claims, dict) else {}

    def _fetch(self) -> str:
        if self._account is None:
            text = os.environ.get(VARIABLE, "").strip()
            if not text:
                step = "set cohort.infn.oidc_account, or put a token into the variable"
                raise AuthError("there is no token for INFN Cloud", where=VARIABLE, next_step=step)
            return text
        tool = require_tool("oidc-token", "apt-get install oidc-agent, then oidc-gen once")
        command = [*tool.command, "--time", str(_MIN_VALID_S), self._account]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode or not done.stdout.strip():
            step = f"eval $(oidc-agent-service use) && oidc-add {self._account}"
            why = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise AuthError(f"oidc-agent gives no token: {why}", where=self._account, next_step=step)
        return done.stdout.strip()
