"""What one seat may take of the machine: memory, processor, processes.

Control groups hold a whole server with all its kernels; where this account may not make any, limits of single
processes are what is left, and `find_limiter` says which of the two it is.
"""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

ROOT = Path("/sys/fs/cgroup")
"""Where Linux shows control groups."""

Kind = Literal["cgroup v2", "cgroup v1", "rlimit"]


@dataclass(frozen=True)
class Limits:
    """What a seat may take.

    Attributes:
        memory_gb: of memory, GiB, for the server and all its kernels together.
        cpus: of processor time, cores; 0 for a fair share of what there is.
        processes: processes and threads.
    """

    memory_gb: float = 4.0
    cpus: float = 0.0
    processes: int = 2048


def of_instructor(limits: Limits) -> Limits:
    """Return what an instructor's server may take: more than a seat, never the whole machine's memory."""
    machine_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    half = max(limits.memory_gb, machine_gb / 2)
    return Limits(memory_gb=half, cpus=0.0, processes=2 * limits.processes)


@dataclass(frozen=True)
class Limiter:
    """How limits are set on this machine.

    Attributes:
        kind: control groups of version 2 or 1, or limits of single processes.
        base: the folder below which groups are made; unused for ``"rlimit"``.
    """

    kind: Kind
    base: Path = ROOT

    def __str__(self) -> str:
        """Say what holds, for `status` and `doctor`."""
        if self.kind == "rlimit":
            return "memory of single processes, and how many (rlimit): no control group can be made here"
        return f"memory, processor and processes of each whole server ({self.kind})"

    def ensure_group(self, name: str, limits: Limits) -> None:
        """Make a seat's group with its limits; does nothing for ``"rlimit"``."""
        for folder, files in self._groups(name, limits).items():
            folder.mkdir(parents=True, exist_ok=True)
            for file, value in files.items():
                with suppress(OSError):  # a controller that this kernel lacks
                    (folder / file).write_text(value)

    def join(self, name: str, limits: Limits) -> Callable[[], None]:
        """Return what a new process calls to enter the group, or to limit itself."""
        entrances = [folder / "cgroup.procs" for folder in self._groups(name, limits)]

        def enter() -> None:
            for entrance in entrances:
                with suppress(OSError):
                    entrance.write_text("0")
            if not entrances:
                most = int(limits.memory_gb * 2**30)
                resource.setrlimit(resource.RLIMIT_DATA, (most, most))
                # Of one person where root gives each a uid; of all that an ordinary user has, on old kernels.
                resource.setrlimit(resource.RLIMIT_NPROC, (limits.processes, limits.processes))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        return enter

    def remove_group(self, name: str, *, patience: float = 2.0) -> None:
        """Remove a seat's group once its last process is gone."""
        ends = time.monotonic() + patience
        for folder in self._groups(name, Limits()):
            while folder.is_dir():
                with suppress(OSError):
                    folder.rmdir()
                if time.monotonic() > ends:
                    break
                time.sleep(0.05)

    def _groups(self, name: str, limits: Limits) -> dict[Path, dict[str, str]]:
        """Return the folders of a group, and what is written into each."""
        memory, period = str(int(limits.memory_gb * 2**30)), 100_000
        quota = int(limits.cpus * period)
        if self.kind == "cgroup v2":
            files = {"memory.max": memory, "memory.swap.max": "0", "pids.max": str(limits.processes)}
            files["cpu.max"] = f"{quota or 'max'} {period}"
            return {self.base / "fpgaclass" / name: files}
        if self.kind == "cgroup v1":
            of = {
                "memory": {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory},
                "cpu": {"cpu.cfs_quota_us": str(quota or -1)},
                "pids": {"pids.max": str(limits.processes)},
            }
            return {self.base / kind / "fpgaclass" / name: files for kind, files in of.items()}
        return {}


@cache
def find_limiter(root: Path = ROOT) -> Limiter:
    """Return how this account can limit a seat, tried out by making a group and removing it."""
    for kind, base in _candidates(root):
        limiter = Limiter(kind, base)
        name = f"try-{os.getpid()}"
        try:
            limiter.ensure_group(name, Limits())
            probe = next(iter(limiter._groups(name, Limits())))
            file = "memory.max" if kind == "cgroup v2" else "memory.limit_in_bytes"
            works = (probe / file).read_text().strip() == str(4 * 2**30) and _can_enter(probe)
        except OSError:
            continue
        finally:
            with suppress(OSError):
                limiter.remove_group(name, patience=1)
                next(iter(limiter._groups(name, Limits()))).parent.rmdir()  # unless a class has seats in it
        if works:
            return limiter
    return Limiter("rlimit")


def _can_enter(group: Path) -> bool:
    """Tell whether a process of ours may move into a group: writing its limits is not enough for that."""
    child = subprocess.Popen(["sleep", "5"])
    try:
        (group / "cgroup.procs").write_text(str(child.pid))
    except OSError:
        return False
    finally:
        child.kill()
        child.wait()
    return True


def _candidates(root: Path) -> list[tuple[Kind, Path]]:
    found: list[tuple[Kind, Path]] = []
    if (root / "cgroup.controllers").is_file():
        own = _own_group()
        # systemd hands a user the group of their session's manager; root may use the top
        bases = [root, *(root / part for part in (own, *own.parents) if part.name.startswith("user@"))]
        for base in bases:
            with suppress(OSError):
                folder = base / "fpgaclass"
                folder.mkdir(exist_ok=True)
                for group in (base, folder):
                    (group / "cgroup.subtree_control").write_text("+memory +cpu +pids")
            found.append(("cgroup v2", base))
    if (root / "memory").is_dir():
        found.append(("cgroup v1", root))
    return found


def _own_group() -> Path:
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return Path(line[3:].strip("/"))
    return Path()


def raise_open_files(most: int = 65_536) -> None:
    """Let this process open as many files as it is allowed to: a relay has two for each connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
