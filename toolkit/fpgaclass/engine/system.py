"""Calls of Linux that a Python built with old headers lacks, as portable ones are.

See pidfd_open(2), pidfd_send_signal(2) and memfd_create(2); the first two have the same number everywhere.
"""

from __future__ import annotations

import ctypes
import os
import signal

_PIDFD_SEND_SIGNAL, _PIDFD_OPEN = 424, 434
_MFD_CLOEXEC = 1
_libc = ctypes.CDLL(None, use_errno=True)


def pidfd_open(pid: int) -> int:
    """Return a descriptor of a process: it stays that one's, whoever gets its number later.

    Raises:
        OSError: there is no such process.
    """
    return _checked(_libc.syscall(_PIDFD_OPEN, pid, 0))


def pidfd_send_signal(process: int, number: signal.Signals) -> None:
    """Send a signal to the process of a descriptor.

    Raises:
        OSError: it is gone.
    """
    _checked(_libc.syscall(_PIDFD_SEND_SIGNAL, process, int(number), None, 0))


def memfd_create(name: str) -> int:
    """Return the descriptor of a file without a folder, in memory."""
    return _checked(_libc.memfd_create(name.encode(), _MFD_CLOEXEC))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
