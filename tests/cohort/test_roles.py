"""The Ansible roles, run to their end on real hosts of this machine: real apt, real pip, stand-in packages.

What needs a vendor's hardware or the network is in packages made here: the same modules install them, from a
repository and a wheelhouse on disk.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from fpgaclass.cohort import bundle, verbs
from fpgaclass.cohort import hosts as setup
from fpgaclass.cohort.leases import hand_over
from fpgaclass.cohort.places import provisioning
from fpgaclass.cohort.providers.local import why_not
from fpgaclass.cohort.seat import open_leases
from fpgaclass.cohort.spec import load_spec

Shell = Callable[[Path], Callable[[str, str], str]]
ANSIBLE = provisioning("ansible")
WHY = why_not()[0] or ("" if shutil.which("dpkg-deb") else "dpkg-deb is not on this machine")
needs_hosts = pytest.mark.skipif(bool(WHY), reason=WHY or "can be tested here")

XBUTIL = """#!/bin/sh
echo "$@" >> /var/log/xbutil
[ "$1" = examine ] && echo "[0000:03:00.1]  : xilinx_u250_gen3x16_xdma_shell_4_1"
[ "$1" = validate ] && [ -e /etc/card-is-hot ] && { echo "the card is hot" >&2; exit 1; }
exit 0
"""
DOCKER = """#!/bin/sh
mkdir -p /var/lib/images
case "$1" in
  pull) touch "/var/lib/images/$2"; echo "$2" >> /var/log/pulled ;;
  image) for last; do :; done; [ -e "/var/lib/images/$last" ] || exit 1 ;;
esac
"""

LOOK = """
import re, sys, httpx
web = httpx.Client(base_url="http://127.0.0.1:8000", follow_redirects=True, timeout=60, trust_env=False)
form = re.search(r'name="_xsrf" value="([^"]+)"', web.get("/hub/login").text)[1]
web.post("/hub/login", data={"_xsrf": form, "username": sys.argv[1], "password": sys.argv[2]})
print(web.get("/services/seats/").text)
"""


def _debian(folder: Path, name: str, files: dict[str, str]) -> Path:
    """Make a package that apt takes."""
    tree = folder / name
    for path, text in {**files, "DEBIAN/control": _control(name)}.items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755)
    made = folder / f"{name}_1_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-b", str(tree), str(made)], check=True, capture_output=True
    )
    shutil.rmtree(tree)
    return made


def _control(name: str) -> str:
    about = "Maintainer: t <t@example.org>\nDescription: stand-in\n"
    return f"Package: {name}\nVersion: 99\nArchitecture: all\n{about}"


def _wheel(folder: Path) -> tuple[Path, str]:
    """Make a wheel, and the pin that a requirements file has for it."""
    made = folder / "onepin-1.0-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("onepin.py", "answer = 42\n")
        archive.writestr(
            "onepin-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: onepin\nVersion: 1.0\n"
        )
        archive.writestr(
            "onepin-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("onepin-1.0.dist-info/RECORD", "")
    return made, f"onepin==1.0 --hash=sha256:{hashlib.sha256(made.read_bytes()).hexdigest()}\n"


@pytest.fixture
def store() -> Iterator[Path]:
    """A folder that local hosts see: their /tmp is their own."""
    folder = Path(tempfile.mkdtemp(prefix="fpgaclass-roles-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Path]:
    """A course with a seat, a node with a card and a hub, on this machine."""
    lab = tmp_path / "notebooks" / "01_square"
    lab.mkdir(parents=True)
    (lab / "01_square.ipynb").write_text("{}")
    (lab / "lab.py").write_text("# the solution\n")
    path = tmp_path / "course" / "course.yaml"
    path.parent.mkdir()
    (path.parent / "roster.csv").write_text("login,email\nada,ada@example.org\n")
    path.write_text(
        "course_id: roles101\ntitle: Roles\ninstructors: [teacher]\nlabs: [{name: 01_square, points: 1}]\n"
        f"cohort: {{name: roles-{os.getpid()}, hours: 4, roster: roster.csv, cards: {{count: 1}}, "
        "hub: {}}\n"
    )
    yield path
    assert verbs.destroy(path).audit == ()


@needs_hosts
@pytest.mark.proof
def test_every_role_to_its_end(course: Path, store: Path, tmp_path: Path, shell: Shell) -> None:
    """Environment, Docker, XRT, hub, card node: the first run is well, the second changes nothing."""
    pytest.importorskip("ansible_runner", reason="ansible-runner is not installed")
    wheel, pin = _wheel(store)
    (tmp_path / "pins.txt").write_text(pin)
    docker = _debian(store, "docker.io", {"usr/local/bin/docker": DOCKER})
    xrt = _debian(store, "xrt", {"opt/xilinx/xrt/setup.sh": "", "usr/local/bin/xbutil": XBUTIL})
    size, digest = docker.stat().st_size, hashlib.sha256(docker.read_bytes()).hexdigest()
    index = f"{_control('docker.io')}Filename: ./{docker.name}\nSize: {size}\nSHA256: {digest}\n"
    (store / "Packages").write_text(index)
    assert not verbs.apply(course, timeout_s=120).failed
    on = shell(course)
    for machine in ("seat/ada", "hub"):
        on(
            machine,
            "rm -rf /etc/apt/sources.list.d/* /var/lib/apt/periodic/*; "
            "find /var/lib/apt/lists -maxdepth 1 -type f -delete; "
            f"echo 'deb [trusted=yes] file:{store} ./' > /etc/apt/sources.list; "
            "touch -d 2000-01-01 /var/lib/apt/lists",  # or apt's module takes the empty lists for fresh
        )
    variables = {
        "environment_install": True,
        "environment_packages": [],
        "environment_python": "/usr/bin/python3",
        "environment_wheels": str(store),
        "requirements_file": str(tmp_path / "pins.txt"),
        "docker_images": ["course:1"],
        "docker_service": False,
        "hub_service": False,
        "card_kind": "alveo",
        "xrt_packages": [str(xrt)],
    }
    if toolkit := bundle.build_wheel(tmp_path):
        variables["toolkit_wheel"] = str(toolkit)  # of the tree at this moment, for both runs
    done = setup.configure(course, variables=variables)
    assert not done.failed, done.failed
    again = setup.configure(course, variables=variables)
    assert [(host.host, host.changed) for host in again.hosts if host.changed] == []

    python = "/opt/fpgaclass/environment/bin/python"
    assert on("seat/ada", f"{python} -c 'import onepin; print(onepin.answer)'") == "42"
    assert wheel.exists()
    if toolkit:
        here = f"cd /; {python} -c 'import importlib.util as i; print(i.find_spec(\"fpgaclass\").origin)'"
        origin = on("seat/ada", here)
        assert origin.startswith("/opt/fpgaclass/environment/lib/")
        assert not on("seat/ada", f"find {Path(origin).parent} -name demo"), "the solutions are not there"
    assert on("seat/ada", "ls /home/ada/notebooks/01_square") == "01_square.ipynb"
    assert on("seat/ada", "cat /var/log/pulled") == "course:1", "pulled once"
    on(
        "seat/ada",
        f"echo broken > /opt/fpgaclass/student.txt; rm {python.removesuffix('python')}../.installed",
    )
    assert not setup.configure(course, variables=variables, limit=["seat/ada"]).failed, "and mended"

    assert on("hub", "stat -c %a /srv/fpgaclass") == "700"
    told = on("hub", "cat /srv/fpgaclass/course/course.yaml; ls /srv/fpgaclass/notebooks/01_square")
    assert "- ada" in told
    assert "lab.py" in told
    assert "roles-" not in told, "the cohort's part stays with the instructor"
    assert "example.org" not in told, "addresses stay with the instructor"
    assert "fpgaclass up --course /srv/fpgaclass/course/course.yaml" in on(
        "hub", "cat /etc/systemd/system/fpgaclass-hub.service"
    )

    book = open_leases(course)
    lease = book.book("ada", 4, at=datetime.now(UTC))
    gate = setup.card_gate(setup.cohort_inventory(load_spec(course), variables=variables), holder="ada")
    assert hand_over(book, lease.identity, gate, student="ada").state == "active"  # type: ignore[union-attr]
    log = on("card/0", "cat /var/log/xbutil")
    assert "reset --force --device 0000:03:00.1" in log
    assert log.index("reset") < log.rindex("validate --run quick --device 0000:03:00.1")
    on("card/0", "touch /etc/card-is-hot")
    health = gate("card/0")
    assert not health.ok
    assert "Look at the card: the card is hot" in health.note


@needs_hosts
@pytest.mark.proof
def test_the_hub_s_service_brings_the_class_up(course: Path, shell: Shell) -> None:
    """The command of the unit, run on a host of its own: it has no systemd, the rest is as on a cloud."""
    pytest.importorskip("ansible_runner", reason="ansible-runner is not installed")
    shutil.copy(
        Path(__file__).parents[1] / "classroom" / "data" / "lab.txt",
        course.parents[1] / "notebooks" / "01_square" / "lab.py",
    )
    course.write_text(course.read_text().replace("points: 1", "points: 3"))
    assert not verbs.apply(course, timeout_s=120).failed
    variables = {"hub_service": False, "environment_path": str(Path(sys.executable).parents[1])}
    assert not setup.configure(course, variables=variables).failed
    on = shell(course)
    unit = on("hub", "cat /etc/systemd/system/fpgaclass-hub.service")
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart=")).removeprefix(
        "ExecStart="
    )
    on(
        "hub",
        f"cd /; PATH=/usr/bin:/bin:/usr/sbin nohup {command} > /var/log/class 2>&1 & sleep 1",
    )
    try:
        said = on(
            "hub",
            "for n in $(seq 60); do curl -fs http://127.0.0.1:8000/hub/health && break; sleep 1; done; "
            "cat /var/log/class",
        )
        assert "student     ada" in said
        assert "http://127.0.0.1:8000" in said
        words = [line.split() for line in said.splitlines()]
        password = next(line[2] for line in words if line[:2] == ["student", "ada"])
        python = f"cd /; {variables['environment_path']}/bin/python - ada {password}"
        page = on("hub", f"{python} <<'EOF'\n{LOOK}\nEOF")
        seat = next(row for row in verbs.status(course).rows if row.key == "seat/ada")
        assert f"ssh ada@{seat.address}" in page
        assert "minutes ago" in page
        assert "Nothing is booked" in page
        assert "card/0" not in page
        lease = open_leases(course).book("ada", at=datetime.now(UTC) + timedelta(hours=1))
        sent = setup.send_seats(course)
        assert (sent.failed, [(host.host, host.changed) for host in sent.hosts]) == ((), [("hub", 1)])
        assert sum(host.changed for host in setup.send_seats(course).hosts) == 0
        page = on("hub", f"{python} <<'EOF'\n{LOOK}\nEOF")
        assert f"<strong>{lease.card}</strong>" in page  # type: ignore[union-attr]
        assert "<form" not in page
        assert on("hub", "stat -c '%U %a' /srv/fpgaclass/seats.json") == "root 600"
        assert "denied" in on("hub", "runuser -u ada -- cat /srv/fpgaclass/seats.json 2>&1 || true")
    finally:
        on("hub", "pkill -f '[f]pgaclass up' || true")


@pytest.mark.parametrize("playbook", ["site.yml", "card_gate.yml", "seats.yml"])
def test_the_playbooks_are_ansible(playbook: str) -> None:
    """A slip in YAML shows here, and not in front of thirty machines."""
    pytest.importorskip("ansible", reason="ansible-core is not installed")
    program = Path(sys.executable).parent / "ansible-playbook"
    command = [str(program), "--syntax-check", "-i", "localhost,", playbook]
    environment = {
        **os.environ,
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
    }
    done = subprocess.run(command, cwd=ANSIBLE, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def test_all_hosts_are_in_one_play() -> None:
    """Where every host of a play fails, Ansible leaves out those that follow: seats would stop cards."""
    assert [play["hosts"] for play in yaml.safe_load((ANSIBLE / "site.yml").read_text())] == ["all"]


@pytest.mark.proof
def test_the_roles_pass_ansible_lint() -> None:
    """What ansible-lint finds at its level `production`, except what .ansible-lint says why not."""
    program = shutil.which("ansible-lint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        pytest.skip("ansible-lint is not installed (uv pip install ansible-lint)")
    done = subprocess.run(
        [program, "--offline", "--strict", "-q", "--nocolor"],
        cwd=ANSIBLE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
