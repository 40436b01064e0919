"""The warm parent: it imports what a lab needs once, and each submission runs in two forks of it.

It runs in the jail, and only ever imports and forks; submissions, checks and answers pass it by. Started as
``python -m fpgaclass.engine.warm``, with one socket for its orders.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fpgaclass.engine.system import pidfd_open

_FIRST_UID, _UIDS = 61000, 1900


def main() -> None:
    """Import, tell how it went, and fork whenever asked."""
    settings = json.loads(sys.argv[1])
    control = socket.socket(fileno=settings["control"])
    started = time.monotonic()
    # Here, and not in the forks: numpy starts threads when it is imported, and drops them at a fork.
    from fpgaclass.engine import roles
    from fpgaclass.engine.shell import make_shell

    shell = make_shell()
    failed = _import_all(settings["modules"])
    _rehearse(shell)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    ready = {"ready": True, "failed": failed, "seconds": time.monotonic() - started, "threads": _threads()}
    control.send(json.dumps(ready).encode())
    _serve(control, settings, shell, roles)


def _import_all(modules: list[str]) -> dict[str, str]:
    """Import the modules; one that cannot be is left to the notebook, which then says so itself."""
    failed = {}
    for name in modules:
        try:
            importlib.import_module(name)
        except BaseException as trouble:
            failed[name] = f"{type(trouble).__name__}: {trouble}"[:200]
    return failed


def _rehearse(shell: Any) -> None:
    """Have the shell load what it loads at its first error: otherwise each fork pays a fifth of a second."""
    shell.record("def f():\n    return 1 / 0\nf()", 0, 1)
    shell.reset(new_session=True)
    shell.execution_count = 1


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208


def _serve(control: socket.socket, settings: dict[str, Any], shell: Any, roles: Any) -> None:
    own = os.open("/proc/self/ns/pid", os.O_RDONLY) if settings["jailed"] else -1
    turn = 0
    while True:
        data, handles, _, _ = socket.recv_fds(control, 65536, 1)
        if not data:
            return
        order = json.loads(data)
        turn += 1
        line = socket.socketpair()
        children: list[int] = []
        try:
            for role, keep in (("answers", line[1]), ("checker", line[0])):
                run = _child(
                    role, settings, order, shell, roles, keep, handles[0] if role == "checker" else None, turn
                )
                children.append(_fork(settings["jailed"], own, run))
            answer: dict[str, Any] = {"ok": True}
        except OSError as trouble:
            answer = {"ok": False, "why": str(trouble)}
        finally:
            for end in line:
                end.close()
            for handle in handles:
                os.close(handle)
        control.setblocking(True)
        socket.send_fds(control, [json.dumps(answer).encode()], children)
        for handle in children:
            os.close(handle)


def _fork(jailed: bool, own: int, run: Callable[[], None]) -> int:
    """Fork into a new PID namespace, and return a descriptor of the child."""
    if jailed:
        from fpgaclass.engine.namespaces import new_pid_namespace

        new_pid_namespace(own)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pidfd_open(pid)
    try:
        run()
    except BaseException:
        import traceback

        with contextlib.suppress(BaseException):
            traceback.print_exc()
    finally:
        os._exit(0)


def _child(
    role: str,
    settings: dict[str, Any],
    order: dict[str, Any],
    shell: Any,
    roles: Any,
    line: socket.socket,
    report: int | None,
    turn: int,
) -> Callable[[], None]:
    """Return what a fork does: cut itself off, and then play its role."""

    def run() -> None:
        from fpgaclass.engine.namespaces import Limits, enter

        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        kept = {0, 1, 2, line.fileno()} | ({report} if report is not None else set())
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
            if int(name) not in kept:
                with contextlib.suppress(OSError):
                    os.close(int(name))
        os.setsid()
        folder = Path(order["folder"]) / role
        trouble = ""
        try:
            if settings["jailed"]:
                uid = None
                if settings["by_root"]:
                    # A user of its own for each fork; the checking side never has one of the other's.
                    uid = _FIRST_UID + 2 * (turn % (_UIDS // 2)) + (role == "checker")
                enter(Limits(**order["limits"]), uid)
        except OSError as refused:
            trouble = str(refused)
        if role == "answers":
            roles.answer(shell, line, trouble)
        else:
            assert report is not None
            roles.check(shell, line, socket.socket(fileno=report), folder, trouble)

    return run


if __name__ == "__main__":
    main()
