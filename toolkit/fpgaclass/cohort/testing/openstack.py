"""An OpenStack project in memory, for the provider's tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any


class MemoryProject:
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
        self.current_project_id = "7c2d4f0e"
        make = self._make
        names = {"m1.large": 4, "alveo.u250": 16}

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
                    total_cores=self.cores,
                    total_cores_used=2
                    + sum(names[s.flavor["original_name"]] for s in self.made["server"].values()),
                    instances=50,
                    instances_used=1 + len(self.made["server"]),
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
