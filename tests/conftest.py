"""What all tests share: a cache of their own, the full-size proofs left out, and how two workers share it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from fpgaclass.core import load_file

# Read at import by TensorFlow; the tests compare bits, which oneDNN would change from machine to machine.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proofs", action="store_true", help="also run the full-size proofs, minutes each")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what it puts in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # The files stay in the order given below; by default they would be sorted by their number of tests.
    config.option.loadscopereorder = False


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the proofs, keep a file with one worker, and begin with what takes longest.

    A test with an ``xdist_group`` of its own goes where that goes: the hubs, one at a time.
    """
    if not config.getoption("--proofs"):
        skipped = [item for item in items if item.get_closest_marker("proof")]
        items[:] = [item for item in items if not item.get_closest_marker("proof")]
        config.hook.pytest_deselected(items=skipped)
    slow: set[str] = set()
    groups: dict[pytest.Item, str] = {}
    for item in items:
        own = item.get_closest_marker("xdist_group")
        groups[item] = own.args[0] if own else item.path.stem
        if own is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        if item.get_closest_marker("slow"):
            slow.add(groups[item])
    items.sort(key=lambda item: groups[item] not in slow)  # stable: the rest keeps its order


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Builds are shared within a run, by digest; FPGACLASS_TEST_CACHE keeps them for the next one."""
    before = os.environ.get("FPGACLASS_CACHE")
    kept = os.environ.get("FPGACLASS_TEST_CACHE")
    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # workers share one run's folder
    os.environ["FPGACLASS_CACHE"] = kept or str(run / "cache")
    yield
    if before is None:
        del os.environ["FPGACLASS_CACHE"]
    else:
        os.environ["FPGACLASS_CACHE"] = before


@pytest.fixture(scope="session")
def standin() -> ModuleType:
    """Kernels that are easy to check, for the card and for the shell."""
    return load_file("standin", Path(__file__).parent / "card" / "standin.py")
