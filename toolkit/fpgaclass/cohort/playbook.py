"""Running playbooks with ansible-runner: progress from its events, and a result for each host."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fpgaclass.cohort.errors import CohortError
from fpgaclass.cohort.places import provisioning
from fpgaclass.cohort.port import as_address, printable, scrub
from fpgaclass.cohort.roster import Student
from fpgaclass.cohort.state import READY, Row
from fpgaclass.core import ToolMissingError

# Hosts are new and their keys unknown; addresses come round again within an hour on a cloud.
# Without BatchMode a key with a passphrase would be asked for, and nobody sees the question.
_SSH = "-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
_STEP = "uv pip install ansible-core ansible-runner (or fpgaclass[cohort])"


@dataclass(frozen=True)
class Task:
    """A task that ended on a host; ``result`` is ok, failed or unreachable."""

    host: str
    name: str
    result: str


@dataclass(frozen=True)
class HostResult:
    """What a run did on a host.

    Attributes:
        host: its key in the cohort.
        ok, changed: tasks that ended well, and those of them that changed something.
        failed: the message of the task that failed, or of why the host was not reached; "" if all went well.
    """

    host: str
    ok: int
    changed: int
    failed: str = ""


@dataclass(frozen=True)
class Configured:
    """What a run did on every host, and the seconds it took (measured)."""

    hosts: tuple[HostResult, ...]
    seconds: float

    @property
    def failed(self) -> tuple[HostResult, ...]:
        """Those that are not as they should be."""
        return tuple(host for host in self.hosts if host.failed)


@dataclass
class _Events:
    """Collects ansible-runner's events."""

    listener: Callable[[Task], None]
    stats: dict[str, Any] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)

    def __call__(self, event: dict[str, Any]) -> bool:
        kind, data = event.get("event", ""), event.get("event_data", {})
        if kind == "playbook_on_stats":
            self.stats = data  # the runner's own copy is empty when events are not kept on disk
        result = {
            "runner_on_ok": "ok",
            "runner_on_failed": "failed",
            "runner_on_unreachable": "unreachable",
        }.get(kind)
        host = data.get("host")
        if result and host and not data.get("ignore_errors"):
            if result != "ok":
                said = data.get("res", {})
                # Of a loop, the item that failed says why.
                said = next((item for item in said.get("results", ()) if item.get("failed")), said)
                lines = str(said.get("stderr") or said.get("msg") or "").strip().splitlines()
                self.messages[host] = f"{data.get('task')}: {scrub((lines or ['no message'])[-1])[:300]}"
            self.listener(Task(host, str(data.get("task")), result))
        return False  # nothing of it goes to disk: events hold the hosts' answers


def inventory(
    rows: Sequence[Row],
    students: Sequence[Student],
    *,
    user: str,
    private_keys: Sequence[Path],
    variables: Mapping[str, Any] | None = None,
    hub: str | None = None,
) -> dict[str, Any]:
    """Return Ansible's inventory of the ready machines of a cohort.

    Args:
        rows: the state's rows.
        students: the roster, for accounts and keys.
        user: the login on the machines.
        private_keys: the files that may open them.
        variables: for every host.
        hub: the key of the machine that runs the hub.
    """
    people = {s.login: {"login": s.login, "public_key": s.public_key} for s in students}
    _refuse_templates([text for person in people.values() for text in person.values()])
    own = dict(variables or {})  # with each host: the defaults beside the playbook would win over a group's
    machines = [
        row for row in rows if row.kind == "machine" and row.state == READY and as_address(row.address)
    ]
    # No group may be called like a host, such as ``hub``: Ansible would give the host's variables to nobody.
    groups: dict[str, dict[str, Any]] = {name: {"hosts": {}} for name in ("seats", "cards", "hubs")}
    for row in machines:
        group = "cards" if row.key.startswith("card/") else "hubs" if row.key == hub else "seats"
        of_host = [people[row.student]] if row.student in people else list(people.values())
        groups[group]["hosts"][row.key] = {"ansible_host": row.address, "students": of_host, **own}
    opening = {"ansible_ssh_private_key_file": str(private_keys[0])} if private_keys else {}
    more = [shlex.join(["-o", f'IdentityFile="{path}"']) for path in private_keys[1:]]
    common = {
        "ansible_user": user,
        "ansible_become": user != "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": " ".join([_SSH, *more]),
        **opening,
    }
    return {"all": {"children": groups, "vars": common}}


def _refuse_templates(texts: Sequence[str]) -> None:
    """Refuse what Ansible would carry out here, with the instructor's rights: it fills in every variable."""
    for text in texts:
        if any(mark in text for mark in ("{{", "{%", "{#")):
            raise CohortError(
                f"{printable(text)[:60]!r} is a template of Ansible, and of a student",
                next_step="mend the roster; nothing of a student's needs braces",
            )


def run_playbook(
    hosts: Mapping[str, Any],
    playbook: str = "site.yml",
    *,
    listener: Callable[[Task], None] | None = None,
    forks: int = 20,
    defaults: bool = False,
    mitogen: bool | None = None,
    limit: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    timeout_s: float = 3600.0,
) -> Configured:
    """Run a playbook of provisioning/ansible to its end on every host that can be reached.

    Args:
        hosts: the inventory.
        playbook: its name.
        listener: is told of every task that ended.
        forks: hosts at once.
        defaults: leave all of Ansible's settings as they are (for comparison).
        mitogen: use it, if it is there; None tries.
        limit: only these hosts.
        variables: stronger than the inventory's.
        timeout_s: end the run after so long.

    Returns:
        a result for each host; one that is dead is among the failed, and does not stop the others.

    Raises:
        ToolMissingError: Ansible is not installed.
        CohortError: the playbook could not be run at all.
    """
    try:
        import ansible_runner  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError as missing:
        raise ToolMissingError(
            "hosts are set up by ansible-runner, which is missing", next_step=_STEP
        ) from missing
    if shutil.which("ansible-playbook", path=_path()) is None:
        raise ToolMissingError("ansible-playbook is not here", where=_path(), next_step=_STEP)
    events = _Events(listener or (lambda task: None))  # noqa: ARG005
    names = [name for group in hosts["all"]["children"].values() for name in group["hosts"]]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fpgaclass-ansible-") as scratch, _stoppable() as stopped:
        # The runner looks once in a second whether it is to stop.
        settings = {"idle_timeout": 600, "job_timeout": int(timeout_s), "pexpect_timeout": 1}
        run = ansible_runner.run(
            private_data_dir=scratch,
            project_dir=str(provisioning("ansible")),
            playbook=playbook,
            inventory=dict(hosts),
            envvars=_settings(scratch, forks, defaults, mitogen),
            quiet=True,
            event_handler=events,
            settings=settings,
            cancel_callback=stopped,
            limit=",".join(limit) or None,
            extravars=dict(variables or {}),
        )
        said = "" if events.stats else run.stdout.read()[-1500:]
    if not events.stats:
        raise CohortError(
            f"Ansible ended ({run.status}) before it reached a host: {said.strip()}",
            where=str(provisioning("ansible") / playbook),
        )
    wanted = [name for name in names if not limit or name in limit]
    results = tuple(_result(name, events) for name in wanted if _was_asked(name, events))
    return Configured(results, time.monotonic() - started)


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool] | None]:
    """Have Ctrl-C and SIGTERM end Ansible first, and then do what they do.

    The runner would take both signals for itself, for good, and call the run failed.

    Yields:
        whether one has come; None in another thread, where no signal does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    come: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, lambda number, _: come.append(number))
        yield lambda: bool(come)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if come:
            signal.raise_signal(come[0])


def _was_asked(name: str, events: _Events) -> bool:
    return any(name in (events.stats.get(part) or {}) for part in ("ok", "failures", "dark", "processed"))


def _result(name: str, events: _Events) -> HostResult:
    stats = events.stats
    failed = ""
    if name in (stats.get("dark") or {}):
        failed = f"not reached: {events.messages.get(name, 'no answer')}"
    elif name in (stats.get("failures") or {}):
        failed = events.messages.get(name, "a task failed")
    ok, changed = ((stats.get(part) or {}).get(name, 0) for part in ("ok", "changed"))
    return HostResult(name, ok, changed, failed)


def _path() -> str:
    # ansible-playbook is beside the running Python, which need not be on PATH.
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


def _settings(scratch: str, forks: int, defaults: bool, mitogen: bool | None) -> dict[str, str]:
    common = {
        "PATH": _path(),
        "ANSIBLE_LOCAL_TEMP": f"{scratch}/tmp",
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_TIMEOUT": "30",  # ten seconds are too few for a busy host
    }
    if defaults:
        return common
    quick = {
        "ANSIBLE_FORKS": str(forks),
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_SSH_RETRIES": "2",
        "ANSIBLE_SSH_ARGS": f"-o ControlMaster=auto -o ControlPersist=60s -o ControlPath={scratch}/%C",
    }
    spec = importlib.util.find_spec("ansible_mitogen") if mitogen is not False else None
    if spec and spec.submodule_search_locations:
        plugins = Path(next(iter(spec.submodule_search_locations))) / "plugins" / "strategy"
        quick |= {"ANSIBLE_STRATEGY_PLUGINS": str(plugins), "ANSIBLE_STRATEGY": "mitogen_linear"}
    elif mitogen:
        raise ToolMissingError("mitogen is not installed", next_step="uv pip install mitogen")
    return common | quick
