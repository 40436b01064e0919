"""The jail around what students run: their servers, and their notebooks when these are graded.

Bubblewrap makes it from Linux namespaces: inside there are the system's programs and the Python environment
(read-only), one home, and what is mounted on purpose. An ordinary user needs user namespaces for it, and all
students then share that user's uid; root needs none, and gives each student a uid of their own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import fpgaclass
from fpgaclass.core import find_tool

HOW_TO_GET = "apt-get install bubblewrap (as root), then run the same command again"

_OLDEST = (0, 5)  # the first with --perms
_SYSTEM = ("/usr", "/opt", "/sys/devices/system/cpu", "/sys/devices/system/node")
_TOP = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = (
    *("alternatives", "ca-certificates", "fonts", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
    *("localtime", "mime.types", "nsswitch.conf", "OpenCL", "pki", "resolv.conf", "ssl", "timezone"),
)


@dataclass(frozen=True)
class Mount:
    """A folder or file of this machine that the jail shows.

    Attributes:
        source: where it is outside.
        target: where the jail shows it.
        writable: True to let the jail change it.
    """

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Person:
    """Who the jailed process is.

    Attributes:
        name: the account's name inside.
        uid: the uid when root makes the jail; None keeps root's, without its capabilities.
        home: the home inside.
    """

    name: str
    uid: int | None
    home: str


@dataclass(frozen=True)
class Jail:
    """A bubblewrap that works on this machine.

    Attributes:
        bwrap: its path.
        by_root: True when root starts it: no user namespace, an own uid for each person.
    """

    bwrap: str
    by_root: bool

    def host_uid(self, person: Person) -> int:
        """Return the uid that a jailed person's files have outside."""
        return person.uid if self.by_root and person.uid is not None else os.getuid()

    def account_files(self, person: Person, folder: Path) -> tuple[Mount, ...]:
        """Write the jail's /etc/passwd and /etc/group into ``folder`` and return their mounts."""
        uid = self.host_uid(person) if self.by_root else 1000
        accounts = {0: "root", 65534: "nobody", uid: person.name}
        lines = (
            f"{n}:x:{u}:{u}::{person.home if u == uid else '/'}:/bin/bash\n" for u, n in accounts.items()
        )
        (folder / "passwd").write_text("".join(lines))
        (folder / "group").write_text("".join(f"{n}:x:{u}:\n" for u, n in accounts.items()))
        for name in ("passwd", "group"):
            (folder / name).chmod(0o644)
        return tuple(Mount(folder / name, f"/etc/{name}") for name in ("passwd", "group"))

    def command(
        self,
        words: Sequence[str],
        person: Person,
        mounts: Sequence[Mount],
        *,
        network: bool,
        cwd: str,
        scratch: Path | None = None,
        environment: Mapping[str, str] | None = None,
        keep: Sequence[str] = (),
        calls: int | None = None,
    ) -> list[str]:
        """Return the command that runs ``words`` in the jail.

        Args:
            words: the program and its arguments, as the jail sees them.
            person: who it runs as.
            mounts: what the jail shows besides the system and the Python environment; later ones lie above.
            network: True to share the machine's network, False for none but an own loopback.
            cwd: where it starts.
            scratch: the folder shown as /tmp; without it /tmp is in memory.
            environment: all its variables; without it the caller's are handed on.
            keep: capabilities that it has inside; only for programs of ours, such as the warm parent, which
                give them up in every process that runs somebody else's code.
            calls: a descriptor of `fpgaclass.engine.seccomp.open_program`, which whoever starts the command
                hands down to it; all in the jail is filtered then. None where a program of ours has to make
                namespaces in it, and filters those that it starts.
        """
        all_mounts = (*_system_mounts(), *mounts)
        options = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "class"]
        options += ["--unshare-cgroup-try", "--die-with-parent", "--new-session"]
        options += [] if network else ["--unshare-net"]
        if self.by_root:
            options += ["--cap-drop", "ALL"]
            if person.uid is not None:
                options += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
                drop = ["--reuid", str(person.uid), "--regid", str(person.uid), "--clear-groups"]
                # only the person may enter a home of theirs, so the way there is gone last
                words = ["setpriv", *drop, "--no-new-privs", "env", f"--chdir={cwd}", *words]
                cwd = "/"
        else:
            # With another uid than 0 bubblewrap adds a second user namespace, and the powers end at the
            # first.
            inside = "0" if keep else "1000"
            options += ["--unshare-user", "--uid", inside, "--gid", inside]
        options += [] if calls is None else ["--seccomp", str(calls)]
        for power in keep:
            options += ["--cap-add", power]
        for top in _TOP:
            if Path(top).is_symlink():
                options += ["--symlink", str(Path(top).readlink()), top]
        options += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm"]
        options += ["--bind", str(scratch), "/tmp"] if scratch else ["--perms", "1777", "--tmpfs", "/tmp"]
        for folder in _parents([mount.target for mount in all_mounts]):
            options += ["--perms", "0755", "--dir", folder]
        options += ["--symlink", "/tmp", "/var/tmp"]
        for mount in all_mounts:
            options += ["--bind" if mount.writable else "--ro-bind", str(mount.source), mount.target]
        for folder in _hidden():
            options += ["--tmpfs", folder]
        options += ["--remount-ro", "/"]  # what was made for the mounts to stand in, /etc for one
        if environment is not None:
            options.append("--clearenv")
            for name, value in environment.items():
                options += ["--setenv", name, value]
        return [self.bwrap, *options, "--chdir", cwd, *words]


@dataclass(frozen=True)
class NoJail:
    """This machine cannot make jails, and why."""

    reason: str
    next_step: str


@cache
def find_jail() -> Jail | NoJail:
    """Return the jail of this machine, tried out with its own Python, or the reason why there is none."""
    if os.environ.get("FPGACLASS_NO_JAIL"):
        return NoJail("FPGACLASS_NO_JAIL is set", "unset FPGACLASS_NO_JAIL")
    tool = find_tool("bwrap")
    if tool is None:
        return NoJail("bubblewrap (bwrap) is not installed", HOW_TO_GET)
    version = _version(tool.command[0])
    if version is None:
        return NoJail(f"bubblewrap does not start: {tool.command[0]} --version failed", HOW_TO_GET)
    if version < _OLDEST:
        shown = ".".join(map(str, version))
        return NoJail(f"bubblewrap {shown} is too old", "install bubblewrap 0.5 or newer")
    jail = Jail(tool.command[0], os.geteuid() == 0)
    if jail.by_root and shutil.which("setpriv") is None:
        return NoJail("setpriv is not installed", "apt-get install util-linux")
    person = Person("probe", 62999, "/tmp")
    words = jail.command([sys.executable, "-c", "import json"], person, (), network=False, cwd="/")
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as trouble:
        return NoJail(f"bubblewrap does not start: {trouble}", HOW_TO_GET)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        step = "allow namespaces: not in an unprivileged container, and with "
        step += "kernel.apparmor_restrict_unprivileged_userns=0 where that is set"
        return NoJail(f"bubblewrap cannot make a jail here: {reason}", step)
    return jail


@cache
def _version(bwrap: str) -> tuple[int, ...] | None:
    try:
        shown = subprocess.run([bwrap, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"(\d+)\.(\d+)", shown.stdout)
    return tuple(map(int, found.groups())) if found else None


@cache
def _hidden() -> tuple[str, ...]:
    """Return what the Python environment holds and no student may see: the demo course with its solutions."""
    places = {
        Path(sysconfig.get_path("purelib")) / "fpgaclass" / "demo",
        _package_root() / "fpgaclass" / "demo",
    }
    return tuple(sorted(str(place) for place in places if place.is_dir()))


@cache
def _system_mounts() -> tuple[Mount, ...]:
    """Return what every jail shows, read-only: programs, some of /etc, and the Python environment."""
    python = Path(sys.executable)
    wanted = [*_SYSTEM, *(top for top in _TOP if Path(top).is_dir() and not Path(top).is_symlink())]
    wanted += [f"/etc/{name}" for name in _ETC]
    wanted += [sys.prefix, sys.base_prefix, str(python.resolve().parent.parent), str(_package_root())]
    mounts: list[Mount] = []
    for path in map(Path, dict.fromkeys(wanted)):
        covered = any(path.is_relative_to(mount.target) for mount in mounts)
        if path.exists() and not covered and path != Path("/"):
            mounts.append(Mount(path, str(path)))
    return tuple(mounts)


def _package_root() -> Path:
    """Return the folder that holds the package `fpgaclass`: in the environment, or a clone's toolkit/."""
    assert fpgaclass.__file__ is not None
    return Path(fpgaclass.__file__).resolve().parent.parent


def _parents(targets: Sequence[str]) -> list[str]:
    """Return the folders above the targets, top first: bubblewrap would make them unreadable for others."""
    inside = {Path(target) for target in targets}
    found: dict[str, None] = {"/var": None}
    for target in targets:
        for parent in reversed(Path(target).parents):
            if str(parent) not in ("/", "/tmp") and not any(parent.is_relative_to(mount) for mount in inside):
                found[str(parent)] = None
    return list(found)
