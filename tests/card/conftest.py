"""Fixtures of the card's tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_STANDIN = Path(__file__).parent / "standin.py"


@pytest.fixture(scope="session")
def standin() -> ModuleType:
    """Kernels that are easy to check."""
    spec = importlib.util.spec_from_file_location("card_standin", _STANDIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def sum_library(standin: Any) -> Path:
    """The summing kernel, compiled."""
    from fpgaclass.card import compile_kernel

    return compile_kernel(standin.sum_design())


@pytest.fixture(scope="session")
def moody_library(standin: Any) -> Path:
    """The kernel that misbehaves, compiled."""
    from fpgaclass.card import compile_kernel

    return compile_kernel(standin.moody_design())
