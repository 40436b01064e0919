"""The first page of a hub with several courses: to the only one that somebody is in, or which of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import SimpleNamespace

from jupyterhub.services.auth import HubOAuthenticated
from tornado.web import HTTPError, RequestHandler, authenticated

from fpgaclass.classroom.exchange.desk import Desk
from fpgaclass.classroom.service.pages import POLICY, templates


class Choice(HubOAuthenticated, RequestHandler):  # type: ignore[misc]
    """The courses of somebody who is logged in at the hub."""

    def initialize(self, desk_of: Callable[[str], Desk], prefix: str, titles: Mapping[str, str]) -> None:
        """Take the courses there are."""
        self.desk_of, self.prefix, self.titles = desk_of, prefix, titles
        self.set_header("Content-Security-Policy", POLICY)

    @authenticated  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Lead on, or ask where to."""
        me = str(self.current_user["name"])
        courses = await asyncio.to_thread(self.desk_of(me).courses)
        if not courses:
            raise HTTPError(403, "You are not in any course of this hub.")
        if len(courses) == 1:
            self.redirect(f"{self.prefix}{courses[0]}/")
            return
        page = templates().get_template("choice.html")
        named = [(f"{self.prefix}{name}/", self.titles[name]) for name in courses]
        glance = SimpleNamespace(title="Your courses")
        self.finish(page.render(glance=glance, prefix=self.prefix, me=me, courses=named))
