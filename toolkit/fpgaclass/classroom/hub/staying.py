"""What a class needs of its machine before it starts, and how it stays until somebody says stop."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from fpgaclass.core import ToolMissingError

_NEEDED = ("jupyterhub", "jupyterlab", "nbgrader", "configurable_http_proxy", "psutil", "ipykernel")


def check_packages() -> None:
    """Check that what a class needs is installed.

    Raises:
        ToolMissingError: a package is missing.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ToolMissingError(
            f"the class needs {', '.join(missing)}", next_step="pip install 'fpgaclass[classroom]'"
        )


@contextmanager
def signals_raise() -> Iterator[None]:
    """Treat a closed terminal and a polite kill like Ctrl-C while the block runs."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    old = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, old, strict=True):
            signal.signal(number, handler)


@contextmanager
def signals_wait() -> Iterator[None]:
    """Keep an impatient second Ctrl-C from leaving half of the class running."""
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, old)
