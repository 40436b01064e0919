"""How this machine gets what a verb needs and it lacks."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from fpgaclass.core import ToolMissingError, find_tool, require_room, say, state_directory, warn

_CLASS_MB = 100


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
    from fpgaclass.card.xrt.cpp_host import find_xrt

    try:
        find_xrt()
    except ToolMissingError:
        _apt("AMD's runtime, for the tests of the C++ host", "libxrt-dev")


def ensure_room() -> None:
    """Refuse to begin a class that has no room for anybody's work."""
    require_room(state_directory(), _CLASS_MB, "FPGACLASS_STATE")


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


ENSURE: dict[str, tuple[Callable[[], None], ...]] = {
    "up": (ensure_room, ensure_compiler, ensure_synthesis, ensure_sandbox),
    "test": (ensure_compiler, ensure_synthesis, ensure_sandbox, ensure_browser, ensure_xrt),
}
