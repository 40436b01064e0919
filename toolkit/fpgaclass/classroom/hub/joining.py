"""A hub that is up takes in courses and people as they come, and nobody's server is stopped for it.

`fpgaclass up` writes them into the class's folder. The hub looks there every second, does again what it does
with them when it starts, has the class's service start anew, and writes down what it has taken in.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fpgaclass.classroom.hints import command
from fpgaclass.classroom.hub.config import INSTRUCTOR_OF, MEMBER, configure_people, service_words
from fpgaclass.classroom.hub.hosted import hosted
from fpgaclass.classroom.layout import Layout, read_json, write_json
from fpgaclass.classroom.roster import load_everybody
from fpgaclass.core import ClassroomError

_EACH = 1.0
PATIENCE = 60.0
"""So many seconds a hub gets to take in what is new."""

State = dict[str, Any]


def wanted(layout: Layout) -> State:
    """Return the courses and people of a hub, as the class's folder has them."""
    people = {user.name: dict(user.roles) for user in load_everybody(layout)}
    return {"courses": [course.course_id for course in hosted(layout.state)], "people": people}


def wait_until_joined(layout: Layout) -> None:
    """Wait until the running hub has taken in what the class's folder says.

    Raises:
        ClassroomError: it does not.
    """
    ends = time.monotonic() + PATIENCE
    while read_json(layout.hub / "joined.json", None) != wanted(layout):
        if time.monotonic() > ends:
            step = f"{command('down')}, then up again (everybody's work is kept; servers are stopped)"
            raise ClassroomError("the hub does not take it in", where=str(layout.hub_log), next_step=step)
        time.sleep(0.1)


async def follow(layout: Layout) -> None:
    """Be the hub's side of it, for as long as the hub runs."""
    from jupyterhub.app import JupyterHub

    write_json(layout.hub / "joined.json", known := wanted(layout))
    while True:
        await asyncio.sleep(_EACH)
        app = JupyterHub.instance()
        now = await asyncio.to_thread(_read, layout, known)
        if now == known or not app._start_future.done():
            continue
        try:
            await _take_in(app, layout, courses=now["courses"] != known["courses"])
        except Exception:
            app.log.exception("The class's people could not be taken in")
            await asyncio.sleep(PATIENCE)
            continue
        write_json(layout.hub / "joined.json", now)
        known = now


def _read(layout: Layout, known: State) -> State:
    try:
        return wanted(layout)
    except ClassroomError:  # somebody edits it; the next second is as good
        return known


async def _take_in(app: Any, layout: Layout, *, courses: bool) -> None:
    """Do with the people and courses of the class's folder what the hub does as it starts."""
    from jupyterhub import orm
    from traitlets.config import Config

    c = Config()
    c.JupyterHub.load_roles = [role for role in app.load_roles if not _is_of_people(role["name"])]
    configure_people(c, layout)
    app.load_roles, app.load_groups = c.JupyterHub.load_roles, dict(c.JupyterHub.load_groups)
    app.template_vars.update(c.JupyterHub.template_vars)
    app.authenticator.allowed_users = set(c.Authenticator.allowed_users)
    await app.init_role_creation()
    await app.init_users()
    await app.init_groups()
    for name, group in app.load_groups.items():  # which only adds
        found = orm.Group.find(app.db, name)
        found.users = [user for user in found.users if user.name in group["users"]]
    app.db.commit()
    await app.init_role_assignment()
    if courses:
        await _start_anew(app._service_map["class"], service_words(layout))


async def _start_anew(service: Any, words: str) -> None:
    """End the class's service and start it with other words; `Service.stop` forgets its address, too."""
    from jupyterhub.objects import Server

    service.environment = {**service.environment, "FPGACLASS_SERVICE": words}
    service.spawner.stop_polling()
    service.proc.terminate()
    await asyncio.to_thread(service.proc.wait)
    await service.start()
    await Server.from_orm(service.orm.server).wait_up(timeout=PATIENCE)


def _is_of_people(role: str) -> bool:
    return role == MEMBER or role.startswith(INSTRUCTOR_OF)
