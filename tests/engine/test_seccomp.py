"""The filter of system calls: what students' code may not ask of the kernel, and what it still may."""

from __future__ import annotations

import errno
import platform
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.engine import Jail, NoJail, Person, find_jail, seccomp

Run = Callable[..., list[Any]]
filtered = pytest.mark.skipif(
    isinstance(find_jail(), NoJail) or bool(seccomp.why_none()), reason="no jail, or no filter, here"
)

_COLUMN = {"x86_64": 0, "aarch64": 1}
_HEADERS = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}
_NUMBERS = {
    name: numbers[_COLUMN.get(platform.machine(), 0)]
    for name, numbers in (*seccomp.REFUSED.items(), ("clone", seccomp._CLONE), ("clone3", seccomp._CLONE3))
}

ASK = f"""
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def ask(number, *arguments):
    ctypes.set_errno(0)
    long = [ctypes.c_long(one) for one in (*arguments, *[0] * (6 - len(arguments)))]
    return errno.errorcode.get(ctypes.get_errno()) if libc.syscall(number, *long) < 0 else "allowed"
numbers = {dict(_NUMBERS)!r}
"""
"""Ask the kernel for a call, and say how it answered."""

EVERY_CALL = f"""{ASK}
clone, clone3 = numbers.pop("clone"), numbers.pop("clone3")
others = {{name: ask(number) for name, number in numbers.items() if number}}
print({{name: said for name, said in others.items() if said != "EPERM"}})
print(ask(clone3), {{hex(1 << bit): ask(clone, 1 << bit) for bit in (17, *range(25, 31))}})
import fcntl
print(ask({seccomp._IOCTL[_COLUMN.get(platform.machine(), 0)]}, 0, 0x5412), ask(16, 0, 0x100005412))
import socket
said = []
for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, 17, 38, 40):
    try:
        socket.socket(family, socket.SOCK_RAW if family in (16, 17) else socket.SOCK_STREAM).close()
        said.append("made")
    except OSError as trouble:
        said.append(errno.errorcode[trouble.errno])
print(*said)
print([line for line in open("/proc/1/status") if line.startswith("Seccomp:")])
"""

ANSWERS = """{}
ENOSYS {'0x20000': 'EPERM', '0x2000000': 'EPERM', '0x4000000': 'EPERM', '0x8000000': 'EPERM', """
ANSWERS += """'0x10000000': 'EPERM', '0x20000000': 'EPERM', '0x40000000': 'EPERM'}
EPERM EPERM
made made made made EAFNOSUPPORT EAFNOSUPPORT EAFNOSUPPORT
['Seccomp:\\t2\\n']
"""


def _seat(program: str) -> str:
    """Run a program as a student's server runs."""
    jail = find_jail()
    assert isinstance(jail, Jail)
    with seccomp.open_program() as calls:
        assert calls is not None
        person = Person("ada", 62001, "/tmp")
        words = [sys.executable, "-c", program]
        words = jail.command(words, person, (), network=False, cwd="/", calls=calls)
        done = subprocess.run(words, pass_fds=[calls], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@filtered
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers in the program are x86-64's")
def test_refused_calls_fail_in_what_is_graded(run: Run) -> None:
    """Each of them has given somebody the whole machine, from within a container."""
    cells = run(("student", EVERY_CALL))
    assert "".join(one.get("text", str(one)) for one in cells[0].outputs) == ANSWERS


@filtered
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers in the program are x86-64's")
def test_refused_calls_fail_in_a_students_server() -> None:
    """Students' code runs there all day; bubblewrap's own process is filtered, too, and no way round."""
    assert _seat(EVERY_CALL) == ANSWERS


ORDINARY = """
import ctypes, multiprocessing, os, subprocess, tempfile, threading
here = []
thread = threading.Thread(target=here.append, args=("thread",)); thread.start(); thread.join()
pid = os.fork()
if not pid:
    os._exit(7)
here.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
here.append(subprocess.run(["sh", "-c", "echo a | cat"], capture_output=True, text=True).stdout)
with multiprocessing.get_context("fork").Pool(1) as pool:
    here.append(pool.map(abs, [-3]))
import pty
here.append(pty.openpty()[0] > 0)
with tempfile.TemporaryDirectory() as folder:
    os.symlink("a", f"{folder}/b"); os.rename(f"{folder}/b", f"{folder}/c")
print(here)
"""


@filtered
def test_what_notebooks_do_still_works(run: Run) -> None:
    """Threads, processes, pipes, pools, terminals: a new C library asks for clone3 first for each."""
    expected = "['thread', 7, 'a\\n', [3], True]\n"
    assert _seat(ORDINARY) == expected
    assert run(("student", ORDINARY))[0].outputs[0]["text"] == expected


OTHER_NUMBERS = f"""{ASK}
import mmap, struct
print(ask(0x40000000 | 39))
# mov eax, 20 (getpid of 32 bits); int 0x80; ret
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes.fromhex("b814000000cd80c3"))
getpid = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
print(getpid())
"""


@filtered
@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 has other numbers for the same calls")
def test_no_call_has_a_second_number(run: Run) -> None:
    """A kernel for x86-64 takes calls of 32-bit programs, and x32's, from any program."""
    cells = run(("student", OTHER_NUMBERS))
    assert cells[0].outputs[0]["text"] == f"EPERM\n{-errno.EPERM}\n"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_numbers_are_the_kernels(machine: str) -> None:
    """A number that is wrong by one refuses an innocent call, and leaves open what it was for."""
    header = Path(_HEADERS[machine])
    if not header.exists():
        pytest.skip(f"{header} comes with the C library's headers for {machine}")
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
    calls = seccomp.REFUSED | {"clone": seccomp._CLONE, "clone3": seccomp._CLONE3, "ioctl": seccomp._IOCTL}
    calls |= {"socket": seccomp._SOCKET, "socketpair": seccomp._SOCKETPAIR}
    ours = {name: str(numbers[_COLUMN[machine]]) for name, numbers in calls.items()}
    newer = {"open_tree_attr"}  # than the headers of most systems
    assert {name: n for name, n in ours.items() if n != found.get(name, "None")}.keys() <= newer


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_each_architectures_filter_decides_as_written(machine: str) -> None:
    """Machines of one kind are at hand here; the filter of the other is run in a few lines of Python."""
    column, architecture = seccomp._ARCHITECTURES[machine]

    def decide(number: int | None, *arguments: int, of: int = architecture) -> int:
        data = struct.pack("<iIQ6Q", number or 0, of, 0, *arguments, *[0] * (6 - len(arguments)))
        return _run(seccomp.program(machine), data)

    def refused(number: int) -> int:
        return seccomp._ERRNO | number

    for numbers in seccomp.REFUSED.values():
        if numbers[column] is not None:
            assert decide(numbers[column]) == refused(errno.EPERM)
    assert decide(seccomp._CLONE3[column]) == refused(errno.ENOSYS)
    assert decide(seccomp._CLONE[column], 0x10000011) == refused(errno.EPERM)
    assert decide(seccomp._CLONE[column], 0x3D0F00) == seccomp._ALLOW  # a thread
    assert decide(seccomp._IOCTL[column], 0, 0x5412) == refused(errno.EPERM)
    assert decide(seccomp._IOCTL[column], 0, 0x5413) == seccomp._ALLOW
    assert decide(seccomp._SOCKET[column], 2) == seccomp._ALLOW
    assert decide(seccomp._SOCKET[column], 38) == refused(errno.EAFNOSUPPORT)
    assert decide(seccomp._SOCKETPAIR[column], 40) == refused(errno.EAFNOSUPPORT)
    assert decide(63) == seccomp._ALLOW
    assert decide(63, of=0x40000003) == refused(errno.EPERM)


def _run(program: bytes, data: bytes) -> int:
    """Run classic BPF, as far as the filter uses it."""
    steps, at, value = list(struct.iter_unpack("=HBBI", program)), 0, 0
    while True:
        code, yes, no, k = steps[at]
        at += 1
        if code == 0x20:
            value = struct.unpack_from("<I", data, k)[0]
        elif code == 0x06:
            return int(k)
        else:
            holds = {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}[code]
            at += yes if holds else no


def test_a_machine_whose_calls_are_not_known_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusing to grade there would be worse; `fpgaclass doctor` tells of it."""
    from fpgaclass.cli import doctor

    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "riscv64" in seccomp.why_none()
    seccomp.enter_filter()
    with seccomp.open_program() as calls:
        assert calls is None
    monkeypatch.setattr(doctor, "_sandbox_works", lambda: True)
    monkeypatch.setattr(doctor, "find_tool", lambda name: name)
    found = doctor._sandbox()
    assert found.state == doctor.LIMITED
    assert "riscv64" in found.found
