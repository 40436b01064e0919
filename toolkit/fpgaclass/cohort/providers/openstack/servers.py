"""The servers of an OpenStack project that carry our tags."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from fpgaclass.cohort.errors import CapacityError, ProviderError, QuotaError
from fpgaclass.cohort.plans import Kind, Plan
from fpgaclass.cohort.port import Capabilities, Finding, Found, Marker, Order, scrub
from fpgaclass.cohort.providers.openstack.calls import connect, typed

_STATUS = {
    "ACTIVE": "ready",
    "ERROR": "failed",
    **dict.fromkeys(("SHUTOFF", "SUSPENDED", "PAUSED", "SHELVED", "SHELVED_OFFLOADED"), "stopped"),
    **dict.fromkeys(("DELETED", "SOFT_DELETED"), "leaving"),
}


def servers(cloud: Any) -> Iterator[Found]:
    """Yield the servers with our tags; ``zone`` is the Orchestrator's deployment, where there is one."""
    for server in cloud.compute.servers():
        marker = Marker.read(server.metadata or {})
        if marker is None:
            continue
        status = _STATUS.get(server.status, "pending")
        if (getattr(server, "task_state", None) or "") == "deleting":
            status = "leaving"
        addresses = [a["addr"] for group in (server.addresses or {}).values() for a in group]
        flavour = server.flavor or {}
        yield Found(
            id=server.id,
            kind="machine",
            marker=marker,
            status=status,
            size=str(flavour.get("original_name") or ""),
            zone=str(server.metadata.get("PAAS_DEP_UUID", "")),
            address=addresses[-1] if addresses else "",
            trouble=_fault(server) if status == "failed" else None,
        )


class SiteServers:
    """The OpenStack project behind the Orchestrator: only its servers, to find those that were lost.

    Args:
        cloud: the name in clouds.yaml.
        connection: instead of it.
    """

    name = "site"
    capabilities = Capabilities()

    def __init__(self, cloud: str, connection: Any = None) -> None:
        self._cloud = connection if connection is not None else connect(cloud)

    def account(self) -> str:
        """Who made a machine is asked of the Orchestrator."""
        return ""

    def preflight(self, plan: Plan) -> tuple[Finding, ...]:
        """Nothing is made here."""
        del plan
        return ()

    def inventory(self, cohort: str | None, kinds: Collection[Kind] | None = None) -> tuple[Found, ...]:
        """Return our servers; ``zone`` is their deployment."""
        del kinds
        found = typed(lambda: list(servers(self._cloud)))
        return tuple(thing for thing in found if cohort is None or thing.marker.cohort == cohort)

    def create(self, order: Order) -> str:
        """Nothing is made here."""
        raise ProviderError(f"{order.resource.key} is made through the Orchestrator")

    def complete(self, order: Order, identity: str) -> None:
        """Nothing is made here."""

    def delete(self, found: Sequence[Found]) -> dict[str, ProviderError]:
        """Remove servers."""
        errors: dict[str, ProviderError] = {}
        for thing in found:
            try:
                typed(lambda thing=thing: self._cloud.compute.delete_server(thing.id, ignore_missing=True))  # type: ignore[misc]
            except ProviderError as trouble:
                errors[thing.id] = trouble
        return errors


def _fault(server: Any) -> ProviderError:
    text = scrub(str((getattr(server, "fault", None) or {}).get("message", "the server went to ERROR")))
    if "no valid host" in text.lower():
        return CapacityError(text, next_step="another size, or another zone")
    return QuotaError(text) if "quota" in text.lower() else ProviderError(text)
