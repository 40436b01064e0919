"""The course's networks, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from fpgaclass.core import load_file


@pytest.fixture(scope="session")
def networks() -> ModuleType:
    """The factories of ``networks.py``."""
    return load_file("networks", Path(__file__).parent / "networks.py")
