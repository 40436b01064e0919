"""Passes: a browser is shown somebody's server only if that person logged in with it.

All servers of a class have one address, and so one origin: a page of one can act as whoever looks at it on
all others. A server asks who somebody is itself, but a student decides what theirs answers before it asks. So
the proxy asks first: the hub gives each browser a pass with its owner's name at login, and the proxy, which
lets no server see passes, leads to a server only the one whose name it has. A pass opens nothing by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fpgaclass.classroom.layout import write_text

COOKIE = "fpgaclass-pass"
"""The name of the cookie that is a pass."""


class Passes:
    """Makes passes and reads them.

    Args:
        key: what only the hub and its proxy know.

    Example:
        >>> passes = Passes(b"known to few")
        >>> passes.holder(f"{COOKIE}={passes.of('ada')}")
        'ada'
        >>> passes.holder(f"{COOKIE}=ada.0000") is None
        True
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def at(cls, path: Path) -> Passes:
        """Return the passes of a key file, which is made if it is not there; it outlives a hub."""
        if not path.is_file():
            write_text(path, secrets.token_hex(32))
        return cls(path.read_text().strip().encode())

    def of(self, name: str) -> str:
        """Return somebody's pass."""
        return f"{name}.{hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()}"

    def holder(self, cookies: str) -> str | None:
        """Return whose pass is among the cookies of a request, or None."""
        try:
            found = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return None
        name = found.value.rpartition(".")[0] if found else ""
        return name if name and found and hmac.compare_digest(found.value, self.of(name)) else None


def owner_of(route: str) -> str | None:
    """Return whose server a route of the proxy leads to, or None."""
    found = re.match(r"/user/([^/]+)", route)
    return unquote(found[1]) if found else None


def without_pass(cookies: str) -> str:
    """Return the cookies of a request without the pass."""
    kept = (one for one in cookies.split(";") if one.partition("=")[0].strip() != COOKIE)
    return ";".join(kept).strip()


def configure(c: Any, path: Path) -> None:
    """Have the hub give a pass at each login."""
    passes = Passes.at(path)

    def give(authenticator: Any, handler: Any, who: Any) -> Any:  # noqa: ARG001 - the hub's signature
        if who:
            secure = handler.request.protocol == "https"
            handler.set_cookie(
                COOKIE, passes.of(who["name"]), path="/", httponly=True, secure=secure, samesite="Lax"
            )
        return who

    c.Authenticator.post_auth_hook = give
