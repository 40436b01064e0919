"""What all tests share: a cache of their own, so that no earlier build hides a fault of this run."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

# Read at import by TensorFlow; the tests compare bits, which oneDNN would change from machine to machine.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Builds are shared within a run, by digest; FPGACLASS_TEST_CACHE keeps them for the next one."""
    before = os.environ.get("FPGACLASS_CACHE")
    kept = os.environ.get("FPGACLASS_TEST_CACHE")
    os.environ["FPGACLASS_CACHE"] = kept or str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["FPGACLASS_CACHE"]
    else:
        os.environ["FPGACLASS_CACHE"] = before


@pytest.fixture(scope="session")
def standin() -> ModuleType:
    """Kernels that are easy to check, for the card and for the shell."""
    spec = importlib.util.spec_from_file_location("standin", Path(__file__).parent / "card" / "standin.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
