"""What can be typed wrongly, or be wrong outside: one line each, with the remedy, and nothing made before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.cohort.port import Capabilities
from fpgaclass.cohort.providers.aws import AwsProvider
from fpgaclass.cohort.providers.infn import InfnProvider
from fpgaclass.cohort.sites import Infn
from fpgaclass.cohort.testing import FakeAws, FakeOrchestrator

pytest.importorskip("moto", reason="moto is not installed")
Run = Callable[..., Any]

LOGIN = "cannot be a login: up to 31 of a-z, 0-9, - and _, a letter first"
ROSTERS = {
    "a login twice": ("ada\nemmy\nada\n", 4, "ada is twice; first on line 2"),
    "capitals": ("Ada\n", 2, f"'Ada' {LOGIN}; ada?"),
    "a shell's characters": ("ada;reboot\n", 2, f"'ada;reboot' {LOGIN}"),
    "a path": ("../etc\n", 2, f"'../etc' {LOGIN}"),
    "a user of the system": ("root\n", 2, "root is a user of the system; choose another login"),
    "the hub's name": ("hub\n", 2, "hub is a user of the system; choose another login"),
    "too many cells": ("ada,Ada\n", 2, "2 cells where the header has 1"),
}
SPECS = {
    "a name that is no tag": (
        ("name: spring27", "name: Spring_27"),
        "cohort.name: a name is 2 to 30 of a-z, 0-9 and -, a letter first, since tags and hosts carry it, "
        "not 'Spring_27' (looked in: {path}:8)",
    ),
    "a region without the type": (
        ("eu-central-1", "eu-south-1"),
        "eu-south-1 has no f2.6xlarge (looked in: aws, price book of 2026-11-15). "
        "Next: another region, such as eu-central-1 or eu-west-2",
    ),
    "a type that is no more": (
        ("f2.6xlarge", "f1.2xlarge"),
        "f1.2xlarge was retired on 2025-12-20; nothing of its family can be started any more "
        "(looked in: aws, price book of 2026-11-15). "
        "Next: use f2.6xlarge (the same work on a newer card) in the cohort's cards.size",
    ),
    "a quota of zero": (
        ("hours: 40\n", "hours: 40\n  quota: {F vCPUs: 0}\n"),
        "the plan needs 48 F vCPUs, and the limit is 0 (this account has none of it at all) "
        "(looked in: aws eu-central-1). "
        "Next: ask the provider for a higher limit (it takes days), or plan less",
    ),
    "more money than there is": (
        ("hours: 40\n", "hours: 40\n  max_cost: 10\n"),
        "the plan could cost 63.20 USD (estimate), and max_cost is 10.00 "
        "(looked in: cohort spring27, price book of 2026-11-15). "
        "Next: fewer hours, smaller sizes, fewer cards; or a higher --max-cost",
    ),
    "a size without a price under a limit": (
        (
            "seat: {size: m5.large, alternatives: [m6i.large]",
            "max_cost: 999\n  seat: {size: m5.large, alternatives: [x9.huge]",
        ),
        "max_cost cannot be kept: nobody knows what x9.huge costs (looked in: price book of 2026-11-15). "
        "Next: add it to provisioning/prices.toml, or take a size that is there",
    ),
    "a key that is twice": (
        ("hours: 40\n", "hours: 40\n  max_cost: 9\n  max_cost: 9000\n"),
        "max_cost is twice; first on line 13 (looked in: {path}:14). Next: keep one of them",
    ),
    "a student that is twice": (
        ("students: [ada, emmy, lise]", "students: [ada, emmy,\n  ada]"),
        "ada is twice; first on line 5 (looked in: {path}:6). Next: mend this line of the roster",
    ),
    "a network of another kind": (
        ("hours: 40\n", "hours: 40\n  local: {network: 'fd00::/64'}\n"),
        "cohort.local.network: Expected 4 octets in 'fd00::', not 'fd00::/64' (looked in: {path}:13)",
    ),
    "a door to everybody": (
        ("[131.154.0.0/16]", "[0.0.0.0/0]"),
        "cohort.ssh_from.0: the whole internet may not reach port 22; name your networks, not '0.0.0.0/0' "
        "(looked in: {path}:13)",
    ),
}


@pytest.mark.parametrize("fault", ROSTERS)
def test_a_roster_is_refused_with_its_line(run: Run, tmp_path: Path, fault: str) -> None:
    """Names become users, folders and tags; a secretariat's slip must be found before anything is made."""
    text, line, said = ROSTERS[fault]
    roster = tmp_path / "roster.csv"
    roster.write_text("login\n" + text)
    path = tmp_path / "cohort.yaml"
    path.write_text("name: c27\nhours: 1\nroster: roster.csv\n")
    ended = run("cohort", "apply", "--course", path)
    assert ended.err == f"error: {said} (looked in: {roster}:{line}). Next: mend this line of the roster\n"
    assert ended.code == 2


@pytest.mark.parametrize("fault", SPECS)
def test_a_plan_is_refused_before_anybody_is_asked(run: Run, course: Path, fault: str) -> None:
    """All of this can be known at home: no credentials, no call, no money."""
    (old, new), said = SPECS[fault]
    assert old in course.read_text()
    course.write_text(course.read_text().replace(old, new))
    ended = run("cohort", "apply", "--yes", "--course", course)
    assert ended.err == f"error: {said.format(path=course)}\n"
    assert ended.code != 0


@pytest.mark.parametrize("part", ["course.yaml", "its cohort", "its roster"])
def test_a_wrong_file_is_used_wrongly_whatever_the_verb(run: Run, course: Path, part: str) -> None:
    """Scripts tell by the exit code whether a file is to be mended (2) or the work failed (1)."""
    verbs = ["cohort plan", "cohort apply --yes", "cohort configure", "seats", "lease book --student ada"]
    if part == "its roster":
        (course.parent / "roster.csv").write_text("login\nada\nADA!\n")
        course.write_text(course.read_text().replace("hours: 40\n", "hours: 40\n  roster: roster.csv\n"))
    else:
        old, new = {"course.yaml": ("cohort:\n", "cohort: [\n"), "its cohort": ("hours: 40", "hours: x")}[
            part
        ]
        course.write_text(course.read_text().replace(old, new))
        # These read no roster: who wants to be rid of a cohort need not mend it.
        verbs += [
            "cohort status",
            "cohort cost",
            "cohort destroy --yes",
            "cohort sweep --yes",
            "cohort images",
        ]
        verbs += ["lease list", "lease next --student ada", "lease site", "seats --send"]
    ended = {verb: run(*verb.split(), "--course", course) for verb in verbs}
    assert {verb: said.code for verb, said in ended.items()} == dict.fromkeys(verbs, 2)
    assert all(said.err.count("error: ") == 1 for said in ended.values())


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAws]:
    with FakeAws() as server:
        yield server


@pytest.fixture
def on_aws(aws: FakeAws, course: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeAws]:
    """Put the verbs onto the moto server, with its rules."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    course.write_text(course.read_text().replace("eu-central-1a, ", ""))
    quick = Capabilities(frozenset({"machine", "volume"}), 0.0, 500.0, 1, 0.02)
    provider = AwsProvider("eu-central-1", endpoint=aws.endpoint, capabilities=quick)
    monkeypatch.setattr("fpgaclass.cohort.verbs.connect", lambda _: provider)

    def make(**rules: Any) -> FakeAws:
        aws.control(reset=True, **rules)
        return aws

    return make


LOG_IN = "renew the credentials (aws sso login, or the environment), then run the command again"
REFUSED_BY_AWS = {
    "a quota of zero": (
        {"quota": {"f": 0, "standard": 1000}},
        "the plan needs 48 of 0 F vCPUs (looked in: aws). "
        "Next: ask for more at Service Quotas (L-74FC7D96); it takes days",
        0,
    ),
    "a token that has expired": (
        {"refuse": {"GetCallerIdentity": ["ExpiredToken"]}},
        f"ExpiredToken: asked for by the test (looked in: aws). Next: {LOG_IN}",
        0,
    ),
    "a clock that is wrong": (
        {"refuse": {"GetCallerIdentity": ["RequestTimeTooSkewed"]}},
        "RequestTimeTooSkewed: asked for by the test (looked in: aws). "
        "Next: set this machine's clock (timedatectl set-ntp true)",
        0,
    ),
    "a token that ends midway": (
        {"refuse": {"AllocateAddress": ["ExpiredToken"]}},
        f"ExpiredToken: asked for by the test (looked in: aws eu-central-1 allocate_address). Next: {LOG_IN}",
        7,
    ),
}


@pytest.mark.parametrize("fault", REFUSED_BY_AWS)
def test_aws_refuses(run: Run, course: Path, on_aws: Callable[..., FakeAws], fault: str) -> None:
    """Before money is spent where that can be known; else the next run goes on from what was made."""
    rules, said, least = REFUSED_BY_AWS[fault]
    cloud = on_aws(**rules)
    ended = run("cohort", "apply", "--yes", "--course", course)
    assert f"error: {said}\n" in ended.err
    assert ended.code == 1
    assert (len(cloud.things()) == 0) if least == 0 else (len(cloud.things()) >= least)
    cloud.control(quota={"f": 1000, "standard": 1000}, refuse={})
    assert run("cohort", "apply", "--yes", "--course", course).code == 0, "the remedy helps"
    assert len(cloud.things()) == 13, "and nothing is double"


def test_a_clock_that_is_wrong_is_seen_without_being_refused(
    run: Run, course: Path, on_aws: Callable[..., FakeAws], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three minutes are not refused by AWS, and would make every expiry wrong."""
    import fpgaclass.cohort.providers.aws.preflight as module

    class Late(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=200)

    cloud = on_aws()
    monkeypatch.setattr(module, "datetime", Late)
    ended = run("cohort", "apply", "--yes", "--course", course)
    assert "this machine's clock is 20" in ended.err
    assert "Next: set this machine's clock (timedatectl set-ntp true)" in ended.err
    assert cloud.things() == []
    assert datetime.now(UTC)


@pytest.fixture
def on_infn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeOrchestrator, Path]]:
    """Put the verbs onto the double of the Orchestrator."""
    (tmp_path / "r.csv").write_text("login\nada\nemmy\n")
    path = tmp_path / "cohort.yaml"
    path.write_text(
        "name: bari27\nprovider: infn\nhours: 4\nroster: r.csv\nseat: {size: m1.large}\n"
        'infn: {orchestrator: "http://127.0.0.1", user_group: courses/fpga}\n'
    )
    monkeypatch.setenv("FPGACLASS_OIDC_TOKEN", "good")
    with FakeOrchestrator() as orchestrator:
        settings = Infn(orchestrator=orchestrator.endpoint, user_group="courses/fpga")
        quick = Capabilities(calls_per_second=500.0, workers=1, poll_s=0.02)
        provider = InfnProvider(settings, capabilities=quick)
        monkeypatch.setattr("fpgaclass.cohort.verbs.connect", lambda _: provider)
        yield orchestrator, path


def test_the_orchestrator_refuses(
    run: Run, on_infn: tuple[FakeOrchestrator, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that has expired, and a template: each told once, with where to look."""
    orchestrator, path = on_infn
    orchestrator.control(expired=["good"])
    ended = run("cohort", "apply", "--yes", "--course", path)
    assert ended.err == (
        "error: the token has expired or is not taken (401: Invalid (hidden)) (looked in: infn). "
        "Next: get a new token (oidc-agent, or the dashboard), then run the command again\n"
    )
    orchestrator.control(expired=[])
    monkeypatch.setattr("fpgaclass.cohort.providers.infn.template", lambda _: "topology_template: [")
    ended = run("cohort", "apply", "--yes", "--course", path)
    assert ended.code == 1
    assert orchestrator.control()["log"].count("POST /deployments") == 1, "what is wrong for one is for all"
    assert (
        "failed  seat/ada (refused): the template was refused, 400: Error parsing the template" in ended.out
    )
    assert "Next: check provisioning/tosca/machine.yaml against the Orchestrator's TOSCA types" in ended.out
    assert orchestrator.things() == []


def test_several_slips_come_at_once(run: Run, tmp_path: Path) -> None:
    """Nobody wants to run a command thirty times to find thirty slips."""
    (tmp_path / "roster.csv").write_text("login\nAda\nada\nada\n")
    path = tmp_path / "cohort.yaml"
    path.write_text("name: c27\nhours: 1\nroster: roster.csv\n")
    ended = run("cohort", "plan", "--course", path)
    lines = ended.err.splitlines()
    assert lines[0] == "error: 2 faults in the roster:"
    assert lines[1] == f"  {tmp_path}/roster.csv:2: 'Ada' {LOGIN}; ada?"
    assert lines[2].endswith(
        "roster.csv:4: ada is twice; first on line 3. Next: mend these lines of the roster"
    )
