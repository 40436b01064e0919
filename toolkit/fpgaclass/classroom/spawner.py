"""How the hub starts a person's server: in a jail where the machine can make one."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from traitlets import Any as AnyTrait

from fpgaclass.classroom.roster import User, load_roster
from fpgaclass.classroom.seats import EXCHANGE, SEAT_VARIABLE, ensure_seat, jailed_command
from fpgaclass.engine.sandbox import Jail

CONFIG = Path(__file__).parent / "jupyter"


class ClassSpawner(LocalProcessSpawner):  # type: ignore[misc]
    """Start single-user servers as local processes, each in its jail."""

    layout = AnyTrait(help="The class's `Layout`").tag(config=True)
    jail = AnyTrait(help="A `Jail`, or a `NoJail`").tag(config=True)

    def make_preexec_fn(self, name: str) -> Any:  # noqa: ARG002 - the hub's signature
        """Give the server the usual Ctrl-C: a hub started with `&` has it switched off, and hands that on."""
        return lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add what depends on the person: home, exchange, and the settings of their role."""
        user = self._user()
        seat = self.layout.seat(user.name)
        jailed = isinstance(self.jail, Jail)
        exchange = str(self.layout.exchange if user.role == "instructor" else seat / "exchange")
        env.update(
            USER=user.name,
            LOGNAME=user.name,
            SHELL="/bin/bash",
            HOME=f"/home/{user.name}" if jailed else str(self.layout.home(user.name)),
            FPGACLASS_EXCHANGE=EXCHANGE if jailed else exchange,
            FPGACLASS_COURSE=self.layout.course_id,
            JUPYTER_CONFIG_PATH=f"{CONFIG / user.role}:{CONFIG / 'common'}",
            JUPYTER_RUNTIME_DIR="/tmp/jupyter-runtime" if jailed else str(seat / "runtime"),
            PATH=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        )
        env[SEAT_VARIABLE] = "jailed" if jailed else "plain"
        return env

    async def start(self) -> Any:
        """Start the person's server."""
        user = self._user()
        seat = await asyncio.to_thread(ensure_seat, self.layout, self.jail, user, fresh=True)
        server = [sys.executable, "-m", "jupyterhub.singleuser"]
        self.cmd = jailed_command(self.layout, self.jail, user, server)
        with (seat / "server.log").open("ab") as output:
            self.popen_kwargs = {
                "cwd": self.layout.home(user.name),
                "stdin": subprocess.DEVNULL,
                "stdout": output,
                "stderr": subprocess.STDOUT,
            }
            return await super().start()

    def _user(self) -> User:
        return next(user for user in load_roster(self.layout) if user.name == self.user.name)
