"""The command line of cohorts, leases and seats, end to end, on each provider that can be had here."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.cohort.port import Capabilities
from fpgaclass.cohort.providers.local import why_not
from fpgaclass.cohort.testing import FakeAws, FakeOrchestrator, MemoryCloud, MemoryProvider

pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")


Run = Callable[..., Any]


def _provide(monkeypatch: pytest.MonkeyPatch, provider: object) -> None:
    for module in ("verbs", "sweeping"):
        monkeypatch.setattr(f"fpgaclass.cohort.{module}.connect", lambda _: provider)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryCloud:
    """A cloud in memory, behind every verb."""
    cloud = MemoryCloud()
    _provide(monkeypatch, MemoryProvider(cloud))
    return cloud


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAws]:
    pytest.importorskip("moto", reason="moto is not installed")
    with FakeAws() as server:
        yield server


def test_a_plan_asks_nobody_and_says_what_it_costs(
    run: Run, course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first thing that an instructor types, maybe without any cloud's package or credentials."""
    import fpgaclass.cli.app  # noqa: F401 - the class's verbs beside it have a database of their own

    for name in ("boto3", "openstack", "ansible_runner", "sqlalchemy"):
        monkeypatch.setitem(sys.modules, name, None)
    said = run("cohort", "plan", "--course", course)
    assert said.code == 0
    assert "3 students on aws in eu-central-1" in said.out
    assert "(estimate, prices of" in said.out
    data = run("cohort", "plan", "--course", course, "--json").data
    assert data["figures"] == "estimate"
    assert len(data["resources"]) == 13
    dear = run("cohort", "plan", "--course", course, "--max-cost", 5)
    assert dear.code == 1
    assert "13" not in dear.err
    assert "max_cost is 5.00" in dear.err
    assert dear.err.count("\n") == 1, "one line"
    assert "card node" in dear.out, "and still the table, to see what makes it dear"


def test_from_nothing_to_nothing_on_aws(
    run: Run, course: Path, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every verb in an instructor's order, on the moto server; the cloud's memory is the judge."""
    from fpgaclass.cohort.providers.aws import AwsProvider

    aws.control(reset=True)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    quick = Capabilities(frozenset({"machine", "volume", "expiry"}), 0.0, 500.0, 1, 0.02)
    _provide(monkeypatch, AwsProvider("eu-central-1", endpoint=aws.endpoint, capabilities=quick))
    course.write_text(course.read_text().replace("eu-central-1a, ", ""))
    here = ("--course", course)
    _a_whole_life(run, here, lambda: len(aws.things()), 13)


def test_from_nothing_to_nothing_on_infn_cloud(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same verbs, on the double of the Orchestrator."""
    pytest.importorskip("werkzeug", reason="werkzeug is not installed")
    from fpgaclass.cohort.providers.infn import InfnProvider
    from fpgaclass.cohort.sites import Infn

    (tmp_path / "r.csv").write_text("login\nada\nemmy\nlise\n")
    path = tmp_path / "cohort.yaml"
    path.write_text(
        "name: bari27\nprovider: infn\nhours: 40\nroster: r.csv\nseat: {size: m1.large}\n"
        "cards: {size: alveo.u250, count: 1}\n"
        'infn: {orchestrator: "http://127.0.0.1", user_group: courses/fpga}\n'
    )
    monkeypatch.setenv("FPGACLASS_OIDC_TOKEN", "good")
    with FakeOrchestrator() as orchestrator:
        settings = Infn(orchestrator=orchestrator.endpoint, user_group="courses/fpga")
        quick = Capabilities(calls_per_second=500.0, workers=1, poll_s=0.02)
        _provide(monkeypatch, InfnProvider(settings, capabilities=quick))
        _a_whole_life(run, ("--course", path), lambda: len(orchestrator.things()), 4)


def _a_whole_life(run: Run, here: tuple[object, ...], count: Callable[[], int], all_: int) -> None:
    assert run("cohort", "apply", "--dry-run", *here).code == 0
    refused = run("cohort", "apply", *here)
    assert refused.code == 2
    assert "Nobody is here to answer. Next: look at the plan, then add --yes" in refused.err
    assert count() == 0, "nothing is made before somebody agreed"
    made = run("cohort", "apply", "--yes", *here)
    assert made.code == 0, made.err
    assert count() == all_
    assert f"{all_} made, 0 found from before" in made.out
    assert "seat/lise" in made.out
    assert "done    cohort" in made.err, "a line for each student where there is no terminal"
    assert (
        f"as the state knows it: {all_} there, 0 to make\n" in run("cohort", "apply", "--dry-run", *here).out
    )
    again = run("cohort", "apply", "--yes", "--json", *here)
    assert (again.data["made"], again.data["failed"]) == ([], [])
    status = run("cohort", "status", *here)
    assert "ready" in status.out
    assert "missing" not in status.out
    found = run("cohort", "status", "--json", *here).data
    assert len(found["found"]) == all_
    assert found["missing"] == found["unknown"] == []
    cost = run("cohort", "cost", *here)
    assert "(estimates)" in cost.out
    assert run("cohort", "cost", "--json", *here).data["an_hour"] >= 0
    assert "would go" in run("cohort", "sweep", "--dry-run", *here).out
    assert run("cohort", "sweep", "--json", *here).data["removed"] == []
    assert run("seats", *here).code == 0
    assert run("cohort", "destroy", *here).code == 2
    assert count() == all_, "nothing goes before somebody agreed"
    gone = run("cohort", "destroy", "--yes", *here)
    assert gone.code == 0
    where = r"(aws eu-central-1 \(account 123456789012\)|infn http://127\S+ courses/fpga)"
    assert re.search(f"the last look at {where} showed nothing", gone.out)
    assert count() == 0
    late = run("lease", "book", "--student", "ada", *here)
    assert "the cohort was destroyed" in late.err
    assert run("cohort", "destroy", *here).code == 0, "where nothing is, nothing is asked"


@pytest.mark.skipif(bool(why_not()[0]), reason=why_not()[0] or "can be tested here")
def test_from_nothing_to_a_turn_on_a_card_on_this_machine(run: Run, tmp_path: Path) -> None:
    """What docs/cohort.md promises: real hosts, Ansible, a booking that opens the card's node."""
    pytest.importorskip("ansible_runner", reason="ansible-runner is not installed")
    key = tmp_path / "student"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text().strip()
    (tmp_path / "roster.csv").write_text(f"login,public_key\nada,{public}\n")
    path = tmp_path / "cohort.yaml"
    path.write_text(f"name: cli-{os.getpid()}\nhours: 4\nroster: roster.csv\ncards: {{count: 1}}\n")
    here = ("--course", path)
    try:
        assert run("cohort", "apply", *here).code == 0, "it costs nothing, so that nobody is asked"
        done = run("cohort", "configure", "--json", *here)
        assert done.code == 0, done.out
        assert all(host["changed"] > 5 for host in done.data["hosts"])
        again = run("cohort", "configure", *here)
        assert [line.split()[3] for line in again.out.splitlines()[1:3]] == ["0", "0"], "nothing changes"
        refused = run("cohort", "configure", "--limit", "seat/bob", *here)
        assert "no machine is called seat/bob. Next: one of: seat/ada, card/0" in refused.err
        seat = run("seats", "ada", "--json", *here).data["seats"][0]
        node = run("cohort", "status", "--json", *here).data["rows"][0]["address"]
        assert _login(key, seat["connect"].removeprefix("ssh ")) == "ada"
        assert _login(key, f"ada@{node}") == "", "nobody holds the card, nobody gets in"
        now = datetime.now(UTC).isoformat()
        asked = ("--slots", 4, "--at", now)  # without a time it might be the next half hour
        lease = run("lease", "book", "--student", "ada", *asked, "--json", *here).data["lease"]
        assert run("lease", "begin", lease["identity"], "--student", "ada", *here).code == 0
        text = run("seats", "ada", *here).out
        assert f"ssh ada@{node}" in text
        assert _login(key, f"ada@{node}") == "ada"
        assert run("lease", "release", lease["identity"], *here).code == 0
        assert _login(key, f"ada@{node}") == "", "given back is closed"
    finally:
        assert run("cohort", "destroy", "--yes", *here).code == 0


def _login(key: Path, place: str) -> str:
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    asked = ["ssh", *options, "-o", "BatchMode=yes", "-i", str(key), place, "id -un"]
    return subprocess.run(asked, capture_output=True, text=True, timeout=60).stdout.strip()


def test_bookings_from_the_terminal(run: Run, course: Path, memory: MemoryCloud) -> None:
    """Book, look, wait, leave, release, block, mend: each verb once, each with its table or its data."""
    here = ("--course", course)
    assert run("cohort", "apply", "--yes", *here).code == 0
    assert "nothing is booked" in run("lease", "list", *here).out
    lease = run("lease", "book", "--student", "ada", "--slots", 2, "--json", *here).data["lease"]
    assert lease["card"] == "card/0"
    text = run("lease", "list", *here).out
    assert lease["identity"] in text
    assert "Europe/Rome" in text
    assert run("lease", "next", "--student", "ada", "--json", *here).data["lease"] == lease
    late = run("lease", "book", "--student", "emmy", "--at", "2020-01-01T10:00", *here)
    assert "2020-01-01 10:00 CET is over" in late.err
    assert (late.code, late.err.count("\n")) == (1, 1)
    assert run("lease", "next", "--student", "emmy", "--json", *here).data == {"lease": None, "waiting": None}
    assert "was not on" in run("lease", "leave", "--student", "emmy", *here).out
    wrong = run("lease", "release", lease["identity"], "--student", "emmy", *here)
    assert f"no open lease {lease['identity']} of emmy" in wrong.err
    assert run("lease", "release", lease["identity"], "--student", "ada", *here).code == 0
    moved = run("lease", "block", "card/0", "2099-01-01T10:00", "2099-01-01T12:00", "--note", "x", *here)
    assert moved.code == 0
    gap = run("lease", "book", "--student", "ada", "--at", "2027-03-28T02:30", *here)
    assert (gap.code, gap.err.count("\n")) == (2, 1)
    assert "clocks are put forward over it" in gap.err
    assert "out of use" in run("lease", "health", "card/0", "--broken", "hot", *here).out
    other = run("lease", "book", "--student", "ada", "--json", *here).data["lease"]
    assert other["card"] == "card/1"
    assert memory.things


@pytest.mark.usefixtures("memory")
def test_a_block_is_told_to_who_lost_their_time(run: Run, course: Path) -> None:
    """What was, why, and what is now: to the student in each place where they look, and to the instructor."""
    here = ("--course", course)
    run("cohort", "apply", "--yes", *here)
    lease = run("lease", "book", "--student", "ada", "--json", *here).data["lease"]
    times = (lease["begins"].replace(" ", "T"), lease["ends"].replace(" ", "T"))
    assert "ada" in run("lease", "block", lease["card"], *times, "--note", "a lecture", *here).out
    seat = run("seats", "ada", *here).out
    assert re.search(rf"lost +{lease['card']}, .*: a lecture\n +card +card/", seat)
    assert run("seats", "ada", "--json", *here).data["seats"][0]["lost"][0]["identity"] == lease["identity"]
    listed = run("lease", "list", *here).out
    assert re.search(rf"taken away on {lease['card']} \(a lecture\): ada ", listed)
    assert "lost" not in run("seats", "emmy", *here).out


def test_a_cohort_is_not_looked_for_elsewhere(run: Run, course: Path, memory: MemoryCloud) -> None:
    """Another region in the file shows nothing of what is there: it would be forgotten, and go on costing."""
    here = ("--course", course)
    assert run("cohort", "apply", "--yes", *here).code == 0
    before, count = course.read_text(), len(memory.things)
    course.write_text(before.replace("eu-central-1", "eu-west-2"))
    for words in (["status"], ["apply", "--yes"], ["apply", "--dry-run"], ["destroy", "--yes"]):
        said = run("cohort", *words, *here)
        assert (said.code, said.err.count("error: ")) == (1, 1)
        assert "cohort spring27 is on aws eu-central-1, not on aws eu-west-2" in said.err
        assert "Next: have the file say aws eu-central-1 again" in said.err
    swept = run("cohort", "sweep", "--dry-run", "--json", *here).data
    assert (len(swept["removed"]), swept["living"]) == (0, 0), "a sweep there knows nothing of it"
    assert len(memory.things) == count
    from fpgaclass.cohort.state import State
    from fpgaclass.cohort.tables import accounts, places

    with State().engine.begin() as connection:
        for table in (accounts, places):
            table.drop(connection)  # a state that was made without it
    course.write_text(before)
    assert run("cohort", "apply", "--yes", *here).code == 0
    assert State().places() == {"spring27": "aws eu-central-1"}
    assert State().accounts() == {"spring27": memory.account}
    with State().engine.begin() as connection:
        connection.execute(accounts.delete())
    memory.things.clear()  # the same from here: another account, or all of it removed by hand
    asked = run("cohort", "destroy", *here)
    assert (asked.code, "of another account they live on there" in asked.err) == (2, True)
    assert run("cohort", "destroy", "--yes", *here).code == 0
    course.write_text(before.replace("eu-central-1", "eu-west-2"))
    assert run("cohort", "apply", "--yes", *here).code == 0, "what is destroyed may move"


def test_seats_in_another_zone(run: Run, course: Path, memory: MemoryCloud) -> None:
    """A student abroad reads their own clock; a zone that is none is one line."""
    here = ("--course", course)
    run("cohort", "apply", "--yes", *here)
    assert "Asia/Tokyo" in run("seats", "ada", "--timezone", "Asia/Tokyo", *here).out
    wrong = run("seats", "--timezone", "Mars/Base", *here)
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    nobody = run("seats", "nobody", *here)
    assert "no student of spring27 is called nobody" in nobody.err
    assert memory.things


def test_somebody_at_a_terminal_is_asked(course: Path, tmp_path: Path) -> None:
    """Before money is spent: no is no, and nothing was done."""
    main, end = pty.openpty()
    os.write(main, b"n\n")
    code = (
        "import sys; from fpgaclass.cohort.testing import MemoryCloud, MemoryProvider;"
        "import fpgaclass.cohort.verbs as v; v.connect = lambda _: MemoryProvider(MemoryCloud());"
        f"sys.argv = ['fpgaclass', 'cohort', 'apply', '--course', {str(course)!r}];"
        "from fpgaclass.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=end, capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    os.close(main)
    os.close(end)
    assert done.returncode == 1
    assert "Make this on aws, for" in done.stderr
    assert "nothing was done" in done.stderr


@pytest.mark.parametrize("presses", [1, 3, 12])
def test_ctrl_c_in_an_apply_loses_nothing(course: Path, presses: int) -> None:
    """Whoever presses Ctrl-C is told how to go on; what was asked for is known, and no more is asked for.

    An impatient hand changes nothing of that: no traceback, the same exit.
    """
    code = (
        "import os, signal, sys, time, pickle\n"
        "from pathlib import Path\n"
        "from fpgaclass.cohort.testing import MemoryCloud, MemoryProvider\n"
        "import fpgaclass.cohort.verbs as v\n"
        "cloud = MemoryCloud(); provider = MemoryProvider(cloud)\n"
        "create = provider.create\n"
        f"presses = iter(range({presses}))\n"
        "def slow(order):\n"
        "    if order.resource.kind == 'machine':\n"
        "        for _ in presses:\n"
        "            os.kill(os.getpid(), signal.SIGINT); time.sleep(0.2)\n"
        "        time.sleep(1)\n"
        "    return create(order)\n"
        "provider.create = slow\n"
        "v.connect = lambda _: provider\n"
        f"sys.argv = ['fpgaclass', 'cohort', 'apply', '--yes', '--course', {str(course)!r}]\n"
        "from fpgaclass.cli import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 130, done.stderr
    assert "cohort apply goes on" in done.stderr
    assert "Traceback" not in done.stderr
    from fpgaclass.cohort.state import State

    states = {row.state for row in State().rows("spring27") if row.kind == "volume"}
    assert states == {"planned"}, "what had not begun did not begin"


@pytest.mark.parametrize("verb", ["destroy", "sweep"])
def test_ctrl_c_while_things_are_removed_leaves_none_behind(course: Path, verb: str) -> None:
    """One line that says how to go on, and the same command again finishes."""
    if verb == "sweep":
        course.write_text(course.read_text().replace("hours: 40", "hours: 0.0001").replace(", hours: 10", ""))
    code = (
        "import signal, sys\n"
        "from fpgaclass.cohort.testing import MemoryCloud, MemoryProvider\n"
        "import fpgaclass.cohort.sweeping as s, fpgaclass.cohort.verbs as v\n"
        "from fpgaclass.cli import main\n"
        "cloud = MemoryCloud(); provider = MemoryProvider(cloud)\n"
        "s.connect = v.connect = lambda _: provider\n"
        "presses = iter([signal.SIGINT])\n"
        "delete = provider.delete\n"
        "def pressed(found):\n"
        "    done = delete(found[:2])\n"
        "    for number in presses:\n"
        "        signal.raise_signal(number)\n"
        "    return done | delete(found[2:])\n"
        "provider.delete = pressed\n"
        "def run(*words):\n"
        f"    sys.argv = ['fpgaclass', 'cohort', *words, '--course', {str(course)!r}]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as ended:\n"
        "        print(words[0], ended.code, len(cloud.things), flush=True)\n"
        "run('apply', '--yes')\n"
        "import time; time.sleep(1.5)\n"  # until what lives for 0.36 s is over, to the second that tags have
        f"run('{verb}', '--yes')\n"
        f"run('{verb}', '--yes')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr
    assert len(re.findall(rf"cut off; .*fpgaclass cohort {verb} goes on", done.stderr)) == 1, done.stderr
    said = [line.split() for line in done.stdout.splitlines() if line.startswith(("apply", verb))]
    assert [(word, code) for word, code, _ in said] == [("apply", "0"), (verb, "130"), (verb, "0")]
    left = [int(count) for _, _, count in said]
    assert 0 < left[1] < left[0], "it was cut off in the midst of it"
    assert left[2] == 0


def test_what_is_missing_is_said_with_the_remedy(
    run: Run, course: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Outside of a clone: which package, and what to type; in a clone the pins are taken."""
    from fpgaclass.cli import machine

    found = machine.importlib.util.find_spec
    monkeypatch.setattr(
        machine.importlib.util, "find_spec", lambda name: None if name == "boto3" else found(name)
    )
    monkeypatch.setattr(machine, "requirements", lambda: tmp_path)
    said = run("cohort", "status", "--course", course)
    assert said.code == 1
    assert "boto3 not installed" in said.err
    assert "Next: pip install 'fpgaclass[cohort]'" in said.err
    (tmp_path / "cohort.txt").write_text("")
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(machine, "_pip", lambda _, pins, package: asked.append((pins, package)))
    machine.ensure_packages("what a cohort needs", "cohort", ("boto3",))
    assert asked == [("cohort.txt", "fpgaclass[cohort]")]


def test_a_timer_where_there_is_a_systemd(
    run: Run, course: Path, memory: MemoryCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The layer of expiry above the machines' own: installed once, taken away with the cohort."""
    control = tmp_path / "bin" / "systemctl"
    control.parent.mkdir()
    control.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$2" = is-system-running ] && echo running\nexit 0\n'
    )
    control.chmod(0o755)
    login = control.parent / "loginctl"
    login.write_text("#!/bin/sh\necho yes\n")
    login.chmod(0o755)
    monkeypatch.setenv("PATH", f"{control.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("fpgaclass.cohort.timer.os.geteuid", lambda: 1000)
    here = ("--course", course)
    run("cohort", "apply", "--yes", *here)
    assert run("cohort", "sweep", "--install-timer", *here).code == 0
    units = tmp_path / "config" / "systemd" / "user"
    service = (units / "fpgaclass-sweep-spring27.service").read_text()
    assert f"cohort sweep --yes --course {course}" in service
    kept = units / "fpgaclass-sweep-spring27.env"
    assert f"EnvironmentFile={kept}\n" in service
    assert f'FPGACLASS_STATE="{os.environ["FPGACLASS_STATE"]}"' in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "start fpgaclass-sweep-spring27.service" in (tmp_path / "asked").read_text()
    assert "enable --now fpgaclass-sweep-spring27.timer" in (tmp_path / "asked").read_text()
    login.write_text("#!/bin/sh\necho no\n")
    said = run("cohort", "sweep", "--install-timer", *here)
    assert (said.code, "end when you log out" in said.err, "enable-linger" in said.err) == (1, True, True)
    control.write_text(control.read_text().replace("exit 0", '[ "$2" != start ]'))
    said = run("cohort", "sweep", "--install-timer", *here)
    assert (said.code, "its first sweep failed" in said.err, "journalctl --user -u" in said.err) == (
        1,
        True,
        True,
    )
    run("cohort", "destroy", "--yes", *here)
    assert not list(units.iterdir())
    assert not memory.things
    control.write_text("#!/bin/sh\necho offline\nexit 1\n")
    said = run("cohort", "sweep", "--install-timer", *here)
    assert said.code == 1
    assert "crontab -e, and add: 17 * * * *" in said.err


def test_a_machine_without_sshd_says_so(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """openssh-server is what a usual laptop lacks: apply and doctor name it, with the command."""
    from fpgaclass.cli import doctor
    from fpgaclass.cohort.providers import local

    monkeypatch.setattr(local, "_program", lambda name: None if name == "sshd" else f"/bin/{name}")
    (tmp_path / "r.csv").write_text("login\nada\n")
    path = tmp_path / "cohort.yaml"
    path.write_text("name: c27\nhours: 1\nroster: r.csv\n")
    said = run("cohort", "apply", "--course", path)
    where = "(looked in: local). Next: apt-get install openssh-server"
    assert said.err == f"error: sshd is not on this machine {where}\n"
    check = next(check for check in doctor.examine() if check.name == "local hosts")
    assert (check.state, check.fix) == (doctor.LIMITED, "apt-get install openssh-server")


def test_every_verb_and_key_is_in_the_documentation() -> None:
    """A feature that is not documented does not exist; and what is gone must go from the page, too."""
    from fpgaclass.cli import cohort, lease
    from fpgaclass.cohort.spec import Cards, CohortSpec, LeaseRules, Seat

    page = (Path(__file__).parents[2] / "docs" / "cohort.md").read_text()
    verbs = {"seats"}
    for group in (cohort.app, lease.app):
        for command in group.registered_commands:
            assert command.callback is not None
            verbs.add(f"{group.info.name} {command.name or command.callback.__name__}")
    documented = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    assert verbs <= documented
    for model in (CohortSpec, Seat, Cards, LeaseRules):
        for key in model.model_fields:
            assert f"`{key}`" in page or f"{key}:" in page, key


@pytest.mark.usefixtures("memory")
def test_a_host_that_was_not_set_up_is_named_with_the_way_on(
    run: Run, course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are done; only this one is to be run again."""
    from fpgaclass import cohort as room

    course.write_text(course.read_text().replace("eu-central-1a, ", ""))
    assert run("cohort", "apply", "--yes", "--course", course).code == 0
    dead = room.Configured(
        (room.HostResult("seat/ada", 9, 0), room.HostResult("seat/emmy", 0, 0, "gone")), 1.0
    )
    monkeypatch.setattr(room, "configure", lambda *_, **__: dead)
    ended = run("cohort", "configure", "--course", course)
    assert ended.code == 1
    assert "1 could not be set up. Next: " in ended.err
    assert "cohort configure --limit seat/emmy" in ended.err
