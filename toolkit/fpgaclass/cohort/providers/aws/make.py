"""Making and removing one thing on AWS: tags and token go in the same call that makes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from fpgaclass.cohort.errors import GoneError, ProviderError
from fpgaclass.cohort.plans import Kind
from fpgaclass.cohort.port import PREFIX, Found, Marker, Order
from fpgaclass.cohort.providers.aws.client import AwsClient
from fpgaclass.cohort.providers.aws.inventory import shared_name
from fpgaclass.cohort.providers.guest import guest_script


def _tags(marker: Marker, *types: str) -> list[dict[str, Any]]:
    tags = [{"Key": name, "Value": value} for name, value in marker.tags().items()]
    tags.append({"Key": "Name", "Value": f"{marker.cohort} {marker.key}"})
    return [{"ResourceType": kind, "Tags": tags} for kind in types]


def create_key(client: AwsClient, order: Order) -> str:
    """Import the public key; the private one never leaves the instructor's machine."""
    name = shared_name(order.marker.cohort)
    key = order.resource.setting("public_key").encode()
    try:
        client.change(
            "ec2",
            "import_key_pair",
            KeyName=name,
            PublicKeyMaterial=key,
            TagSpecifications=_tags(order.marker, "key-pair"),
        )
    except ProviderError as trouble:
        if trouble.code != "InvalidKeyPair.Duplicate":
            raise
    return name


def create_firewall(client: AwsClient, order: Order, network: str | None) -> str:
    """Make the security group; its rules come in :func:`complete_firewall`."""
    name = shared_name(order.marker.cohort)
    where = {"VpcId": network} if network else {}
    made = client.change(
        "ec2",
        "create_security_group",
        GroupName=name,
        Description=f"fpgaclass cohort {order.marker.cohort}",
        TagSpecifications=_tags(order.marker, "security-group"),
        **where,
    )
    return str(made["GroupId"])


def complete_firewall(client: AwsClient, order: Order, identity: str) -> None:
    """Let the named networks reach port 22, and nobody anything else."""
    networks = order.resource.setting("ssh_from").split(",")
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "IpRanges": [{"CidrIp": net} for net in networks if ":" not in net],
        "Ipv6Ranges": [{"CidrIpv6": net} for net in networks if ":" in net],
    }
    try:
        client.change("ec2", "authorize_security_group_ingress", GroupId=identity, IpPermissions=[rule])
    except ProviderError as trouble:
        if trouble.code != "InvalidPermission.Duplicate":
            raise


def create_machine(client: AwsClient, order: Order, subnet: str | None, profile: str | None) -> str:
    """Start one machine, on demand or spot."""
    resource, offer = order.resource, order.offer
    disk = {
        "VolumeSize": int(resource.setting("disk_gb", "40")),
        "VolumeType": "gp3",
        "DeleteOnTermination": True,
    }
    arguments: dict[str, Any] = {
        "ImageId": resource.setting("image"),
        "InstanceType": offer.size,
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": order.token,
        "KeyName": order.made["key"],
        "InstanceInitiatedShutdownBehavior": "terminate",
        "UserData": guest_script(order.marker.expires, resource.hours),
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": disk}],
        "MetadataOptions": {"HttpTokens": "required"},
        "TagSpecifications": _tags(order.marker, "instance", "volume"),
        "SecurityGroupIds": [order.made["firewall"]],
    }
    if offer.zone:
        arguments["Placement"] = {"AvailabilityZone": offer.zone}
    if subnet:
        arguments["SubnetId"] = subnet
    if profile:
        arguments["IamInstanceProfile"] = {"Name": profile}
    if resource.setting("spot") == "True":
        once = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
        arguments["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": once}
    return str(client.change("ec2", "run_instances", **arguments)["Instances"][0]["InstanceId"])


def create_volume(client: AwsClient, order: Order, zone: str) -> str:
    """Make a volume in the zone of its machine."""
    made = client.change(
        "ec2",
        "create_volume",
        AvailabilityZone=zone,
        Size=int(order.resource.setting("size_gb")),
        VolumeType="gp3",
        Encrypted=True,
        ClientToken=order.token,
        TagSpecifications=_tags(order.marker, "volume"),
    )
    return str(made["VolumeId"])


def complete_volume(client: AwsClient, order: Order, identity: str) -> None:
    """Attach the volume to its machine."""
    machine = order.made[order.resource.machine]
    try:
        client.change("ec2", "attach_volume", VolumeId=identity, InstanceId=machine, Device="/dev/sdf")
    except ProviderError as trouble:
        if trouble.code != "VolumeInUse":
            raise


def create_address(client: AwsClient, order: Order) -> str:
    """Allocate an address. AWS takes no token here: the engine looks before it repeats."""
    tags = _tags(order.marker, "elastic-ip")
    return str(client.change("ec2", "allocate_address", Domain="vpc", TagSpecifications=tags)["AllocationId"])


def complete_address(client: AwsClient, order: Order, identity: str) -> None:
    """Give the address to its machine; AWS takes a repeated association as the same."""
    machine = order.made[order.resource.machine]
    client.change(
        "ec2", "associate_address", AllocationId=identity, InstanceId=machine, AllowReassociation=True
    )


def create_expiry(client: AwsClient, order: Order) -> str:
    """Let AWS itself end all machines of the cohort at its end, found by their tag.

    The schedule is made before the first machine, and names none: the automation document
    ``AWS-TerminateEC2Instance`` looks for the tag when the time comes.
    """
    name, end = shared_name(order.marker.cohort), order.marker.expires + timedelta(minutes=10)
    request = {
        "DocumentName": "AWS-TerminateEC2Instance",
        "TargetParameterName": "InstanceId",
        "Targets": [{"Key": f"tag:{PREFIX}cohort", "Values": [order.marker.cohort]}],
        "MaxConcurrency": "50",
        "MaxErrors": "100%",
    }
    try:
        client.change(
            "scheduler",
            "create_schedule",
            Name=name,
            ClientToken=order.token,
            ScheduleExpression=f"at({end.astimezone(UTC):%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": "arn:aws:scheduler:::aws-sdk:ssm:startAutomationExecution",
                "RoleArn": order.resource.setting("role"),
                "Input": json.dumps(request),
            },
        )
    except ProviderError as trouble:
        if trouble.code != "ConflictException":
            raise
    return f"schedule:{name}"


def create_budget(client: AwsClient, order: Order) -> str:
    """Let AWS write a mail when 80 % and when all of the cohort's money is spent."""
    name = shared_name(order.marker.cohort)
    start = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    mail = [{"SubscriptionType": "EMAIL", "Address": order.resource.setting("email")}]
    alarms = [
        {
            "Notification": {
                "NotificationType": "ACTUAL",
                "ComparisonOperator": "GREATER_THAN",
                "Threshold": percent,
                "ThresholdType": "PERCENTAGE",
            },
            "Subscribers": mail,
        }
        for percent in (80.0, 100.0)
    ]
    budget = {
        "BudgetName": name,
        "BudgetLimit": {"Amount": order.resource.setting("limit"), "Unit": "USD"},
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "TimePeriod": {"Start": start, "End": order.marker.expires + timedelta(days=1)},
        "CostFilters": {"TagKeyValue": [f"user:{PREFIX}cohort${order.marker.cohort}"]},
    }
    try:
        client.change(
            "budgets",
            "create_budget",
            AccountId=client.account,
            Budget=budget,
            NotificationsWithSubscribers=alarms,
        )
    except ProviderError as trouble:
        if trouble.code != "DuplicateRecordException":
            raise
    return f"budget:{name}"


def delete(client: AwsClient, found: Sequence[Found]) -> dict[str, ProviderError]:
    """Remove these; machines in one call, the others one by one."""
    errors: dict[str, ProviderError] = {}
    machines = [thing for thing in found if thing.kind == "machine"]
    for start in range(0, len(machines), 100):
        errors |= _terminate(client, machines[start : start + 100])
    for thing in found:
        if thing.kind == "machine":
            continue
        try:
            _DELETE[thing.kind](client, thing)
        except GoneError:
            continue
        except ProviderError as trouble:
            errors[thing.id] = trouble
    return errors


def _terminate(client: AwsClient, machines: Sequence[Found]) -> dict[str, ProviderError]:
    try:
        client.change("ec2", "terminate_instances", InstanceIds=[machine.id for machine in machines])
    except GoneError:
        if len(machines) == 1:
            return {}
    except ProviderError as trouble:
        if len(machines) == 1 or not trouble.outcome_known:
            return {machine.id: trouble for machine in machines}
    else:
        return {}
    # AWS refuses the whole call for one bad id.
    errors: dict[str, ProviderError] = {}
    for machine in machines:
        errors |= _terminate(client, [machine])
    return errors


def _release_address(client: AwsClient, thing: Found) -> None:
    described = client.read("ec2", "describe_addresses", AllocationIds=[thing.id])["Addresses"]
    for address in described:
        if association := address.get("AssociationId"):
            with suppress(GoneError):
                client.change("ec2", "disassociate_address", AssociationId=association)
    client.change("ec2", "release_address", AllocationId=thing.id)


def _name(thing: Found) -> str:
    return thing.id.partition(":")[2]


_DELETE: dict[Kind, Callable[[AwsClient, Found], object]] = {
    "address": _release_address,
    "volume": lambda client, thing: client.change("ec2", "delete_volume", VolumeId=thing.id),
    "firewall": lambda client, thing: client.change("ec2", "delete_security_group", GroupId=thing.id),
    "key": lambda client, thing: client.change("ec2", "delete_key_pair", KeyName=thing.id),
    "expiry": lambda client, thing: client.change("scheduler", "delete_schedule", Name=_name(thing)),
    "budget": lambda client, thing: client.change(
        "budgets", "delete_budget", AccountId=client.account, BudgetName=_name(thing)
    ),
}
