"""The cohort: setting ten hosts up against Ansible's defaults, and planning for three hundred students."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from fpgaclass import cohort
from fpgaclass.cohort.port import Capabilities
from fpgaclass.cohort.providers.local import why_not
from fpgaclass.cohort.testing import MemoryCloud, MemoryProvider

_LOCAL = "name: {name}\nhours: 1\nroster: roster.csv\n"
_AWS = """\
name: bench
provider: aws
region: eu-central-1
zones: [eu-central-1b, eu-central-1c]
hours: 100
roster: roster.csv
ssh_from: [131.154.0.0/16]
seat: {size: m5.large, alternatives: [m6i.large], public_address: true, volume_gb: 20}
cards: {size: f2.6xlarge, count: 10, hours: 40}
aws: {image: ami-0123456789abcdef0}
"""


def rows(hosts: int = 10, students: int = 300) -> list[dict[str, Any]]:
    """Measure, and return the rows of the benchmark table.

    Args:
        hosts: hosts to set up; real ones, with sshd. Left out where namespaces are not allowed.
        students: students to plan for.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("FPGACLASS_STATE")
        os.environ["FPGACLASS_STATE"] = folder
        try:
            found.append(_plan(Path(folder), students))
            found.append(_apply(Path(folder), students))
            if not why_not()[0]:
                found.append(_configure(Path(folder), hosts))
        finally:
            if before is None:
                del os.environ["FPGACLASS_STATE"]
            else:
                os.environ["FPGACLASS_STATE"] = before
    return found


def _plan(folder: Path, students: int) -> dict[str, Any]:
    path = _write(folder, "plan.yaml", _AWS, students)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        assert cohort.plan(path).digest
        best = min(best, time.perf_counter() - started)
    return {
        "name": "cohort.plan_300",
        "ours": round(best, 4),
        "peer": None,
        "ratio": None,
        "unit": "s",
        "how": f"measured: files read, {students} students planned and priced, digest; best of 3",
    }


def _apply(folder: Path, students: int) -> dict[str, Any]:
    """Against the API's own limit: what no tool can be faster than, and none may be above."""
    rate = 40.0
    path = _write(folder, "apply.yaml", _AWS.replace(", public_address: true, volume_gb: 20", ""), students)
    cloud = MemoryCloud(rate=rate)
    able = Capabilities(frozenset({"machine"}), calls_per_second=0.95 * rate, workers=16, poll_s=0.1)
    provider = MemoryProvider(cloud, able)
    started = time.perf_counter()
    done = cohort.apply(path, provider=provider)
    took = time.perf_counter() - started
    assert not done.failed
    floor = len(cloud.calls) / rate
    cohort.destroy(path, provider=provider)
    return {
        "name": "cohort.apply_300",
        "ours": round(took, 2),
        "peer": round(floor, 2),
        "ratio": round(floor / took, 2),
        "unit": "s",
        "how": f"measured on a cloud in memory; peer: its limit of {rate:g} calls a second, "
        f"of which {cloud.throttled} were refused",
    }


def _configure(folder: Path, hosts: int) -> dict[str, Any]:
    """Both begin with new hosts, in one process, the peer first: what is warm then helps it as much as us."""
    seconds = {}
    for way in ("peer", "ours"):
        path = _write(folder, f"{way}.yaml", _LOCAL.format(name=f"bench-{way}-{os.getpid()}"), hosts)
        try:
            made = cohort.apply(path, timeout_s=120)
            assert not made.failed
            done = cohort.configure(path, defaults=way == "peer")
            assert not done.failed, done.failed
            assert all(host.changed for host in done.hosts)
            seconds[way] = done.seconds
        finally:
            cohort.destroy(path)
    return {
        "name": "cohort.configure_10",
        "ours": round(seconds["ours"], 1),
        "peer": round(seconds["peer"], 1),
        "ratio": round(seconds["peer"] / seconds["ours"], 2),
        "unit": "s",
        "how": f"measured: site.yml on {hosts} new hosts with real sshd; peer: Ansible's defaults",
    }


def _write(folder: Path, name: str, text: str, students: int) -> Path:
    (folder / "roster.csv").write_text("login\n" + "".join(f"s{n:03d}\n" for n in range(students)))
    path = folder / name
    path.write_text(text)
    return path
