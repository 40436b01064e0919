"""What every provider promises: the same tests for all, each on the most real thing that can be had."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.cohort import sweeping, verbs
from fpgaclass.cohort.port import Capabilities, Found, Marker, Order, Provider
from fpgaclass.cohort.providers.local import why_not
from fpgaclass.cohort.testing import FakeAws, FakeOrchestrator, MemoryCloud, MemoryProvider

QUICK = Capabilities(calls_per_second=500.0, workers=1, poll_s=0.02)
PROVIDERS = ("memory", "local", "aws", "infn", "openstack")


@dataclass(frozen=True)
class Site:
    """A provider, a cohort's file for it, and how many things of ours the site itself knows of."""

    provider: Provider
    path: Path
    things: Callable[[], int]

    @property
    def name(self) -> str:
        """The cohort's name."""
        return self.path.stem


@pytest.fixture(scope="module")
def aws_server() -> Iterator[FakeAws]:
    with FakeAws() as server:
        yield server


@pytest.fixture(scope="module")
def orchestrator_server() -> Iterator[FakeOrchestrator]:
    with FakeOrchestrator() as server:
        yield server


@contextmanager
def _memory(_request: pytest.FixtureRequest) -> Iterator[tuple[Provider, str, Callable[[], int]]]:
    cloud = MemoryCloud()
    yield MemoryProvider(cloud), "", lambda: len(cloud.things)


@contextmanager
def _local(_request: pytest.FixtureRequest) -> Iterator[tuple[Provider, str, Callable[[], int]]]:
    if why_not()[0]:
        pytest.skip(why_not()[0])
    from fpgaclass.cohort.providers.local import LocalProvider

    mine = Path("/run/fpgaclass")
    yield (
        LocalProvider(),
        "",
        lambda: sum(f"port-{os.getpid()}" in x.read_text() for x in mine.glob("*/about.json")),
    )


@contextmanager
def _aws(request: pytest.FixtureRequest) -> Iterator[tuple[Provider, str, Callable[[], int]]]:
    pytest.importorskip("moto", reason="moto is not installed")
    from fpgaclass.cohort.providers.aws import AwsProvider

    spec = (
        "provider: aws\nregion: eu-central-1\nssh_from: [131.154.0.0/16]\nmax_cost: 100\n"
        "seat: {size: m5.large, public_address: true, volume_gb: 10}\n"
        'aws: {image: ami-0123456789abcdef0, expiry_role: "arn:aws:iam::123456789012:role/x", '
        "budget_email: a@example.org}\n"
    )
    able = replace(QUICK, tokens=frozenset({"machine", "volume", "expiry"}))
    aws: FakeAws = request.getfixturevalue("aws_server")
    aws.control(reset=True)
    yield (
        AwsProvider("eu-central-1", endpoint=aws.endpoint, capabilities=able),
        spec,
        lambda: len(aws.things()),
    )


@contextmanager
def _infn(request: pytest.FixtureRequest) -> Iterator[tuple[Provider, str, Callable[[], int]]]:
    pytest.importorskip("werkzeug", reason="werkzeug is not installed")
    from fpgaclass.cohort.providers.infn import InfnProvider
    from fpgaclass.cohort.sites import Infn

    part = 'infn: {orchestrator: "http://127.0.0.1", user_group: courses/fpga}'
    spec = f"provider: infn\nseat: {{size: m1.large}}\n{part}\n"
    server: FakeOrchestrator = request.getfixturevalue("orchestrator_server")
    server.control(reset=True)
    settings = Infn(orchestrator=server.endpoint, user_group="courses/fpga")
    yield InfnProvider(settings, capabilities=QUICK), spec, lambda: len(server.things())


@contextmanager
def _openstack(_request: pytest.FixtureRequest) -> Iterator[tuple[Provider, str, Callable[[], int]]]:
    pytest.importorskip("openstack", reason="openstacksdk is not installed")
    from fpgaclass.cohort.providers.openstack import OpenStackProvider
    from fpgaclass.cohort.sites import OpenStack
    from fpgaclass.cohort.testing.openstack import MemoryProject

    part = {"cloud": "bari", "image": "ubuntu", "network": "private", "external_network": "public"}
    spec = (
        "provider: openstack\nssh_from: [10.0.0.0/8]\n"
        f"seat: {{size: m1.large, public_address: true, volume_gb: 10}}\nopenstack: {part}\n"
    )
    project = MemoryProject()
    yield OpenStackProvider(OpenStack(**part), connection=project, capabilities=QUICK), spec, project.left


MAKERS = {"memory": _memory, "local": _local, "aws": _aws, "infn": _infn, "openstack": _openstack}


@pytest.fixture(params=PROVIDERS)
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Each provider in turn, with a cohort of two students."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("FPGACLASS_OIDC_TOKEN", "good")
    with MAKERS[request.param](request) as (provider, spec, things):
        (tmp_path / "roster.csv").write_text("login\nada\nemmy\n")
        name = f"port-{os.getpid()}"
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"name: {name}\nhours: 2\nroster: roster.csv\n{spec}")
        yield Site(provider, path, things)
        verbs.destroy(path, provider=provider)
        assert things() == 0


def test_what_is_made_is_found_and_goes(site: Site) -> None:
    """Apply, again without effect, the same markers in the inventory, destroy to nothing, twice."""
    done = verbs.apply(site.path, provider=site.provider, timeout_s=60)
    assert not done.failed
    made = len(done.made)
    assert site.things() == made
    found = site.provider.inventory(site.name)
    assert sorted(f.marker.key for f in found) == sorted(row.key for row in done.rows)
    assert {f.marker.cohort for f in found} == {site.name}
    assert {f.status for f in found} == {"ready"}
    assert all(f.address for f in found if f.kind == "machine"), "or Ansible could not reach it"
    again = verbs.apply(site.path, provider=site.provider, timeout_s=60)
    assert (again.made, again.adopted, again.removed) == ((), (), ())
    assert site.things() == made
    only = site.provider.inventory(site.name, {"machine"})
    assert {f.kind for f in only} == {"machine"}
    assert verbs.destroy(site.path, provider=site.provider).audit == ()
    assert site.things() == 0
    assert verbs.destroy(site.path, provider=site.provider).things == ()


def test_what_is_gone_is_no_error(site: Site) -> None:
    """Two people may tidy up at once; a second removal of the same is not a failure."""
    verbs.apply(site.path, provider=site.provider, timeout_s=60)
    machines = [f for f in site.provider.inventory(site.name) if f.kind == "machine"]
    assert site.provider.delete(machines[:1]) == {}
    assert site.provider.delete(machines[:1]) == {}
    nobody: list[Found] = []
    assert site.provider.delete(nobody) == {}


def test_a_repeated_order_is_one_machine(site: Site) -> None:
    """Where the provider promises it: the same token is the same machine, whatever was lost on the way."""
    if "machine" not in site.provider.capabilities.tokens:
        pytest.skip("this provider takes no client token; the engine looks before it repeats")
    done = verbs.apply(site.path, provider=site.provider, timeout_s=60)
    row = next(row for row in done.rows if row.key == "seat/ada")
    plan = verbs.plan(site.path)
    found = next(f for f in site.provider.inventory(site.name) if f.marker.key == "seat/ada")
    from fpgaclass.cohort.verbs import _with_key

    key = (Path(os.environ["FPGACLASS_STATE"]) / "cohorts" / site.name / "id_ed25519.pub").read_text().strip()
    resource = _with_key(plan, key)["seat/ada"]
    made = {other.key: other.identity for other in done.rows if other.identity}
    before = site.things()
    again = site.provider.create(Order(resource, resource.offers[0], found.marker, made))
    assert again == row.identity
    assert site.things() == before


def test_only_our_own_is_listed(site: Site) -> None:
    """The account is shared: another cohort's things are seen by a sweep, and by nobody else."""
    verbs.apply(site.path, provider=site.provider, timeout_s=60)
    assert site.provider.inventory("somebody-else") == ()
    everything: Any = site.provider.inventory(None)
    assert {f.marker.key for f in site.provider.inventory(site.name)} <= {f.marker.key for f in everything}
    swept = sweeping.sweep(site.path, provider=site.provider)
    assert not [entry for entry in swept.removed if entry[0] == site.name], "a living cohort stays"


def test_a_look_before_spends_nothing(site: Site) -> None:
    """The preflight changes nothing, and says in a line what it found."""
    findings = site.provider.preflight(verbs.plan(site.path))
    assert findings
    assert all(finding.ok for finding in findings)
    assert all("\n" not in finding.what for finding in findings)
    assert site.things() == 0
    assert Marker.read({}) is None
