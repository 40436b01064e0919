"""Calls of Linux that a Python built with old headers lacks, as portable ones are.

See pidfd_open(2), pidfd_send_signal(2), memfd_create(2) and keyctl(2); the first two have the same number
everywhere.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal

_PIDFD_SEND_SIGNAL, _PIDFD_OPEN = 424, 434
_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280}
_JOIN_SESSION_KEYRING = 1
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


def leave_session_keyring() -> None:
    """Give this process, and what it starts, an empty session keyring of the kernel's.

    No namespace cuts it off: it comes from the login that everything was started from, may hold tickets and
    keys of that person's, and whoever has it can read and write it.

    Raises:
        OSError: the kernel refused.
    """
    number = _KEYCTL.get(platform.machine())
    if number is None:
        return
    try:
        _checked(_libc.syscall(number, _JOIN_SESSION_KEYRING, None))
    except OSError as refused:
        # No keys in this kernel, or nobody may use them in this container: then there is none to share.
        if refused.errno not in (errno.ENOSYS, errno.EPERM):
            raise


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
