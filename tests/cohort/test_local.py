"""Real hosts on this machine: namespaces, sshd, Ansible to the end, and nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fpgaclass.cohort import hosts as setup
from fpgaclass.cohort import keys, playbook, verbs
from fpgaclass.cohort.errors import CohortError
from fpgaclass.cohort.leases import LeaseBook, hand_over
from fpgaclass.cohort.playbook import Task, run_playbook
from fpgaclass.cohort.providers.local import LocalProvider, why_not
from fpgaclass.cohort.spec import load_spec

pytestmark = pytest.mark.skipif(bool(why_not()[0]), reason=why_not()[0] or "can be tested here")

PINS = Path(__file__).parents[2] / "docker" / "requirements" / "student.txt"


def _cohort(folder: Path, seats: int, cards: int) -> Path:
    (folder / "roster.csv").write_text("login\n" + "".join(f"student{n}\n" for n in range(seats)))
    path = folder / "cohort.yaml"
    name = f"test-{os.getpid()}-{folder.name[-20:].replace('_', '-').strip('-')}"[:30].lower().rstrip("-")
    path.write_text(f"name: {name}\nhours: 1\nroster: roster.csv\ncards: {{count: {cards}}}\n")
    return path


@pytest.fixture
def cohort(tmp_path: Path) -> Iterator[Callable[[int, int], Path]]:
    made: list[Path] = []

    def make(seats: int, cards: int) -> Path:
        made.append(_cohort(tmp_path, seats, cards))
        return made[-1]

    yield make
    for path in made:
        assert verbs.destroy(path).audit == ()


def _ssh(path: Path, address: str, command: str) -> str:
    key = keys.private_key(load_spec(path).spec.name)
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    asked = ["ssh", *options, "-i", str(key), f"root@{address}", command]
    return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_hosts_are_apart_and_go_without_a_trace(cohort: Callable[[int, int], Path]) -> None:
    """Each has its own files, name and processes; what a student does there stays there, and then goes."""
    path = cohort(2, 0)
    done = verbs.apply(path, timeout_s=60)
    assert not done.failed
    first, second = (row.address for row in done.rows)
    assert _ssh(path, first, "hostname") == "seat-student0"
    _ssh(path, first, "touch /etc/mine")
    assert _ssh(path, second, "ls /etc/mine 2>/dev/null || echo none") == "none"
    assert not Path("/etc/mine").exists()
    again = verbs.apply(path, timeout_s=60)
    assert (again.made, again.removed) == ((), ())
    verbs.destroy(path)
    namespaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    assert not [row.identity for row in done.rows if row.identity and row.identity in namespaces]
    assert not [row.identity for row in done.rows if Path(f"/run/fpgaclass/{row.identity}").exists()]


def test_the_instructor_s_own_key_opens_the_hosts(cohort: Callable[[int, int], Path]) -> None:
    """Its private half is beside it or in an agent; the pair of another apply does not stand before it."""
    pytest.importorskip("ansible_runner", reason="ansible-runner is not installed")
    path = cohort(1, 0)
    mine = path.parent / "my key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(mine)], check=True)
    path.write_text(path.read_text() + 'public_key: "my key.pub"\n')
    verbs.apply(path, timeout_s=60)
    name = load_spec(path).spec.name
    made = keys.private_key(name)
    assert not made.exists()
    assert setup.configure(path).failed == ()
    public = mine.with_suffix(".pub")
    assert keys.private_keys(name, public) == (mine,)
    made.write_text("of an earlier apply, which does not open it\n")
    assert keys.private_keys(name, public) == (made, mine)
    assert setup.configure(path).failed == ()
    mine.unlink()
    made.unlink()
    assert keys.private_keys(name, public) == (public,), "an agent has it, perhaps"
    with pytest.raises(CohortError, match=f"the key that opens {name} is not here"):
        keys.private_keys(name, None)


def test_a_killed_host_is_made_anew(cohort: Callable[[int, int], Path]) -> None:
    """The inventory looks at the process, not at a note that it was started."""
    path = cohort(1, 0)
    row = verbs.apply(path, timeout_s=60).rows[0]
    found = LocalProvider().inventory(load_spec(path).spec.name)[0]
    assert found.status == "ready"
    pids = subprocess.run(["ip", "netns", "pids", str(row.identity)], capture_output=True, text=True).stdout
    for pid in pids.split():
        subprocess.run(["kill", "-9", pid], check=False)
    again = verbs.apply(path, timeout_s=60)
    assert not again.failed
    assert _ssh(path, again.rows[0].address, "hostname") == "seat-student0"


@pytest.mark.proof
def test_a_student_s_links_lead_root_nowhere(cohort: Callable[[int, int], Path]) -> None:
    """On a card's node that is shared, ``~/.ssh`` as a link to root's would make its owner root."""
    pytest.importorskip("ansible_runner", reason="ansible-runner is not installed")
    path = cohort(1, 0)
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"
    (path.parent / "roster.csv").write_text(f"login,public_key\nstudent0,{key} me@laptop\n")
    address = verbs.apply(path, timeout_s=60).rows[0].address
    assert not setup.configure(path).failed
    assert _ssh(path, address, "cat /home/student0/.ssh/authorized_keys") == key
    assert _ssh(path, address, "stat -c '%U %a' /home/student0/.ssh /home/student0/.ssh/*").split() == [
        "student0",
        "700",
        "student0",
        "600",
    ]
    assert sum(host.changed for host in setup.configure(path).hosts) == 0
    before = _ssh(path, address, "stat -c '%U %a' ~root/.ssh; cat ~root/.ssh/authorized_keys")
    _ssh(path, address, "cd /home/student0 && rm -r .ssh && ln -s ~root/.ssh .ssh")
    assert setup.configure(path).failed, "and it is told"
    assert _ssh(path, address, "stat -c '%U %a' ~root/.ssh; cat ~root/.ssh/authorized_keys") == before


@pytest.mark.proof
@pytest.mark.parametrize("presses", [1, 5])
def test_ctrl_c_ends_ansible_and_says_how_to_go_on(cohort: Callable[[int, int], Path], presses: int) -> None:
    """No page of Ansible's own words, no Ansible that runs on; the same verb again finishes."""
    pytest.importorskip("ansible_runner", reason="ansible-runner is not installed")
    path = cohort(1, 0)
    assert not verbs.apply(path, timeout_s=60).failed
    code = (
        "import os, signal, sys\n"
        "from contextlib import contextmanager\n"
        "from fpgaclass import cohort\n"
        f"presses = iter(range({presses}))\n"
        "@contextmanager\n"
        "def pressing(hosts):\n"
        "    yield lambda task: next(presses, None) is None or os.kill(os.getpid(), signal.SIGINT)\n"
        "cohort.configure_progress = pressing\n"
        f"sys.argv = ['fpgaclass', 'cohort', 'configure', '--course', {str(path)!r}]\n"
        "from fpgaclass.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 130, done.stderr
    assert done.stderr.strip().endswith("cohort configure goes on")
    assert "Traceback" not in done.stderr
    assert "TASK" not in done.stderr
    assert not setup.configure(path).failed
    assert sum(host.changed for host in setup.configure(path).hosts) == 0


def test_the_runner_gives_the_signals_back() -> None:
    """Ctrl-C during Ansible is a flag for it and an interrupt at its end; afterwards it is as before."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    seen: list[bool] = []

    def run() -> None:
        with playbook._stoppable() as stopped:
            assert stopped is not None
            seen.append(stopped())
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            seen.append(stopped())

    with pytest.raises(KeyboardInterrupt):
        run()
    assert seen == [False, True]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.proof
def test_ten_hosts_from_nothing_to_nothing(cohort: Callable[[int, int], Path]) -> None:
    """The whole way: Ansible to the end, a second run changes nothing, a dead host is named, a gate."""
    pytest.importorskip("ansible_runner", reason="ansible-runner is not installed")
    path = cohort(8, 2)
    assert not verbs.apply(path, timeout_s=120).failed
    tasks: list[Task] = []
    done = setup.configure(path, listener=tasks.append)
    assert not done.failed
    assert len(done.hosts) == 10
    assert all(host.changed > 5 for host in done.hosts)
    assert {task.host for task in tasks} == {host.host for host in done.hosts}, "events for a bar of each"

    address = next(r.address for r in verbs.status(path).rows if r.key == "seat/student3")
    assert _ssh(path, address, "id -un student3; stat -c %a /home/student3") == "student3\n700"
    assert (
        _ssh(path, address, "cat /opt/fpgaclass/student.txt | sha256sum").split()[0]
        == (subprocess.run(["sha256sum", str(PINS)], capture_output=True, text=True).stdout.split()[0])
    )

    hosts = setup.cohort_inventory(load_spec(path))
    hosts["all"]["children"]["seats"]["hosts"]["seat/dead"] = {"ansible_host": "10.66.0.250", "students": []}
    again = run_playbook(hosts)
    assert sum(host.changed for host in again.hosts) == 0, "a second run changes nothing"
    assert [host.host for host in again.failed] == ["seat/dead"]
    assert "not reached" in again.failed[0].failed

    when = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    book = LeaseBook(load_spec(path).spec.name, clock=lambda: when)
    book.ensure_cards(["card/0", "card/1"])
    lease = book.book("student0")
    node = next(r.address for r in verbs.status(path).rows if r.key == "card/0")
    _ssh(path, node, "for x in /tmp /var/tmp; do install -o student0 -g students /dev/null $x/left; done")
    _ssh(
        path, node, "runuser -u student0 -- sh -c 'while :; do sleep 9 & sleep 0.01; done' > /dev/null 2>&1 &"
    )
    begun = hand_over(book, lease.identity, setup.card_gate(hosts), student="student0")  # type: ignore[union-attr]
    assert begun.card == "card/0"
    assert _ssh(path, node, "ls /tmp/left /var/tmp/left 2>/dev/null || echo gone") == "gone"
    assert _ssh(path, node, "ps -o stat= -u student0 | grep -v ^Z || echo gone") == "gone"

    _ssh(path, node, "rm /etc/fpgaclass/expires")  # what the health check of a virtual card looks at
    book.release(begun.identity)
    other = book.book("student1")
    moved = hand_over(book, other.identity, setup.card_gate(hosts), student="student1")  # type: ignore[union-attr]
    assert moved.card == "card/1", "the broken card is handed to nobody"
