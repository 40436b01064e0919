"""Calls that not every Python has: here they are, with the errors that the kernel gives."""

from __future__ import annotations

import os
import select
import signal
import subprocess

import pytest

from fpgaclass.engine.system import memfd_create, pidfd_open, pidfd_send_signal


def test_a_process_is_held_and_ended_by_its_descriptor() -> None:
    """A number may be another process's by the time a signal is sent; a descriptor never is."""
    child = subprocess.Popen(["sleep", "60"])
    handle = pidfd_open(child.pid)
    pidfd_send_signal(handle, signal.SIGTERM)
    assert select.select([handle], [], [], 10)[0], "it can be waited for"
    assert child.wait() == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        pidfd_send_signal(handle, signal.SIGTERM)
    os.close(handle)
    with pytest.raises(OSError, match="Invalid argument"):
        pidfd_open(-1)


def test_a_file_in_memory() -> None:
    """It is closed in programs that are started, and has no folder that anybody could reach it by."""
    handle = memfd_create("outputs")
    os.write(handle, b"x" * 10)
    assert os.fstat(handle).st_size == 10
    assert not os.get_inheritable(handle)
    os.close(handle)
