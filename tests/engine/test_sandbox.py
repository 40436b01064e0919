"""The jail: what is not inside cannot be read, written or reached."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fpgaclass.engine.sandbox import Jail, Mount, NoJail, Person, find_jail


@pytest.fixture
def jail() -> Jail:
    """This machine's jail; a machine without one has no use for these tests."""
    found = find_jail()
    if isinstance(found, NoJail):
        pytest.skip(found.reason)
    return found


def _run(jail: Jail, tmp_path: Path, program: str, *, network: bool = False) -> str:
    """Run a Python program in the jail of ada, whose home is a folder of ours."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    person = Person("ada", 62001, "/home/ada")
    os.chown(home, jail.host_uid(person), -1)
    home.chmod(0o700)
    mounts = (*jail.account_files(person, tmp_path), Mount(home, "/home/ada", writable=True))
    words = [sys.executable, "-c", program]
    command = jail.command(words, person, mounts, network=network, cwd="/home/ada", environment={"A": "b"})
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


def test_only_the_own_home_is_there(jail: Jail, tmp_path: Path) -> None:
    """The reference solutions and the other students' work stand in folders beside it."""
    secret = tmp_path / "secret"
    secret.write_text("the solution")
    program = f"""
import os, pathlib, sys
software = {{pathlib.Path(path).parts[2] for path in (sys.prefix, {__file__!r}) if path.startswith("/home/")}}
print(set(os.listdir("/home")) - software, os.getcwd(), os.environ.get("A"), "PATH" in os.environ)
print(pathlib.Path({str(secret)!r}).exists(), os.path.exists("/etc/shadow"), os.path.exists("/mnt"))
"""
    assert _run(jail, tmp_path, program) == "{'ada'} /home/ada b False\nFalse False False\n"


def test_no_solution_is_there(jail: Jail, tmp_path: Path) -> None:
    """The demo course travels with the package, and a lab.py holds solutions, checks and wrong answers."""
    program = """
import os, sys, pathlib
import fpgaclass
roots = {sys.prefix, str(pathlib.Path(fpgaclass.__file__).parents[1])}
print([os.path.join(at, "lab.py") for root in roots for at, _, files in os.walk(root) if "lab.py" in files
       and "notebooks" in at])
"""
    assert _run(jail, tmp_path, program) == "[]\n"


def test_the_system_and_the_environment_cannot_be_changed(jail: Jail, tmp_path: Path) -> None:
    """A package changed by one student would run in the next one's server."""
    program = """
import json, pathlib
for path in (json.__file__, "/usr/bin/new", "/etc/new", "/new", "/proc/sys/kernel/hostname"):
    try:
        pathlib.Path(path).write_text("x")
        print("wrote", path)
    except OSError as error:
        print(error.errno in (1, 2, 13, 30))
pathlib.Path("mine").write_text("x"); pathlib.Path("/tmp/mine").write_text("x")
pathlib.Path("/dev/shm/mine").write_text("x")
"""
    assert _run(jail, tmp_path, program) == "True\n" * 5
    assert (tmp_path / "home" / "mine").exists()


def test_there_is_no_network_unless_asked_for(jail: Jail, tmp_path: Path) -> None:
    """Graded code that reaches the hub, or the internet, can fetch its answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        program = f"""
import socket
try:
    socket.create_connection(("127.0.0.1", {listener.getsockname()[1]}), 5); print("connected")
except OSError as error:
    print("refused")
"""
        assert _run(jail, tmp_path, program) == "refused\n"
        assert _run(jail, tmp_path, program, network=True) == "connected\n"


def test_processes_outside_are_not_to_be_seen(jail: Jail, tmp_path: Path) -> None:
    """Code that can kill the grader, or read its environment, decides its own mark."""
    program = """
import os, pwd
pids = [int(p) for p in os.listdir("/proc") if p.isdigit()]
print(max(pids) < 10, pwd.getpwuid(os.getuid()).pw_name, os.getuid() != 0)
"""
    assert _run(jail, tmp_path, program) == "True ada True\n"


def test_capabilities_are_gone(jail: Jail, tmp_path: Path) -> None:
    """Root's jail starts with all of them, and one that is left opens the rest."""
    program = """
import re
text = open("/proc/self/status").read()
print(len(re.findall(r"Cap(?:Prm|Eff|Amb):\\t0+\\n", text)), "NoNewPrivs:\\t1" in text)
"""
    assert _run(jail, tmp_path, program) == "3 True\n"


def test_a_machine_without_bubblewrap_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class then runs without jails, and the instructor must know that and what to do."""
    find_jail.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    try:
        found = find_jail()
    finally:
        find_jail.cache_clear()
    assert isinstance(found, NoJail)
    assert "not installed" in found.reason
    assert "apt-get install bubblewrap" in found.next_step


def test_a_bubblewrap_that_is_not_allowed_to_work_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Containers and some distributions forbid namespaces: finding the program is not enough."""
    forbidden = tmp_path / "bwrap"
    forbidden.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo bubblewrap 0.8.0 && exit\n'
        'echo "bwrap: No permissions to create new namespace" >&2; exit 1\n'
    )
    forbidden.chmod(0o755)
    find_jail.cache_clear()
    monkeypatch.setenv("FPGACLASS_BWRAP", str(forbidden))
    try:
        found = find_jail()
    finally:
        find_jail.cache_clear()
    assert isinstance(found, NoJail)
    assert "No permissions to create new namespace" in found.reason
