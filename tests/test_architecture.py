"""The rooms of the package: who may call whom, and what an import may cost."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "toolkit" / "fpgaclass"
MAY_CALL = {
    "core": set(),
    "muon": {"core"},
    "card": {"core"},
    "firmware": {"core", "card"},
    "lab": {"core", "muon", "card", "firmware"},
    "engine": {"core"},
    "course": {"core", "lab", "engine"},
    "classroom": {"core", "course", "engine"},
    "cohort": {"core", "course"},
    "cli": {"core", "muon", "card", "firmware", "lab", "engine", "course", "classroom", "cohort"},
}
HEAVY = (
    "boto3",
    "openstack",
    "ansible_runner",
    "pynq",
    "tensorflow",
    "keras",
    "hls4ml",
    "nbgrader",
    "jupyterhub",
)
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_calls_only_those_below_it(room: str) -> None:
    """An arrow that points up makes two rooms one; we want to change each alone."""
    called = set()
    for path in (PACKAGE / room).rglob("*.py"):
        for module in _imports(path):
            parts = module.split(".")
            if parts[0] == "fpgaclass" and len(parts) > 1 and parts[1] in ROOMS:
                called.add(parts[1])
    assert called - {room} <= MAY_CALL[room]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_without_the_heavy_packages(room: str) -> None:
    """A part-time user (only the physics, only the class) installs only what that part needs."""
    block = f"import sys; sys.modules.update(dict.fromkeys({HEAVY!r})); import fpgaclass.{room}"
    done = subprocess.run([sys.executable, "-W", "error", "-c", block], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "", "an import prints nothing"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_lists_its_public_names(room: str) -> None:
    """``__all__`` is the promise to users: sorted, complete, and each name is there."""
    module = importlib.import_module(f"fpgaclass.{room}")
    assert list(module.__all__) == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def test_modules_stay_small() -> None:
    """A module that grows past 400 lines does more than one thing."""
    long = {p.name: n for p in PACKAGE.rglob("*.py") if (n := len(p.read_text().splitlines())) > 400}
    assert not long
