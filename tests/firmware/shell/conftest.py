"""The stand-in kernels of the card's tests, for the shell's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

_STANDIN = Path(__file__).parents[2] / "card" / "standin.py"


@pytest.fixture(scope="session")
def standin() -> ModuleType:
    """Kernels that are easy to check."""
    spec = importlib.util.spec_from_file_location("shell_standin", _STANDIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
