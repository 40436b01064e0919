"""A filter of system calls for students' code: most holes of a kernel are in calls that no notebook makes.

`program` assembles it for the kernel's classic BPF (linux/filter.h, linux/seccomp.h; seccomp(2)). A call that
is refused fails as one that is not permitted, and clone3, whose flags a filter cannot read, as one that this
kernel does not have: the C library then takes clone. docs/decisions/jail_calls.md tells how the list came to
be. It is inherited by all that a process starts, and nothing takes it away.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fpgaclass.engine.system import memfd_create

# Numbers on (x86-64, aarch64) of Linux: arch/x86/entry/syscalls/syscall_64.tbl and asm-generic/unistd.h.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # namespaces and mounts: as their root, everybody reaches parts of the kernel that only root should
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # other processes, their memory and descriptors
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    # what few programs use and many exploits
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "vmsplice": (278, 75),
    "remap_file_pages": (216, 234),
    "memfd_secret": (447, 447),
    "fanotify_init": (300, 262),
    "personality": (135, 92),
    "modify_ldt": (154, None),
    # the machine itself
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
}
"""Calls that fail with EPERM."""

_CLONE, _CLONE3, _IOCTL = (56, 220), (435, 435), (16, 29)
_SOCKET, _SOCKETPAIR = (41, 198), (53, 199)
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID, -NET: linux/sched.h
_TYPING = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX write into a terminal as if somebody typed there
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # AUDIT_ARCH_*: linux/audit.h
_X32 = 0x40000000  # the bit that marks a call of x86-64's programs with short pointers

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE = 0, 4
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def why_none() -> str:
    """Return why calls cannot be filtered here, or an empty text where they can."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        return f"the numbers of its calls on {machine or 'this processor'} are not known"
    if not Path("/proc/sys/kernel/seccomp/actions_avail").exists():
        return "this kernel has no seccomp filters"
    return ""


def program(machine: str | None = None) -> bytes:
    """Return the filter as the kernel reads it: an array of `struct sock_filter`.

    Args:
        machine: the architecture, as `platform.machine` calls it; None for that of this machine.

    Raises:
        KeyError: its calls are not known here.
    """
    machine = machine or platform.machine()
    column, architecture = _ARCHITECTURES[machine]
    refuse = _step(_RETURN, _ERRNO | errno.EPERM)
    lines = [_step(_LOAD, _ARCHITECTURE), _step(_EQUAL, architecture, yes=1), refuse, _step(_LOAD, _NUMBER)]
    if machine == "x86_64":
        lines += [_step(_AT_LEAST, _X32, no=1), refuse]
    for numbers in REFUSED.values():
        number = numbers[column]
        if number is not None:
            lines += [_step(_EQUAL, number, no=1), refuse]
    lines += [_step(_EQUAL, _CLONE3[column], no=1), _step(_RETURN, _ERRNO | errno.ENOSYS)]
    lines += _of(_CLONE[column], 0, [_step(_ANY_BIT, _NEW_NAMESPACES, no=1), refuse])
    written = [_step(_EQUAL, request, no=1) + refuse for request in _TYPING]
    lines += _of(_IOCTL[column], 1, written)
    known = [_step(_EQUAL, int(family), no=1) + _step(_RETURN, _ALLOW) for family in _FAMILIES]
    unknown = _step(_RETURN, _ERRNO | errno.EAFNOSUPPORT)
    for call in (_SOCKET, _SOCKETPAIR):
        lines += _of(call[column], 0, [*known, unknown])
    return b"".join([*lines, _step(_RETURN, _ALLOW)])


@contextmanager
def open_program() -> Iterator[int | None]:
    """Yield a descriptor of the filter for bubblewrap's ``--seccomp``, or None where there is no filter."""
    if why_none():
        yield None
        return
    handle = memfd_create("fpgaclass-calls")
    try:
        os.write(handle, program())
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)


def enter_filter() -> None:
    """Have this process, and what it starts from now on, filtered; does nothing where there is no filter.

    It must have set ``no_new_privs``, and have a single thread.

    Raises:
        OSError: the kernel refused.
    """
    if why_none():
        return
    code = program()
    filled = _Program(len(code) // 8, code)
    if _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filled), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"a filter of system calls was refused: {os.strerror(number)}")


def _of(number: int, argument: int, then: list[bytes]) -> list[bytes]:
    """Return steps for one call, on the low half of an argument, which is all that the kernel reads of it."""
    inner = b"".join(then)
    low = 16 + 8 * argument  # both architectures are little-endian
    steps = [_step(_EQUAL, number, no=len(inner) // 8 + 2), _step(_LOAD, low), inner]
    return [*steps, _step(_RETURN, _ALLOW)]


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """Return one instruction; a comparison goes so many steps further on when it holds, or does not."""
    return struct.pack("=HBBI", code, yes, no, value)
