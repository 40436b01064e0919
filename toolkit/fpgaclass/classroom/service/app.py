"""The service as a tornado application."""

from __future__ import annotations

import importlib.util
import secrets
from pathlib import Path
from typing import Any

from fpgaclass.classroom.exchange.desk import OPERATOR, Desk
from fpgaclass.classroom.exchange.store import Store
from fpgaclass.classroom.layout import Layout
from fpgaclass.classroom.roster import members
from fpgaclass.classroom.service import PREFIX


def make_app(layout: Layout, course: Path, *, prefix: str = PREFIX) -> Any:
    """Return the application of a class.

    Args:
        layout: the class.
        course: its course.yaml.
        prefix: where it is below the hub's address.
    """
    from jupyterhub.services.auth import HubOAuthCallbackHandler
    from tornado.web import Application, StaticFileHandler

    from fpgaclass.classroom.exchange import api
    from fpgaclass.classroom.service import pages
    from fpgaclass.classroom.service.glance import Watcher

    store = Store(layout.exchange_url)

    def desk_of(user: str) -> Desk:
        return Desk(store, lambda _: members(layout), user, (layout.course_id,))

    operator = desk_of(OPERATOR)
    shared = {"watcher": Watcher(layout, course, operator), "desk_of": desk_of, "prefix": prefix}
    here = Path(__file__).parent
    return Application(
        [
            *api.routes(prefix, desk_of),
            (f"{prefix}oauth_callback", HubOAuthCallbackHandler),
            (f"{prefix}static/(.*)", StaticFileHandler, {"path": str(here / "static")}),
            (prefix, pages.Home, shared),
            (f"{prefix}glance.json", pages.Data, shared),
            (f"{prefix}feedback/([^/]+)/([^/]+)/([^/]+)", pages.FeedbackPage, shared),
            (f"{prefix}mathjax/(.*)", pages.MathJax, {"path": str(_mathjax())}),
        ],
        cookie_secret=secrets.token_bytes(32),
        xsrf_cookies=False,
    )


def _mathjax() -> Path:
    """Return the folder of MathJax, which comes as a package, so that formulas need no internet."""
    spec = importlib.util.find_spec("jupyter_server_mathjax")
    return Path(spec.origin).parent / "static" if spec and spec.origin else Path("/nonexistent")
