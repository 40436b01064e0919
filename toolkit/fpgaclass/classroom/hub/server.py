"""Start, watch and stop the hub, with nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from fpgaclass.classroom.hints import command
from fpgaclass.classroom.hub.config import CLASS_VARIABLE, SETTINGS_VARIABLE, HubSettings
from fpgaclass.classroom.hub.limits import Limits
from fpgaclass.classroom.hub.oidc import Provider
from fpgaclass.classroom.layout import Layout, read_json, write_json
from fpgaclass.core import ClassroomError, InvalidInputError
from fpgaclass.course import Seats

START_SECONDS = 120
"""A hub that does not answer by then will not."""

STOP_SECONDS = 15
"""A hub gets so long to stop its servers before everything is killed."""


@dataclass(frozen=True)
class Running:
    """A hub that runs.

    Attributes:
        pid: of the hub.
        created: when that process started, seconds since 1970: a pid alone is used again.
        port: the public port.
    """

    pid: int
    created: float
    port: int

    @property
    def url(self) -> str:
        """Where people log in."""
        return f"http://127.0.0.1:{self.port}"


def find_running(layout: Layout) -> Running | None:
    """Return the hub of the class if it runs."""
    import psutil

    record = read_json(layout.running, None)
    if record is None:
        return None
    running = Running(**record)
    try:
        alive = psutil.Process(running.pid)
        same = abs(alive.create_time() - running.created) < 1 and alive.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return None
    return running if same else None


def check_port(port: int) -> None:
    """Check that a port can be listened on.

    Raises:
        InvalidInputError: it is no port.
        ClassroomError: it is taken or not allowed; the message names a free one.
    """
    if not 0 < port < 65536:
        raise InvalidInputError(f"{port} is no port", next_step="choose one from 1024 to 65535")
    try:
        _listen(port).close()
    except OSError as trouble:
        free = next((p for p in range(max(port, 7999) + 1, 65536) if _is_free(p)), 8000)
        reason = "is taken" if trouble.errno == 98 else f"cannot be used ({trouble.strerror})"
        by = _who_listens(port)
        raise ClassroomError(
            f"port {port} {reason}{by}",
            where=f"127.0.0.1:{port}",
            next_step=command("up", "--port", str(free)),
        ) from trouble


def start(
    layout: Layout,
    port: int,
    *,
    seats: Seats,
    idle_minutes: float,
    tied: bool,
    provider: Provider | None = None,
    extensions: tuple[tuple[str, str], ...] = (),
) -> tuple[Running, subprocess.Popen[bytes]]:
    """Start the hub and wait until it answers.

    Args:
        layout: the class, with its roster and folders made.
        port: the public port.
        seats: what each student's server may take and reach.
        idle_minutes: stop servers that nobody used for so long; 0 for never.
        tied: True to have the hub end when this process does.
        provider: of identities; None for the roster's own passwords.
        extensions: what other rooms add to the hub; see `HubSettings`.

    Raises:
        ClassroomError: the port is taken, or the hub did not come up; the message holds its reason.
    """
    import psutil

    check_port(port)
    sweep(layout)
    hub, proxy, service = _free_ports(3)
    limits = Limits(seats.memory_gb, seats.cpus, seats.processes)
    parent = os.getpid() if tied else 0
    settings = HubSettings(
        port,
        hub,
        proxy,
        service,
        idle_minutes,
        parent,
        limits,
        seats.internet,
        provider,
        extensions,
    )
    words = {**asdict(settings), "state": str(layout.state)}
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "CONFIGPROXY"))
        },
        CLASS_VARIABLE: str(layout.state),
        SETTINGS_VARIABLE: json.dumps(words),
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        "PYTHONWARNINGS": "ignore",
    }
    config = Path(__file__).parents[1] / "jupyter" / "jupyterhub_config.py"
    command = [sys.executable, "-m", "jupyterhub", "--config", str(config)]
    if layout.hub_log.exists() and layout.hub_log.stat().st_size > 10**7:
        layout.hub_log.replace(layout.hub_log.with_suffix(".log.1"))
    started = layout.hub_log.stat().st_size if layout.hub_log.exists() else 0
    with layout.hub_log.open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=layout.hub,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C at the terminal is ours to handle, once
        )
    running = Running(process.pid, psutil.Process(process.pid).create_time(), port)
    write_json(layout.running, asdict(running))
    try:
        _wait_until_up(layout, running, process, started)
    except BaseException:
        stop(layout)
        raise
    return running, process


def stop(layout: Layout) -> bool:
    """Stop the hub and every process of the class; return True if there was any."""
    import psutil

    running = find_running(layout)
    found = False
    if running is not None:
        found = True
        with suppress(psutil.Error):
            hub = psutil.Process(running.pid)
            tree = [hub, *hub.children(recursive=True)]
            hub.send_signal(signal.SIGTERM)
            _, alive = psutil.wait_procs(tree, timeout=STOP_SECONDS, callback=_reap)
            _kill(alive)
    found = bool(sweep(layout)) or found
    layout.running.unlink(missing_ok=True)
    return found


def sweep(layout: Layout) -> tuple[int, ...]:
    """Kill what an earlier hub of this class left behind, such as after a power cut of its terminal."""
    left = processes_of(layout)
    _kill(left)
    return tuple(process.pid for process in left)


def processes_of(layout: Layout) -> list[Any]:
    """Return the processes (psutil) that belong to the class, known by a variable of their environment."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(CLASS_VARIABLE) == str(layout.state) and process.pid != os.getpid():
                found.append(process)
    return found


def _kill(processes: Iterable[Any]) -> None:
    import psutil

    processes = list(processes)
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=5, callback=_reap)


def _reap(process: Any) -> None:
    """Take note of an end that only we, the parent, can take note of."""
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


def _wait_until_up(layout: Layout, running: Running, process: subprocess.Popen[bytes], log_from: int) -> None:
    opener = build_opener(ProxyHandler({}))  # a proxy of the environment is not for 127.0.0.1
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        if process.poll() is not None:
            break
        with suppress(URLError, OSError), opener.open(f"{running.url}/hub/health", timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.2)
    log = layout.hub_log.read_bytes()[log_from:].decode(errors="replace")
    lines = [line for line in log.splitlines() if "Error" in line or "[C " in line or "[E " in line]
    reason = lines[-1].strip()[:300] if lines else f"it did not answer within {START_SECONDS} s"
    raise ClassroomError(
        f"the hub did not start: {reason}", where=str(layout.hub_log), next_step="read that log"
    )


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _is_free(port: int) -> bool:
    try:
        _listen(port).close()
    except OSError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    """Return free ports, all held at once, so that they differ."""
    with ExitStack() as stack:
        return [int(stack.enter_context(_listen(0)).getsockname()[1]) for _ in range(count)]


def _who_listens(port: int) -> str:
    import psutil

    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            here = connection.laddr and connection.laddr.port == port and connection.status == "LISTEN"
            if here and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
