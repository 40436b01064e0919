"""This machine behind the port: hosts in namespaces, each with a network, files and an sshd of its own.

Each host has a folder under the runtime directory with its marker, written before anything else: what carries
a marker is what the inventory shows, half-made or whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fpgaclass.cohort.errors import CapacityError, ProviderError
from fpgaclass.cohort.plans import Kind, Plan
from fpgaclass.cohort.port import Capabilities, Finding, Found, Marker, Order
from fpgaclass.cohort.providers.local import network

_RUN = Path("/run/fpgaclass")
_HOST = Path(__file__).parent / "host.sh"
_TOOLS = {
    "ip": "apt-get install iproute2",
    "unshare": "apt-get install util-linux",
    "ssh-keygen": "apt-get install openssh-client",
    "sshd": "apt-get install openssh-server",
}


def why_not() -> tuple[str, str]:
    """Return why this machine cannot have local hosts, and the remedy; two empty texts if it can."""
    for tool, step in _TOOLS.items():
        if not _program(tool):
            return f"{tool} is not on this machine", step
    test = ["unshare", "--mount", "--net", "--pid", "--fork", "true"]
    done = subprocess.run(test, capture_output=True, text=True, check=False)
    if done.returncode or os.geteuid() != 0:
        why = (done.stderr.strip().splitlines() or ["not root"])[-1]
        return f"namespaces are not allowed here: {why}", "run as root, or take another provider"
    return "", ""


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class LocalProvider:
    """Hosts on this machine.

    Args:
        addresses: the private network that they get their addresses from.
    """

    name = "local"

    def __init__(self, addresses: str = "10.66.0.0/24") -> None:
        self.capabilities = Capabilities(
            tokens=frozenset({"machine"}), calls_per_second=50.0, workers=4, poll_s=0.2, user="root"
        )
        self._network = ipaddress.IPv4Network(addresses)

    def account(self) -> str:
        """See the port: this machine has none."""
        return ""

    def preflight(self, plan: Plan) -> tuple[Finding, ...]:
        """See the port."""
        why, step = why_not()
        if why:
            return (Finding(False, why, step),)
        hosts, room = len(plan.of_kind("machine")), self._network.num_addresses - 3
        if hosts > room:
            step = "a larger cohort.local.network"
            return (Finding(False, f"{hosts} hosts do not fit into {self._network}", step),)
        return (Finding(True, f"{hosts} of {room} addresses of {self._network}"),)

    def inventory(self, cohort: str | None, kinds: Collection[Kind] | None = None) -> tuple[Found, ...]:
        """See the port."""
        if kinds is not None and "machine" not in kinds:
            return ()
        found = [self._found(folder) for folder in sorted(_RUN.glob("fpgaclass-*"))]
        return tuple(f for f in found if f is not None and (cohort is None or f.marker.cohort == cohort))

    def create(self, order: Order) -> str:
        """See the port. The host's name follows from its key: asked for twice, it is the same host."""
        marker = order.marker
        digest = hashlib.sha256(f"{marker.cohort}|{marker.key}".encode()).hexdigest()
        identity = f"fpgaclass-{digest[:8]}"
        folder = _RUN / identity
        with self._turn():
            if folder.exists() and _alive(_about(folder)):
                return identity
            self._remove(identity)
            address = self._free_address()
            folder.mkdir()
            about = {"tags": marker.tags(), "address": address, "process": 0, "started": 0.0}
            _write(folder / "about.json", about)
            network.ensure_bridge(self._network)
            network.ensure_cable(identity, address, self._network.prefixlen)
        seconds = max(60, int((marker.expires - datetime.now(UTC)).total_seconds()))
        process = self._start(
            folder, _host_name(marker), address, order.resource.setting("public_key"), seconds
        )
        _write(folder / "about.json", {**about, "process": process, "started": _started(process)})
        return identity

    def complete(self, order: Order, identity: str) -> None:
        """Nothing is left to do."""

    def delete(self, found: Sequence[Found]) -> dict[str, ProviderError]:
        """See the port."""
        errors: dict[str, ProviderError] = {}
        with self._turn():
            for thing in found:
                try:
                    self._remove(thing.id)
                except ProviderError as trouble:
                    errors[thing.id] = trouble
            if not any(_RUN.glob("fpgaclass-*")):
                network.remove_bridge()
        return errors

    def _start(self, folder: Path, name: str, address: str, public_key: str, seconds: int) -> int:
        """Start a host; ``timeout`` ends it with the cohort, whatever becomes of us."""
        (folder / "key.pub").write_text(public_key + "\n")
        host_key = folder / "host_key"
        host_key.unlink(missing_ok=True)
        network.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key))
        (folder / "root").mkdir(exist_ok=True)
        sshd = _program("sshd") or "/usr/sbin/sshd"
        inside = [
            "sh",
            str(_HOST),
            str(folder / "root"),
            name,
            address,
            str(folder / "key.pub"),
            sshd,
            str(host_key),
        ]
        spaces = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
        command = ["timeout", "--kill-after=5", str(seconds)]
        command += ["ip", "netns", "exec", folder.name, *spaces, *inside]
        with (folder / "log").open("w") as log:
            started = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        return started.pid

    def _remove(self, identity: str) -> None:
        folder = _RUN / identity
        about = _about(folder)
        if _alive(about):
            with suppress(ProcessLookupError):
                os.killpg(about["process"], signal.SIGKILL)
            for _ in range(100):
                if not _alive(about):
                    break
                time.sleep(0.02)
        network.remove_cable(identity)
        shutil.rmtree(folder, ignore_errors=True)

    def _found(self, folder: Path) -> Found | None:
        about = _about(folder)
        marker = Marker.read(about.get("tags", {}))
        if marker is None:
            return None
        status, trouble = "failed", None
        if _alive(about):
            status = "ready" if _answers(about["address"]) else "pending"
        else:
            log = folder / "log"
            said = (
                (log.read_text().strip().splitlines() or ["it was cut off"])[-1]
                if log.exists()
                else "half made"
            )
            trouble = ProviderError(f"the host does not run: {said}", where=str(folder))
        return Found(folder.name, "machine", marker, status, "namespace", "", about["address"], trouble)

    def _free_address(self) -> str:
        taken = {_about(folder).get("address") for folder in _RUN.glob("fpgaclass-*")}
        for number in range(10, self._network.num_addresses - 1):
            if (address := str(self._network[number])) not in taken:
                return address
        raise CapacityError(
            f"no address of {self._network} is free", next_step="a larger cohort.local.network"
        )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one process or thread at a time hand out addresses and cables."""
        _RUN.mkdir(mode=0o755, exist_ok=True)
        with (_RUN / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _host_name(marker: Marker) -> str:
    return marker.key.replace("/", "-").replace("_", "-")


def _about(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "about.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


def _write(path: Path, data: dict[str, Any]) -> None:
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(data))
    scratch.replace(path)


def _started(process: int) -> float:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return -1.0
    return -1.0 if fields[0] in ("Z", "X") else float(fields[19])


def _alive(about: dict[str, Any]) -> bool:
    process = about.get("process", 0)
    return bool(process) and _started(process) == about.get("started")


def _answers(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


__all__ = ["LocalProvider", "why_not"]
