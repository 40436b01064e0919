"""The service as a tornado application."""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fpgaclass.classroom.exchange.desk import OPERATOR, Desk
from fpgaclass.classroom.exchange.store import Store
from fpgaclass.classroom.hub.hosted import Hosted
from fpgaclass.classroom.layout import Layout
from fpgaclass.classroom.roster import members
from fpgaclass.classroom.service import PREFIX


def make_app(state: Path, courses: Sequence[Hosted], *, prefix: str = PREFIX) -> Any:
    """Return the application of a hub.

    Args:
        state: where the hub keeps its things.
        courses: the hub's.
        prefix: where it is below the hub's address. A single course has its pages there; of several, each
            has them below its name.
    """
    from jupyterhub.services.auth import HubOAuthCallbackHandler

    from fpgaclass.classroom.exchange import api
    from fpgaclass.classroom.service import choice, pages
    from fpgaclass.classroom.service.glance import Watcher

    layouts = {course.course_id: course.layout(state) for course in courses}
    store = Store(Layout(state, "", "").exchange_url)

    def desk_of(user: str) -> Desk:
        return Desk(store, lambda course: members(layouts[course]), user, tuple(layouts))

    def pages_of(course: Hosted, prefix: str) -> list[Any]:
        watcher = Watcher(layouts[course.course_id], Path(course.path), desk_of(OPERATOR))
        shared = {"watcher": watcher, "desk_of": desk_of, "prefix": prefix}
        return [
            (prefix, pages.Home, shared),
            (f"{prefix}glance.json", pages.Data, shared),
            (f"{prefix}feedback/([^/]+)/([^/]+)/([^/]+)", pages.FeedbackPage, shared),
            *_files(prefix),
        ]

    routes = [*api.routes(prefix, desk_of), (f"{prefix}oauth_callback", HubOAuthCallbackHandler)]
    if len(courses) == 1:
        return _application([*routes, *pages_of(courses[0], prefix)])
    titles = {course.course_id: course.title for course in courses}
    routes += [(prefix, choice.Choice, {"desk_of": desk_of, "prefix": prefix, "titles": titles})]
    routes += _files(prefix)
    for course in courses:
        routes += pages_of(course, f"{prefix}{course.course_id}/")
    return _application(routes)


def _application(routes: list[Any]) -> Any:
    from tornado.web import Application

    return Application(routes, cookie_secret=secrets.token_bytes(32), xsrf_cookies=False)


def _files(prefix: str) -> list[Any]:
    """Return the handlers of what the pages are made with."""
    from tornado.web import StaticFileHandler

    from fpgaclass.classroom.service.pages import MathJax

    return [
        (f"{prefix}static/(.*)", StaticFileHandler, {"path": str(Path(__file__).parent / "static")}),
        (f"{prefix}mathjax/(.*)", MathJax, {"path": str(_mathjax())}),
    ]


def _mathjax() -> Path:
    """Return the folder of MathJax, which comes as a package, so that formulas need no internet."""
    spec = importlib.util.find_spec("jupyter_server_mathjax")
    return Path(spec.origin).parent / "static" if spec and spec.origin else Path("/nonexistent")
