"""What an AWS account holds that carries our tags."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from fpgaclass.cohort.errors import CapacityError, GoneError, ProviderError
from fpgaclass.cohort.plans import Kind
from fpgaclass.cohort.port import FAR, PREFIX, Found, Marker
from fpgaclass.cohort.providers.aws.client import AwsClient

_STATES = {"pending": "pending", "running": "ready", "stopping": "stopped", "stopped": "stopped"}


def shared_name(cohort: str) -> str:
    """Return the name of what a cohort has one of: its key, firewall, schedule and budget."""
    return f"fpgaclass-{cohort}"


def inventory(client: AwsClient, cohort: str | None, kinds: Collection[Kind] | None) -> Iterator[Found]:
    """Yield everything of a cohort, or of any, of these kinds, or of all."""
    looks: dict[Kind, Callable[[AwsClient, str | None], Iterator[Found]]] = {
        "machine": _machines,
        "address": _addresses,
        "volume": _volumes,
        "firewall": _firewalls,
        "key": _keys,
        "expiry": _schedules,
        "budget": _budgets,
    }
    for kind, look in looks.items():
        if kinds is None or kind in kinds:
            yield from look(client, cohort)


def _filters(cohort: str | None) -> list[dict[str, Any]]:
    if cohort is None:
        return [{"Name": f"tag:{PREFIX}managed", "Values": ["1"]}]
    return [{"Name": f"tag:{PREFIX}cohort", "Values": [cohort]}]


def _marker(tags: list[dict[str, str]]) -> Marker | None:
    return Marker.read({tag["Key"]: tag["Value"] for tag in tags})


def _machines(client: AwsClient, cohort: str | None) -> Iterator[Found]:
    alive = [
        {
            "Name": "instance-state-name",
            "Values": ["pending", "running", "shutting-down", "stopping", "stopped"],
        }
    ]
    filters = _filters(cohort) + alive
    for reservation in client.pages("ec2", "describe_instances", "Reservations", Filters=filters):
        for machine in reservation["Instances"]:
            marker = _marker(machine.get("Tags", []))
            if marker is None:
                continue
            reason = machine.get("StateReason", {}).get("Code", "")
            trouble: ProviderError | None = None
            status = _STATES.get(machine["State"]["Name"], "leaving")
            if reason.startswith("Server."):  # AWS stopped it, not a person
                status = "failed" if status == "stopped" else status
                kind = CapacityError if "Capacity" in reason or "Spot" in reason else ProviderError
                trouble = kind(f"the machine stopped: {reason or machine['State']['Name']}", code=reason)
            yield Found(
                id=machine["InstanceId"],
                kind="machine",
                marker=marker,
                status=status,
                size=machine.get("InstanceType", ""),
                zone=machine.get("Placement", {}).get("AvailabilityZone", ""),
                address=machine.get("PublicIpAddress") or machine.get("PrivateIpAddress", ""),
                trouble=trouble,
            )


def _addresses(client: AwsClient, cohort: str | None) -> Iterator[Found]:
    for address in client.read("ec2", "describe_addresses", Filters=_filters(cohort))["Addresses"]:
        if marker := _marker(address.get("Tags", [])):
            status = "ready" if address.get("AssociationId") else "pending"
            yield Found(
                address["AllocationId"], "address", marker, status, address=address.get("PublicIp", "")
            )


def _volumes(client: AwsClient, cohort: str | None) -> Iterator[Found]:
    for volume in client.pages("ec2", "describe_volumes", "Volumes", Filters=_filters(cohort)):
        marker = _marker(volume.get("Tags", []))
        # A root disk carries its machine's marker and goes with the machine; ours carry their own key.
        if marker is None or (not marker.key.startswith("volume/") and volume["State"] == "in-use"):
            continue
        leaving = volume["State"] in ("deleting", "deleted")
        status = "leaving" if leaving else "ready" if volume.get("Attachments") else "pending"
        yield Found(volume["VolumeId"], "volume", marker, status)


def _firewalls(client: AwsClient, cohort: str | None) -> Iterator[Found]:
    for group in client.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=_filters(cohort)):
        if marker := _marker(group.get("Tags", [])):
            status = "ready" if group.get("IpPermissions") else "pending"
            yield Found(group["GroupId"], "firewall", marker, status)


def _keys(client: AwsClient, cohort: str | None) -> Iterator[Found]:
    for key in client.read("ec2", "describe_key_pairs", Filters=_filters(cohort))["KeyPairs"]:
        if marker := _marker(key.get("Tags", [])):
            yield Found(key["KeyName"], "key", marker)


def _schedules(client: AwsClient, cohort: str | None) -> Iterator[Found]:
    """Schedules take no tags; their name is the marker, and only ours begin like that."""
    prefix = shared_name(cohort or "")
    for schedule in client.pages("scheduler", "list_schedules", "Schedules", NamePrefix=prefix):
        name = schedule["Name"]
        if cohort is None or name == prefix:
            of = name.removeprefix(shared_name(""))
            # Only a sweep, which asks for every cohort, needs to know the end.
            end = _schedule_end(client, name) if cohort is None else FAR
            yield Found(f"schedule:{name}", "expiry", Marker(of, "expiry", 0, end))


def _schedule_end(client: AwsClient, name: str) -> datetime:
    try:
        text = client.read("scheduler", "get_schedule", Name=name)["ScheduleExpression"]
        return datetime.strptime(text, "at(%Y-%m-%dT%H:%M:%S)").replace(tzinfo=UTC)
    except (GoneError, ValueError):  # gone, or somebody else's that is called like ours: it has no end
        return FAR


def _budgets(client: AwsClient, cohort: str | None) -> Iterator[Found]:
    """Budgets are looked up by name; their end is the cohort's."""
    prefix = shared_name(cohort or "")
    for budget in client.pages("budgets", "describe_budgets", "Budgets", AccountId=client.account):
        name = budget["BudgetName"]
        if name == prefix or (cohort is None and name.startswith(prefix)):
            end = budget.get("TimePeriod", {}).get("End", FAR)
            of = name.removeprefix(shared_name(""))
            yield Found(f"budget:{name}", "budget", Marker(of, "budget", 0, end.astimezone(UTC)))
