"""How the hub starts a person's server: in a jail where the machine can make one, a few at a time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from jupyterhub.utils import wait_for_http_server
from traitlets import Any as AnyTrait

from fpgaclass.classroom.hub.limits import Limits, of_instructor
from fpgaclass.classroom.hub.seats import CARD_VARIABLES, SEAT_VARIABLE, WELCOME, ensure_seat, jailed_command
from fpgaclass.classroom.hub.turns import Turns
from fpgaclass.classroom.hub.ways import Doors, Ways
from fpgaclass.classroom.roster import User, load_everybody
from fpgaclass.classroom.service import PREFIX as SERVICE
from fpgaclass.engine.sandbox import Jail
from fpgaclass.engine.seccomp import open_program
from fpgaclass.engine.system import leave_session_keyring

CONFIG = Path(__file__).parents[1] / "jupyter"


class ClassSpawner(LocalProcessSpawner):  # type: ignore[misc]
    """Start single-user servers as local processes, each in its jail."""

    layout = AnyTrait(help="The class's `Layout`").tag(config=True)
    jail = AnyTrait(help="A `Jail`, or a `NoJail`").tag(config=True)
    limits = AnyTrait(help="The `Limits` of a seat").tag(config=True)
    limiter = AnyTrait(help="The machine's `Limiter`").tag(config=True)
    doors: Doors
    """The class's, shared by all spawners; `fpgaclass.classroom.hub.config.configure` sets it."""

    turns = Turns(at_once=6 * (os.cpu_count() or 1))
    """Shared by all: a start is work for a processor, and thirty at once would all be in at the very end."""

    ways: Ways | None = None

    def make_preexec_fn(self, name: str) -> Any:
        """Enter the limits, and leave behind what else a login hands on."""
        enter = self.limiter.join(name, self._limits(self._user()))

        def begin() -> None:
            enter()
            with suppress(OSError):  # too many keyrings for one account; the hub's own is empty
                leave_session_keyring()

        return begin

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add what depends on the person: home, exchange, and the settings of their role."""
        user = self._user()
        seat = self.layout.seat(user.name)
        jailed = isinstance(self.jail, Jail)
        env.update(
            USER=user.name,
            LOGNAME=user.name,
            SHELL="/bin/bash",
            HOME=f"/home/{user.name}" if jailed else str(self.layout.home(user.name)),
            FPGACLASS_EXCHANGE=f"http://127.0.0.1:{self.doors.hub_port}{SERVICE}api",
            FPGACLASS_COURSE=_course_of(user),
            JUPYTER_CONFIG_PATH=f"{CONFIG / user.role}:{CONFIG / 'common'}",
            JUPYTER_PATH=str(CONFIG / "share"),
            JUPYTER_RUNTIME_DIR="/tmp/jupyter-runtime" if jailed else str(seat / "runtime"),
            PATH=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        )
        env[SEAT_VARIABLE] = "jailed" if jailed else "plain"
        env.update({name: os.environ[name] for name in CARD_VARIABLES if name in os.environ})
        if self.ways:
            env.update(self.ways.environment(env, self.hub.api_url))
        return env

    async def start(self) -> Any:
        """Start the person's server when it is their turn; the turn ends when the server answers."""
        async with self.turns.take(self.user.name):
            user = self._user()
            seat = await asyncio.to_thread(ensure_seat, self.layout, self.jail, user, fresh=True)
            self.limiter.ensure_group(user.name, self._limits(user))
            jailed_student = user.role == "student" and isinstance(self.jail, Jail)
            if jailed_student:
                self.ways = await self.doors.open_ways(user.name)
                self.port = self.ways.port
            server = self.ways.command if self.ways else [sys.executable, "-m", "jupyterhub.singleuser"]
            log = seat / "server.log"
            # Who comes for the first time is told where the work is; later, what they had open is.
            self.default_url = "/lab" if log.exists() else f"/lab/tree/{WELCOME}"
            filtered = open_program() if jailed_student else nullcontext()
            with log.open("ab") as output, filtered as calls:
                self.cmd = jailed_command(self.layout, self.jail, user, server, self.ways, calls=calls)
                handed = [self.ways.entrance.fileno()] if self.ways else []
                self.popen_kwargs = {
                    "cwd": self.layout.home(user.name),
                    "stdin": subprocess.DEVNULL,
                    "stdout": output,
                    "stderr": subprocess.STDOUT,
                    "pass_fds": handed if calls is None else [*handed, calls],
                }
                address = await super().start()
            if self.ways:
                self.ways.entrance.close()  # the seat holds it now
            await self._wait_until_it_answers()
            return address

    async def _wait_until_it_answers(self) -> None:
        """Wait for the server's first answer.

        Raises:
            RuntimeError: the server ended instead, or took too long.
        """
        url = f"http://127.0.0.1:{self.port}{self.server.base_url if self.server else '/'}api"
        answer = asyncio.ensure_future(wait_for_http_server(url, timeout=self.http_timeout))
        while not answer.done():
            if await self.poll() is not None:
                answer.cancel()
                log = self.layout.seat(self.user.name) / "server.log"
                raise RuntimeError(f"the server of {self.user.name} ended as it started: {log}")
            await asyncio.wait([answer], timeout=0.5)
        await answer

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Tell those who wait what they wait for."""
        said = ""
        while True:
            before = self.turns.before(self.user.name)
            message = "Your server is starting."
            if before:
                people = "1 person is" if before == 1 else f"{before} people are"
                message = f"Everybody is coming in at once: {people} before you."
            if message != said:
                said = message
                yield {"progress": 60 if not before else max(5, 50 - before), "message": message}
            await asyncio.sleep(0.5)

    def clear_state(self) -> None:
        """Forget the server that ended, and close its ways."""
        super().clear_state()
        if self.ways:
            self.ways.close()
            self.ways = None

    async def stop(self, now: bool = False) -> None:
        """Stop the server, and take its limits away with it."""
        await super().stop(now=now)
        self.clear_state()
        await asyncio.to_thread(self.limiter.remove_group, self.user.name)

    def _limits(self, user: User) -> Limits:
        return self.limits if user.role == "student" else of_instructor(self.limits)

    def _user(self) -> User:
        return next(user for user in load_everybody(self.layout) if user.name == self.user.name)


def _course_of(user: User) -> str:
    """Return the course that a server's nbgrader is about: one taught, the only one, or "" for several."""
    courses = [name for name, role in user.roles if role == user.role]
    return courses[0] if len(courses) == 1 or user.role == "instructor" else ""
