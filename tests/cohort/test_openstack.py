"""The openstack provider: the SDK's own resource classes, in a project that is only in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fpgaclass.cohort import sweeping, verbs
from fpgaclass.cohort.errors import AuthError, PlanRefusedError, QuotaError
from fpgaclass.cohort.port import Capabilities
from fpgaclass.cohort.providers.openstack import OpenStackProvider
from fpgaclass.cohort.providers.openstack.calls import typed
from fpgaclass.cohort.spec import OpenStack

pytest.importorskip("openstack", reason="openstacksdk is not installed")


class Project:
    """A connection with what the provider uses of compute, network, block storage and images.

    It answers with openstacksdk's resources, so that a misspelt attribute is an AttributeError, as in life.
    """

    def __init__(self) -> None:
        from openstack.block_storage.v3.volume import Volume
        from openstack.compute.v2.flavor import Flavor
        from openstack.compute.v2.keypair import Keypair
        from openstack.compute.v2.server import Server
        from openstack.image.v2.image import Image
        from openstack.network.v2.floating_ip import FloatingIP
        from openstack.network.v2.network import Network
        from openstack.network.v2.port import Port
        from openstack.network.v2.security_group import SecurityGroup

        self._ids = itertools.count(1)
        self.made: dict[str, dict[str, Any]] = {
            "server": {},
            "keypair": {},
            "volume": {},
            "ip": {},
            "security_group": {},
        }
        self.fail: list[Exception] = []
        self.cores = 100
        make = self._make
        names = {"m1.large", "alveo.u250"}

        def server(**asked: Any) -> Any:
            asked |= {"status": "ACTIVE", "addresses": {"private": [{"addr": "10.0.0.5"}]}}
            asked["flavor"] = {"original_name": asked.pop("flavor_id")}
            return make("server", Server, asked)

        def keypair(**asked: Any) -> Any:
            return make("keypair", Keypair, {"id": asked["name"], **asked})

        def rule(**asked: Any) -> None:
            group = self.made["security_group"][asked["security_group_id"]]
            group.security_group_rules = [*(group.security_group_rules or []), asked]

        def attach(machine: str, volume_id: str) -> None:
            self.made["volume"][volume_id].attachments = [{"server_id": machine}]

        def point(identity: str, port_id: str) -> None:
            self.made["ip"][identity].port_id = port_id

        self.compute = SimpleNamespace(
            get_limits=lambda: SimpleNamespace(
                absolute=SimpleNamespace(
                    total_cores=self.cores, total_cores_used=2, instances=50, instances_used=1
                )
            ),
            find_flavor=lambda name, **_: Flavor(id=name, name=name) if name in names else None,
            find_keypair=lambda name: self.made["keypair"].get(name),
            create_server=server,
            create_keypair=keypair,
            create_volume_attachment=attach,
            servers=self._list("server"),
            keypairs=self._list("keypair"),
            delete_server=self._drop("server"),
            delete_keypair=self._drop("keypair"),
        )
        self.network = SimpleNamespace(
            find_network=lambda name, **_: Network(id=f"net-{name}", name=name),
            create_security_group=lambda **a: make("security_group", SecurityGroup, a),
            create_security_group_rule=rule,
            create_ip=lambda **a: make("ip", FloatingIP, a),
            update_ip=point,
            ports=lambda device_id: iter([Port(id=f"port-{device_id}")]),
            ips=self._list("ip"),
            security_groups=self._list("security_group"),
            delete_ip=self._drop("ip"),
            delete_security_group=self._drop("security_group"),
        )
        self.block_storage = SimpleNamespace(
            create_volume=lambda **a: make("volume", Volume, {"status": "available", **a}),
            volumes=self._list("volume"),
            delete_volume=self._drop("volume"),
        )
        self.image = SimpleNamespace(find_image=lambda name, **_: Image(id=f"image-{name}"))

    def _make(self, kind: str, resource: Any, asked: dict[str, Any]) -> Any:
        if self.fail and kind == "server":
            raise self.fail.pop()
        thing = resource(**{"id": f"{kind}-{next(self._ids)}", **asked})
        self.made[kind][thing.id] = thing
        return thing

    def _list(self, kind: str) -> Callable[[], Iterator[Any]]:
        return lambda: iter(list(self.made[kind].values()))

    def _drop(self, kind: str) -> Callable[..., None]:
        return lambda name, ignore_missing: self.made[kind].pop(name, None) if ignore_missing else None

    def left(self) -> int:
        return sum(len(things) for things in self.made.values())


@pytest.fixture
def project() -> Project:
    return Project()


@pytest.fixture
def provider(project: Project) -> OpenStackProvider:
    settings = OpenStack(cloud="bari", image="ubuntu", network="private", external_network="public")
    quick = Capabilities(calls_per_second=500.0, workers=1, poll_s=0.02)
    return OpenStackProvider(settings, connection=project, capabilities=quick)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    (tmp_path / "r.csv").write_text("login\nada\nemmy\n")
    path = tmp_path / "cohort.yaml"
    path.write_text(
        "name: bari27\nprovider: openstack\nhours: 40\nroster: r.csv\nssh_from: [10.0.0.0/8]\n"
        "seat: {size: m1.large, public_address: true, volume_gb: 10}\ncards: {size: alveo.u250, count: 1}\n"
        "openstack: {cloud: bari, image: ubuntu, network: private, external_network: public}\n"
    )
    return path


def test_a_project_is_filled_and_emptied(project: Project, provider: OpenStackProvider, cohort: Path) -> None:
    """Servers, volumes, addresses, firewall and key; a second run changes nothing; then all of it goes."""
    done = verbs.apply(cohort, provider=provider)
    assert not done.failed
    assert project.left() == 2 + 3 + 2 + 2
    server = next(iter(project.made["server"].values()))
    assert server.metadata["fpgaclass:cohort"] == "bari27", "in the call that makes it"
    again = verbs.apply(cohort, provider=provider)
    assert (again.made, again.removed) == ((), ())
    assert verbs.destroy(cohort, provider=provider).audit == ()
    assert project.left() == 0


def test_what_is_not_ours_stays(project: Project, provider: OpenStackProvider, cohort: Path) -> None:
    """The project is shared with other groups; only our marker says what may go."""
    project.compute.create_server(name="theirs", flavor_id="m1.large", metadata={})
    project.network.create_security_group(name="default", description="Default security group")
    verbs.apply(cohort, provider=provider)
    verbs.destroy(cohort, provider=provider)
    sweeping.sweep(cohort, provider=provider, strangers=True)
    assert project.left() == 2


def test_a_full_project_is_told_before(project: Project, provider: OpenStackProvider, cohort: Path) -> None:
    """Nova tells the limits; and a flavour that the project does not have is named."""
    project.cores = 10
    with pytest.raises(PlanRefusedError, match="24 of 8 free vCPUs"):
        verbs.apply(cohort, provider=provider)
    project.cores = 100
    cohort.write_text(cohort.read_text().replace("alveo.u250", "alveo.u55c"))
    with pytest.raises(PlanRefusedError, match=r"no flavour alveo\.u55c"):
        verbs.apply(cohort, provider=provider)
    assert project.left() == 0


def test_a_lost_answer_makes_no_second_server(
    project: Project, provider: OpenStackProvider, cohort: Path
) -> None:
    """Nova takes no token: the server that came of the lost call is found by its metadata."""
    from openstack.exceptions import HttpException

    create = project.compute.create_server

    def losing(**asked: Any) -> Any:
        create(**asked)
        project.compute.create_server = create
        raise HttpException("Gateway timeout", http_status=504)

    project.compute.create_server = losing
    done = verbs.apply(cohort, provider=provider)
    assert not done.failed
    assert len(done.adopted) == 1
    assert len(project.made["server"]) == 3


def test_errors_have_types() -> None:
    """By the status, and for a quota by its word, since Nova says 403 for both."""
    from openstack.exceptions import HttpException

    def raising(status: int, text: str) -> Callable[[], None]:
        def call() -> None:
            raise HttpException(text, http_status=status)

        return call

    with pytest.raises(QuotaError, match="Quota exceeded"):
        typed(raising(403, "Quota exceeded for cores"))
    with pytest.raises(AuthError):
        typed(raising(403, "Policy does not allow this"))
    with pytest.raises(AuthError, match="renew"):
        typed(raising(401, "The request you have made requires authentication."))
