"""AWS behind the port."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fpgaclass.cohort.errors import ProviderError
from fpgaclass.cohort.plans import Kind, Plan
from fpgaclass.cohort.port import Capabilities, Finding, Found, Order
from fpgaclass.cohort.providers.aws import make
from fpgaclass.cohort.providers.aws import preflight as _preflight
from fpgaclass.cohort.providers.aws.client import AwsClient
from fpgaclass.cohort.providers.aws.images import CardImage, card_images
from fpgaclass.cohort.providers.aws.inventory import inventory


class AwsProvider:
    """AWS, with boto3.

    Args:
        region: such as ``eu-central-1``.
        subnet: for accounts without a default network.
        profile: the instance profile that machines run with.
        endpoint: another address of all services, for tests.
        capabilities: other rates and patience than AWS's.

    Raises:
        ToolMissingError: boto3 is not installed.
    """

    name = "aws"

    def __init__(
        self,
        region: str,
        *,
        subnet: str | None = None,
        profile: str | None = None,
        endpoint: str | None = None,
        capabilities: Capabilities | None = None,
    ) -> None:
        self.capabilities = capabilities or Capabilities(
            tokens=frozenset({"machine", "volume", "expiry"}), grace_s=15.0, calls_per_second=4.0, poll_s=5.0
        )
        self._subnet, self._profile = subnet, profile
        pause = min(0.5, self.capabilities.poll_s)
        self.client = AwsClient(region, endpoint, self.capabilities.calls_per_second, pause)

    def account(self) -> str:
        """See the port."""
        return self.client.account

    def preflight(self, plan: Plan) -> tuple[Finding, ...]:
        """See the port."""
        return _preflight.preflight(self.client, plan)

    def inventory(self, cohort: str | None, kinds: Collection[Kind] | None = None) -> tuple[Found, ...]:
        """See the port."""
        return tuple(inventory(self.client, cohort, kinds))

    def create(self, order: Order) -> str:
        """See the port."""
        kind = order.resource.kind
        if kind == "machine":
            return make.create_machine(self.client, order, self._subnet, self._profile)
        if kind == "volume":
            return make.create_volume(self.client, order, self._zone(order))
        if kind == "firewall":
            return self._firewall(order)
        makers = {
            "key": make.create_key,
            "address": make.create_address,
            "expiry": make.create_expiry,
            "budget": make.create_budget,
        }
        return makers[kind](self.client, order)

    def complete(self, order: Order, identity: str) -> None:
        """See the port."""
        kind = order.resource.kind
        if kind == "firewall":
            make.complete_firewall(self.client, order, identity)
        elif kind == "address":
            make.complete_address(self.client, order, identity)
        elif kind == "volume":
            make.complete_volume(self.client, order, identity)

    def delete(self, found: Sequence[Found]) -> dict[str, ProviderError]:
        """See the port."""
        return make.delete(self.client, found)

    def card_images(self) -> tuple[CardImage, ...]:
        """Return the account's FPGA images (AFIs), the newest first."""
        return card_images(self.client)

    def close(self) -> None:
        """End the connections; the next call opens new ones."""
        self.client.close()

    def _firewall(self, order: Order) -> str:
        network = None
        if self._subnet:
            subnets = self.client.read("ec2", "describe_subnets", SubnetIds=[self._subnet])["Subnets"]
            network = str(subnets[0]["VpcId"])
        try:
            return make.create_firewall(self.client, order, network)
        except ProviderError as trouble:
            if trouble.code != "InvalidGroup.Duplicate":
                raise
            # The answer to an earlier call was lost, and the group was not listed yet when we looked.
            mine = self.inventory(order.marker.cohort, {"firewall"})
            if not mine:
                raise
            return mine[0].id

    def _zone(self, order: Order) -> str:
        machine = order.made[order.resource.machine]
        answer = self.client.read("ec2", "describe_instances", InstanceIds=[machine])
        return str(answer["Reservations"][0]["Instances"][0]["Placement"]["AvailabilityZone"])


__all__ = ["AwsProvider"]
