"""Fixtures of the card's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


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
