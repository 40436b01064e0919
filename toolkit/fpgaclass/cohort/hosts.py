"""Setting the hosts of a cohort up, and its cards between two students."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fpgaclass.cohort import bundle, keys, verbs
from fpgaclass.cohort.errors import CohortError
from fpgaclass.cohort.leases.gate import Health
from fpgaclass.cohort.playbook import Configured, Task, inventory, run_playbook
from fpgaclass.cohort.spec import CohortFile, load_spec
from fpgaclass.cohort.state import READY, State


def configure(
    path: Path | str,
    *,
    variables: Mapping[str, Any] | None = None,
    hub: str | None = None,
    listener: Callable[[Task], None] | None = None,
    limit: Sequence[str] = (),
    url: str | None = None,
    defaults: bool = False,
) -> Configured:
    """Set up every ready machine of a cohort; a second run changes nothing.

    Args:
        path: course.yaml, its folder, or the cohort's own file.
        variables: for the roles, such as ``docker_images`` or ``xrt_packages``.
        hub: the key of the machine that runs the hub; None takes the cohort's own, if it has one.
        listener: is told of every task that ended.
        limit: only these keys.
        url: the state's database.
        defaults: with Ansible's own settings (for comparison).

    Raises:
        CohortError: no machine is ready, or the playbook could not be run.
        ToolMissingError: Ansible is not installed.
    """
    file = load_spec(path)
    hub = hub or ("hub" if file.spec.hub else None)
    hosts = cohort_inventory(file, url=url, variables=variables, hub=hub)
    if not any(group["hosts"] for group in hosts["all"]["children"].values()):
        step = "fpgaclass cohort apply"
        raise CohortError(f"no machine of {file.spec.name} is ready", where=str(file.path), next_step=step)
    wheel = bool(
        {"environment_install": file.spec.provider != "local", **(variables or {})}["environment_install"]
    )
    with tempfile.TemporaryDirectory(prefix="fpgaclass-bundle-") as folder:
        files = _bundled(file, Path(folder), hub=hub is not None, wheel=wheel, url=url)
        for group in hosts["all"]["children"].values():
            for host in group["hosts"].values():
                host |= {name: value for name, value in files.items() if name not in (variables or {})}
        return run_playbook(hosts, listener=listener, limit=limit, defaults=defaults)


def cohort_inventory(
    file: CohortFile,
    *,
    url: str | None = None,
    variables: Mapping[str, Any] | None = None,
    hub: str | None = None,
) -> dict[str, Any]:
    """Return Ansible's inventory of a cohort, from its state and its roster."""
    spec, state = file.spec, State(url)
    cohort = state.cohort(spec.name)
    pins = Path(__file__).resolve().parents[3] / "docker" / "requirements" / "student.txt"
    people = verbs.students(file)
    common: dict[str, Any] = {
        "cohort": spec.name,
        "expires": f"{cohort.expires:%Y-%m-%dT%H:%M:%SZ}" if cohort else "",
        "board": spec.cards.board,
        "card_kind": {"local": "virtual", "aws": "f2"}.get(spec.provider, "alveo"),
        "requirements_file": str(pins) if pins.exists() else "",
        # A local host has no network to install anything from.
        "environment_install": spec.provider != "local",
        **(variables or {}),
    }
    user = {"local": "root", "aws": "ubuntu", "openstack": "ubuntu", "infn": "fpgaclass"}[spec.provider]
    rows, own = state.rows(spec.name), file.beside(spec.public_key) if spec.public_key else None
    ready = any(row.kind == "machine" and row.state == READY for row in rows)
    opening = keys.private_keys(spec.name, own) if ready else ()
    return inventory(rows, people, user=user, private_keys=opening, variables=common, hub=hub)


def _bundled(file: CohortFile, folder: Path, *, hub: bool, wheel: bool, url: str | None) -> dict[str, str]:
    """Make what the roles copy to the hosts; return the roles' variables for it."""
    made = {
        "toolkit_wheel": bundle.build_wheel(folder) if wheel else None,
        "notebooks_archive": bundle.pack_notebooks(file, folder),
        "course_archive": None,
    }
    if hub:
        students = [student.login for student in verbs.students(file)]
        made["course_archive"] = bundle.pack_course(file, students, folder)
    sent = _seats(file, folder, url) if hub else {}
    return {name: str(path) for name, path in made.items() if path is not None} | sent


def _seats(file: CohortFile, folder: Path, url: str | None) -> dict[str, str]:
    """Write the copy of the seats; return the roles' variables for it, with the second of which it is."""
    from fpgaclass.cohort.desk.posted import write_seats  # desks stand on this module

    told = int(time.time())
    return {"seats_file": str(write_seats(file, folder / "seats.json", url=url)), "seats_told": str(told)}


def send_seats(path: Path | str, *, hub: str | None = None, url: str | None = None) -> Configured:
    """Send the seats as they are now to a hub on a machine of its own, whose page shows this copy.

    Args:
        path: course.yaml, its folder, or the cohort's own file.
        hub: the key of the machine that runs the hub; None takes the cohort's own.
        url: the state's database.

    Raises:
        CohortError: there is no such hub, or it is not ready.
        ToolMissingError: Ansible is not installed.
    """
    file = load_spec(path)
    hub = hub or ("hub" if file.spec.hub else None)
    if hub is None:
        step = "name its machine with --hub; a hub on this machine needs nothing sent"
        raise CohortError("the cohort has no hub of its own", where=str(file.path), next_step=step)
    hosts = cohort_inventory(file, url=url, hub=hub)
    found = hosts["all"]["children"]["hubs"]["hosts"]
    if not found:
        raise CohortError(f"{hub} is not ready", where=file.spec.name, next_step="fpgaclass cohort status")
    with tempfile.TemporaryDirectory(prefix="fpgaclass-bundle-") as folder:
        found[hub] |= _seats(file, Path(folder), url)
        return run_playbook(hosts, "seats.yml", limit=[hub])


def card_gate(hosts: Mapping[str, Any], *, holder: str = "") -> Callable[[str], Health]:
    """Return the gate of :func:`fpgaclass.cohort.leases.hand_over`: everybody out, reset, look, holder in.

    Args:
        hosts: the inventory; a card's name is its node's key, with ``.1`` for the second card of a node.
        holder: the student who may log in on the card's node from then on; "" closes it.
    """

    def gate(card: str) -> Health:
        node, _, number = card.partition(".")
        extra = {"card": number or "0", "holder": holder}
        done = run_playbook(hosts, "card_gate.yml", limit=[node], variables=extra, timeout_s=300)
        bad = done.failed or [host for host in done.hosts if not host.ok]
        return Health(bool(done.hosts) and not bad, bad[0].failed if bad else "")

    return gate
