"""What the command line says of a machine, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fpgaclass.cli import doctor, machine
from fpgaclass.cli.options import find_course
from fpgaclass.core import ToolMissingError, UsageError


def _run(*arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from fpgaclass.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **env})


def test_doctor_says_what_is_there_in_data_too() -> None:
    """Support begins with this output; a script must be able to read it."""
    done = _run("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert checks["Python"]["state"] == "ok"
    assert checks["tensorflow"]["found"].startswith("2.")
    assert all(check["fix"] for check in checks.values() if check["state"] == doctor.MISSING)
    assert done.returncode == any(check["state"] == doctor.MISSING for check in checks.values())


def test_doctor_finds_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A doctor who always says "ok" is no use: hide the compiler and the sandbox."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("FPGACLASS_CXX", "no-such-compiler")
    found = {check.name: check for check in doctor.examine()}
    assert found["bubblewrap"].state == doctor.MISSING
    assert "apt-get install" in found["bubblewrap"].fix
    assert found["C++ compiler"].state != doctor.OK


def test_a_taken_port_is_seen() -> None:
    """The commonest reason why a class does not start at nine in the morning."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = {check.name: check for check in doctor.examine(port)}
    assert found[f"port {port}"].state == doctor.LIMITED


def test_without_a_compiler_and_without_root_zig_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user cannot apt-get; the compiler then comes from PyPI, and if not, the error says so."""
    asked: list[list[str]] = []

    def fake_run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 1, "", "no network")

    monkeypatch.setattr(machine, "_has_compiler", lambda: False)
    monkeypatch.setattr(machine.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(machine.subprocess, "run", fake_run)
    with pytest.raises(ToolMissingError, match="ziglang could not be installed: no network"):
        machine.ensure_compiler()
    assert asked[0][:5] == [sys.executable, "-m", "uv", "pip", "install"]
    assert asked[0][-1].endswith("compiler.txt")


def test_exit_codes_and_one_line_errors(tmp_path: Path) -> None:
    """0 done, 1 the work failed, 2 used wrongly: scripts rely on it, and nobody reads a traceback."""
    assert _run("version").returncode == 0
    assert _run("no-such-verb").returncode == 2
    wrong = _run("grade", "01_muon_momentum", "--course", str(tmp_path / "nowhere.yaml"))
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: there is no such course")
    assert len(wrong.stderr.strip().splitlines()) == 1


def test_the_nearest_course_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instructor stands in their own course; everybody else gets the demo course."""
    mine = tmp_path / "course" / "course.yaml"
    mine.parent.mkdir()
    shutil.copy(find_course(None), mine)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert find_course(None) == mine
    monkeypatch.chdir(mine.parent)
    assert find_course(None) == mine, "the folder itself"
    monkeypatch.chdir("/")
    assert find_course(None).is_file()
    with pytest.raises(UsageError):
        find_course(tmp_path / "missing.yaml")
