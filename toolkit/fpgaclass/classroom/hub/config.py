"""The hub's configuration, from the record that `fpgaclass.classroom.hub.server` writes."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass
from typing import Any

from fpgaclass.classroom.gradebook.database import URL_VARIABLE
from fpgaclass.classroom.hub import oidc, passes
from fpgaclass.classroom.hub.hosted import Hosted, hosted
from fpgaclass.classroom.hub.limits import Limits, find_limiter, raise_open_files
from fpgaclass.classroom.hub.oidc import Provider
from fpgaclass.classroom.hub.ways import Doors
from fpgaclass.classroom.layout import DATABASE_VARIABLE, Layout
from fpgaclass.classroom.roster import User, load_everybody
from fpgaclass.classroom.service.cards import PASSED_ON
from fpgaclass.engine.sandbox import find_jail
from fpgaclass.engine.system import leave_session_keyring

_SERVICE_NEEDS = (DATABASE_VARIABLE, URL_VARIABLE, *PASSED_ON)
MEMBER, INSTRUCTOR_OF = "member", "instructor-of-"
"""The hub's roles of people: of all, and of the instructors of a course."""
_USE_CLASS = "access:services!service=class"
SETTINGS_VARIABLE = "FPGACLASS_HUB_SETTINGS"
"""The environment variable that holds the settings, as JSON."""

CLASS_VARIABLE = "FPGACLASS_STATE_OF"
"""Set, to the state directory, in every process of a class, so that none is ever lost sight of."""


@dataclass(frozen=True)
class HubSettings:
    """What differs from one start of the hub to the next.

    Attributes:
        port: the public port on 127.0.0.1.
        hub_port: the hub's own port, behind the proxy.
        proxy_port: the port of the proxy's interface.
        service_port: the port of the class's own service, behind the proxy.
        idle_minutes: stop servers that nobody used for so long; 0 for never.
        parent: the pid whose end ends the hub; 0 for none.
        limits: what each seat may take.
        internet: hosts that the seats may reach.
        provider: of identities; None for the roster's own passwords.
        extensions: modules whose ``configure(c, argument)`` is called last, each with its argument: what
            other rooms add to the hub, without this one importing them.
    """

    port: int
    hub_port: int
    proxy_port: int
    service_port: int
    idle_minutes: float
    parent: int
    limits: Limits
    internet: tuple[str, ...]
    provider: Provider | None = None
    extensions: tuple[tuple[str, str], ...] = ()


def configure(c: Any, layout: Layout, settings: HubSettings) -> None:
    """Fill in JupyterHub's configuration object ``c``."""
    from fpgaclass.classroom.hub.authenticator import RosterAuthenticator
    from fpgaclass.classroom.hub.spawner import ClassSpawner

    if settings.parent:
        _end_with(settings.parent)
    raise_open_files()  # all seats' connections to the hub go through this process
    leave_session_keyring()  # of whoever brings the class up: tickets and keys that no seat is to have
    hub = layout.hub

    c.JupyterHub.bind_url = f"http://127.0.0.1:{settings.port}"
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{settings.hub_port}"
    c.JupyterHub.db_url = f"sqlite:///{hub / 'jupyterhub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(hub / "cookie_secret")
    c.JupyterHub.cleanup_servers = True
    c.JupyterHub.load_roles = []
    configure_people(c, layout)

    keys = hub / "passes.key"
    passes.configure(c, keys)
    proxy = [sys.executable, "-m", "fpgaclass.classroom.hub.proxy", "--passes", str(keys)]
    c.ConfigurableHTTPProxy.command = proxy
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{settings.proxy_port}"
    c.ConfigurableHTTPProxy.pid_file = str(hub / "proxy.pid")

    if settings.provider:
        oidc.configure(c, settings.provider, settings.port)
    else:
        c.JupyterHub.authenticator_class = RosterAuthenticator
        c.RosterAuthenticator.layout = layout
    c.Authenticator.delete_invalid_users = True

    c.JupyterHub.spawner_class = ClassSpawner
    c.ClassSpawner.layout = layout
    c.ClassSpawner.jail = find_jail()
    c.ClassSpawner.limits = settings.limits
    c.ClassSpawner.limiter = find_limiter()
    ClassSpawner.doors = Doors(hub / "doors", settings.port, settings.internet)
    c.ClassSpawner.interrupt_timeout = 5
    c.ClassSpawner.term_timeout = 5
    c.Spawner.start_timeout = 600  # a turn may be long in coming when everybody logs in at once
    c.Spawner.http_timeout = 180
    c.Spawner.environment = {CLASS_VARIABLE: str(layout.state)}

    c.Spawner.server_token_scopes = ["users:activity!user", "access:servers!server", _USE_CLASS]
    c.JupyterHub.services = [
        {
            "name": "class",
            "url": f"http://127.0.0.1:{settings.service_port}",
            "command": [sys.executable, "-m", "fpgaclass.classroom.service"],
            "environment": {
                CLASS_VARIABLE: str(layout.state),
                "FPGACLASS_SERVICE": service_words(layout),
                **{name: os.environ[name] for name in _SERVICE_NEEDS if name in os.environ},
            },
            "oauth_no_confirm": True,
        }
    ]
    if settings.idle_minutes:
        command = [
            sys.executable,
            "-m",
            "jupyterhub_idle_culler",
            f"--timeout={round(settings.idle_minutes * 60)}",
        ]
        c.JupyterHub.services.append({"name": "idle-culler", "command": command})
        scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
        c.JupyterHub.load_roles += [{"name": "culler", "services": ["idle-culler"], "scopes": scopes}]
    for module, argument in settings.extensions:
        importlib.import_module(module).configure(c, argument)


def configure_people(c: Any, layout: Layout) -> None:
    """Fill in who may log in, and what they may do in which course: what changes while the hub runs."""
    users, courses = load_everybody(layout), hosted(layout.state)
    everybody = [user.name for user in users]
    c.JupyterHub.template_vars = {"announcement_login": " · ".join(course.title for course in courses)}
    c.Authenticator.allowed_users = set(everybody)
    c.JupyterHub.load_roles.append({"name": MEMBER, "users": everybody, "scopes": [_USE_CLASS]})
    c.JupyterHub.load_groups = {}
    for course in courses:
        _add_course(c, course, users)


def service_words(layout: Layout) -> str:
    """Return what the class's service is told as it starts (JSON)."""
    courses = [asdict(course) for course in hosted(layout.state)]
    return json.dumps({"state": str(layout.state), "courses": courses})


def _add_course(c: Any, course: Hosted, users: tuple[User, ...]) -> None:
    """Add a course's groups, as nbgrader names them, and what its instructors may see and stop: its people's.

    The students and instructors of another course of the hub are none of theirs.
    """
    of = {
        f"{kind}-{course.course_id}": [
            user.name for user in users if user.in_course(course.course_id) == role
        ]
        for kind, role in (("formgrade", "instructor"), ("nbgrader", "student"))
    }
    for group, names in of.items():
        c.JupyterHub.load_groups[group] = {"users": names}
    see_and_stop = ("list:users", "read:users:activity", "read:servers", "servers")
    scopes = ["admin-ui", *(f"{scope}!group={group}" for scope in see_and_stop for group in of)]
    instructors = of[f"formgrade-{course.course_id}"]
    name = f"{INSTRUCTOR_OF}{course.course_id.lower()}"
    c.JupyterHub.load_roles.append({"name": name, "users": instructors, "scopes": scopes})


def _end_with(parent: int) -> None:
    """Have the kernel send SIGTERM to this process when its parent ends, however that happens."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
