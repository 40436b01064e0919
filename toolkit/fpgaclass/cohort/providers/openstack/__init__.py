"""OpenStack behind the port, with openstacksdk."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from fpgaclass.cohort.calls import Caller
from fpgaclass.cohort.errors import AuthError, GoneError, ProviderError, RefusedError
from fpgaclass.cohort.plans import Kind, Plan
from fpgaclass.cohort.port import FAR, PREFIX, Capabilities, Finding, Found, Marker, Order
from fpgaclass.cohort.prices import PriceBook
from fpgaclass.cohort.providers.guest import guest_script
from fpgaclass.cohort.providers.openstack.calls import connect, typed
from fpgaclass.cohort.providers.openstack.servers import SiteServers, servers
from fpgaclass.cohort.sites import OpenStack

T = TypeVar("T")


class OpenStackProvider:
    """OpenStack.

    Args:
        settings: the cohort's ``openstack`` part.
        connection: instead of the one that clouds.yaml describes.
        capabilities: other rates and patience.

    Nova takes no client token, so what has no answer is looked for before it is repeated. Servers and volumes
    carry the marker as metadata; what Neutron makes carries it in its description, since its tags can only be
    put on afterwards; a key pair carries the cohort in its name.
    """

    name = "openstack"

    def __init__(
        self, settings: OpenStack, *, connection: Any = None, capabilities: Capabilities | None = None
    ) -> None:
        self.capabilities = capabilities or Capabilities(grace_s=5.0, calls_per_second=10.0, workers=4)
        self._settings = settings
        self._cloud = connection if connection is not None else connect(settings.cloud)
        pause = min(0.5, self.capabilities.poll_s)
        self._caller = Caller(self.capabilities.calls_per_second, first_pause_s=pause)

    def account(self) -> str:
        """See the port: the project."""
        return str(self._read(lambda: self._cloud.current_project_id) or "")

    def preflight(self, plan: Plan) -> tuple[Finding, ...]:
        """See the port."""
        findings = []
        try:
            limits = self._read(lambda: self._cloud.compute.get_limits().absolute)
        except AuthError as trouble:
            return (Finding(False, trouble.what, trouble.next_step or ""),)
        needed = {use.name: use.needed for use in plan.quotas}
        ours = self._there(plan)  # an apply that goes on needs no second time what it has
        for name, total, used in (
            ("vCPUs", limits.total_cores, limits.total_cores_used),
            ("machines", limits.instances, limits.instances_used),
        ):
            want, left = needed.get(name, 0), (total or 0) - (used or 0) + ours[name]
            ok = total is None or total < 0 or want <= left
            step = "" if ok else "ask the site's managers for a higher quota, or plan less"
            findings.append(Finding(ok, f"{want} of {left} free {name}", step))
        for size in sorted({offer.size for machine in plan.of_kind("machine") for offer in machine.offers}):
            flavour = self._read(partial(self._cloud.compute.find_flavor, size))
            if flavour is None:
                first = any(machine.offers[0].size == size for machine in plan.of_kind("machine"))
                findings.append(Finding(not first, f"the project has no flavour {size}", "another size"))
        return tuple(findings)

    def _there(self, plan: Plan) -> dict[str, int]:
        """Return what the plan's machines that are there take of the quotas, by the plan's own book."""
        book = PriceBook.load(self.name)
        mine = [f for f in self.inventory(plan.cohort, {"machine"}) if f.marker.key in plan]
        sizes = [found.size or plan[found.marker.key].offers[0].size for found in mine]
        return {"vCPUs": sum(book.size(size).vcpus for size in sizes), "machines": len(mine)}

    def inventory(self, cohort: str | None, kinds: Collection[Kind] | None = None) -> tuple[Found, ...]:
        """See the port."""
        looks: dict[Kind, Callable[[], Iterator[Found]]] = {
            "machine": lambda: servers(self._cloud),
            "volume": self._volumes,
            "address": self._addresses,
            "firewall": self._firewalls,
            "key": self._keys,
        }
        found: list[Found] = []
        for kind, look in looks.items():
            if kinds is None or kind in kinds:
                found += self._read(partial(_listed, look))
        return tuple(thing for thing in found if cohort is None or thing.marker.cohort == cohort)

    def create(self, order: Order) -> str:
        """See the port."""
        makers: dict[str, Callable[[Order], Any]] = {
            "machine": self._create_server,
            "volume": self._create_volume,
            "address": self._create_address,
            "firewall": self._create_firewall,
            "key": self._create_key,
        }
        return str(self._change(partial(makers[order.resource.kind], order)))

    def complete(self, order: Order, identity: str) -> None:
        """See the port."""
        kind, cloud = order.resource.kind, self._cloud
        if kind == "firewall":
            for net in order.resource.setting("ssh_from").split(","):
                rule = {"security_group_id": identity, "direction": "ingress", "protocol": "tcp"}
                ports = {"port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": net}
                family = {"ethertype": "IPv6" if ":" in net else "IPv4"}
                whole = {**rule, **ports, **family}
                self._quiet(partial(cloud.network.create_security_group_rule, **whole))
        elif kind == "volume":
            machine = order.made[order.resource.machine]
            self._quiet(lambda: cloud.compute.create_volume_attachment(machine, volume_id=identity))
        elif kind == "address":
            machine = order.made[order.resource.machine]
            port = next(iter(self._read(lambda: list(cloud.network.ports(device_id=machine)))))
            self._change(lambda: cloud.network.update_ip(identity, port_id=port.id))

    def delete(self, found: Sequence[Found]) -> dict[str, ProviderError]:
        """See the port."""
        cloud = self._cloud
        removers: dict[Kind, Callable[[str], Any]] = {
            "machine": lambda name: cloud.compute.delete_server(name, ignore_missing=True),
            "volume": lambda name: cloud.block_storage.delete_volume(name, ignore_missing=True),
            "address": lambda name: cloud.network.delete_ip(name, ignore_missing=True),
            "firewall": lambda name: cloud.network.delete_security_group(name, ignore_missing=True),
            "key": lambda name: cloud.compute.delete_keypair(name, ignore_missing=True),
        }
        errors: dict[str, ProviderError] = {}
        for thing in found:
            try:
                self._change(partial(removers[thing.kind], thing.id))
            except GoneError:
                continue
            except ProviderError as trouble:
                errors[thing.id] = trouble
        return errors

    def _create_server(self, order: Order) -> str:
        cloud, resource = self._cloud, order.resource
        flavour = cloud.compute.find_flavor(order.offer.size, ignore_missing=False)
        image = cloud.image.find_image(resource.setting("image"), ignore_missing=False)
        network = cloud.network.find_network(self._settings.network, ignore_missing=False)
        script = guest_script(order.marker.expires, resource.hours)
        zone = {"availability_zone": order.offer.zone} if order.offer.zone else {}
        server = cloud.compute.create_server(
            name=f"{order.marker.cohort}-{resource.key.replace('/', '-')}",
            flavor_id=flavour.id,
            image_id=image.id,
            networks=[{"uuid": network.id}],
            key_name=order.made["key"],
            security_groups=[{"name": f"fpgaclass-{order.marker.cohort}"}],
            metadata=order.marker.tags(),
            user_data=base64.b64encode(script.encode()).decode(),
            **zone,
        )
        return str(server.id)

    def _create_volume(self, order: Order) -> str:
        size = int(order.resource.setting("size_gb"))
        name = f"{order.marker.cohort}-{order.marker.key.replace('/', '-')}"
        made = self._cloud.block_storage.create_volume(name=name, size=size, metadata=order.marker.tags())
        return str(made.id)

    def _create_address(self, order: Order) -> str:
        outside = self._settings.external_network
        if outside is None:
            step = "set cohort.openstack.external_network, or seat.public_address: false"
            raise RefusedError("addresses need the name of the external network", next_step=step)
        network = self._cloud.network.find_network(outside, ignore_missing=False)
        said = _described(order.marker)
        return str(self._cloud.network.create_ip(floating_network_id=network.id, description=said).id)

    def _create_firewall(self, order: Order) -> str:
        name = f"fpgaclass-{order.marker.cohort}"
        said = _described(order.marker)
        return str(self._cloud.network.create_security_group(name=name, description=said).id)

    def _create_key(self, order: Order) -> str:
        name = f"fpgaclass-{order.marker.cohort}"
        if self._cloud.compute.find_keypair(name) is None:
            self._cloud.compute.create_keypair(name=name, public_key=order.resource.setting("public_key"))
        return name

    def _volumes(self) -> Iterator[Found]:
        for volume in self._cloud.block_storage.volumes():
            if marker := Marker.read(volume.metadata or {}):
                leaving = volume.status == "deleting"
                status = "leaving" if leaving else "ready" if volume.attachments else "pending"
                yield Found(volume.id, "volume", marker, status)

    def _addresses(self) -> Iterator[Found]:
        for address in self._cloud.network.ips():
            if marker := _read_described(address.description):
                status = "ready" if address.port_id else "pending"
                yield Found(address.id, "address", marker, status, address=address.floating_ip_address or "")

    def _firewalls(self) -> Iterator[Found]:
        for group in self._cloud.network.security_groups():
            if marker := _read_described(group.description):
                open_ = any(rule.get("port_range_min") == 22 for rule in group.security_group_rules or [])
                yield Found(group.id, "firewall", marker, "ready" if open_ else "pending")

    def _keys(self) -> Iterator[Found]:
        for key in self._cloud.compute.keypairs():
            if key.name.startswith("fpgaclass-"):
                cohort = key.name.removeprefix("fpgaclass-")
                yield Found(key.name, "key", Marker(cohort, "key", 0, FAR))

    def _read(self, call: Callable[[], T]) -> T:
        return self._caller.read(lambda: typed(call))

    def _change(self, call: Callable[[], T]) -> T:
        return self._caller.change(lambda: typed(call))

    def _quiet(self, call: Callable[[], Any]) -> None:
        """Run a change that may have been made before."""
        try:
            self._change(call)
        except ProviderError as trouble:
            if trouble.code != "409":
                raise


def _described(marker: Marker) -> str:
    return " ".join(f"{name}={value}" for name, value in marker.tags().items())


def _read_described(text: str | None) -> Marker | None:
    words: Mapping[str, str] = dict(
        word.split("=", 1) for word in (text or "").split() if word.startswith(PREFIX) and "=" in word
    )
    return Marker.read(words)


def _listed(look: Callable[[], Iterator[Found]]) -> list[Found]:
    return list(look())


__all__ = ["OpenStackProvider", "SiteServers"]
