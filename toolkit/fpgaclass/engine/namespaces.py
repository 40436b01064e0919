"""What a fork does to itself before it runs anything: namespaces of its own, limits, and no way back."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
from dataclasses import dataclass
from pathlib import Path

from fpgaclass.engine.seccomp import enter_filter
from fpgaclass.engine.system import leave_session_keyring

_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
_NEWUSER, _NEWPID, _NEWNET = 0x10000000, 0x20000000, 0x40000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC = 1, 2, 4, 8
_REMOUNT, _BIND, _REC, _PRIVATE = 0x20, 0x1000, 0x4000, 1 << 18
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 4, 24, 38, 47
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        memory: bytes of private memory of a process, beyond what it is forked with.
        files: bytes of all files that it writes.
        file: bytes of its largest file.
        processes: processes and threads.
        cpu_seconds: of each process.
    """

    memory: int = 4_000_000_000
    files: int = 600_000_000
    file: int = 100_000_000
    processes: int = 400
    cpu_seconds: int = 3600


class NamespaceError(OSError):
    """The kernel refused a part of the jail."""


def new_pid_namespace(own: int) -> None:
    """Let the next child of this process be the first of a new PID namespace.

    Args:
        own: an open /proc/self/ns/pid, to come back from the last time.
    """
    _call(_libc.setns, own, _NEWPID)
    _call(_libc.unshare, _NEWPID)


def enter(limits: Limits, uid: int | None) -> None:
    """Cut this process off: own mounts, network, IPC, user, limits, and few of the kernel's calls.

    It must have a single thread.

    Args:
        limits: what it may use.
        uid: whom to become, when this process is root; None keeps the user.

    Raises:
        OSError: the kernel refused.
    """
    _call(_libc.unshare, _NEWNS | _NEWIPC | _NEWUTS | _NEWNET | _NEWCGROUP)
    _mount("none", "/", "", _REC | _PRIVATE, "")
    plain = _NOSUID | _NODEV
    _mount("tmpfs", "/tmp", "tmpfs", plain, f"mode=1777,size={limits.files},nr_inodes=50000")
    _mount("tmpfs", "/dev/shm", "tmpfs", plain, f"mode=1777,size={limits.files},nr_inodes=10000")
    _mount("proc", "/proc", "proc", plain | _NOEXEC, "")
    with contextlib.suppress(NamespaceError):  # without terminals only a few programs do less
        _mount("devpts", "/dev/pts", "devpts", _NOSUID | _NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    for shared in ("/", "/dev"):  # made by bubblewrap, in memory, and the same for all forks
        _mount("none", shared, "", _REMOUNT | _BIND | _RDONLY | plain, "")
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    _own_user_namespace(required=uid is None)
    leave_session_keyring()
    _drop_capabilities()
    _set_limits(limits)
    enter_filter()


def _own_user_namespace(*, required: bool) -> None:
    """Enter a user namespace in which this process is itself and nobody else.

    A root without unprivileged user namespaces goes on without: it has become another user already.
    """
    uid, gid = os.getuid(), os.getgid()
    inside = uid or 1000
    try:
        _call(_libc.unshare, _NEWUSER)
    except NamespaceError:
        if required:
            raise
        return
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside} {uid} 1"),
        ("gid_map", f"{inside} {gid} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text)


def _drop_capabilities() -> None:
    """Give up every capability, for good."""
    for capability in range(64):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _libc.prctl(_PR_CAP_AMBIENT, 4, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    _call(_libc.capset, header, (ctypes.c_uint32 * 6)())
    _call(_libc.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _set_limits(limits: Limits) -> None:
    status = Path("/proc/self/status").read_text()
    now = 1024 * int(status.partition("VmData:")[2].split()[0])
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, limits.file),
        (resource.RLIMIT_DATA, now + limits.memory),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_NOFILE, 1024),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def _mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    _call(_libc.mount, source.encode(), target.encode(), kind.encode(), flags, options.encode())


def _call(function: object, *arguments: object) -> None:
    assert callable(function)
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        name = getattr(function, "__name__", "a call")
        raise NamespaceError(number, f"{name} was refused: {os.strerror(number)}")
