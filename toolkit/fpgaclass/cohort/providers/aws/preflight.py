"""A look at an AWS account before money is spent: credentials, clock, offering, quota, image."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from fpgaclass.cohort.errors import AuthError, ProviderError
from fpgaclass.cohort.plans import Plan
from fpgaclass.cohort.port import Finding
from fpgaclass.cohort.providers.aws.client import AwsClient

# Service Quotas' codes of the limits that plans count against, in vCPUs; EC2 keeps addresses apart.
_QUOTAS = {
    "F vCPUs": ("ec2", "L-74FC7D96"),
    "standard vCPUs": ("ec2", "L-1216C47A"),
    "addresses": ("ec2", "L-0263D0A3"),
}
_SKEW_S = 120


def preflight(client: AwsClient, plan: Plan) -> tuple[Finding, ...]:
    """Return what was found; an AuthError becomes a finding, too."""
    try:
        answer = client.identify()
    except AuthError as trouble:
        return (Finding(False, trouble.what, trouble.next_step or ""),)
    findings = [Finding(True, f"account {answer['Account']}")]
    findings += _clock(answer)
    findings += _offering(client, plan)
    findings += _quota(client, plan)
    return tuple(findings)


def _clock(answer: dict[str, Any]) -> Iterator[Finding]:
    stamp = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if stamp:
        skew = abs((datetime.now(UTC) - parsedate_to_datetime(stamp)).total_seconds())
        if skew > _SKEW_S:
            step = "set this machine's clock (timedatectl set-ntp true)"
            yield Finding(False, f"this machine's clock is {skew:.0f} s off AWS's", step)


def _offering(client: AwsClient, plan: Plan) -> Iterator[Finding]:
    sizes = sorted({offer.size for machine in plan.of_kind("machine") for offer in machine.offers})
    zones = sorted({offer.zone for machine in plan.of_kind("machine") for offer in machine.offers} - {""})
    offered: dict[str, set[str]] = {size: set() for size in sizes}
    place = "availability-zone" if zones else "region"
    arguments = {"LocationType": place, "Filters": [{"Name": "instance-type", "Values": sizes}]}
    for line in client.pages("ec2", "describe_instance_type_offerings", "InstanceTypeOfferings", **arguments):
        offered.setdefault(line["InstanceType"], set()).add(line["Location"])
    first = {machine.offers[0].size for machine in plan.of_kind("machine")}
    for size in sizes:
        here = offered[size] & set(zones) if zones else offered[size]
        if not here:
            where = f"the zones {', '.join(zones)}" if zones else plan.region
            other = f"; it is in {', '.join(sorted(offered[size]))}" if offered[size] else ""
            yield Finding(size not in first, f"{where} have no {size}{other}", "another region, zone or size")


def _quota(client: AwsClient, plan: Plan) -> Iterator[Finding]:
    for use in plan.quotas:
        if use.name not in _QUOTAS or use.limit is not None:
            continue
        service, code = _QUOTAS[use.name]
        try:
            answer = client.read("service-quotas", "get_service_quota", ServiceCode=service, QuotaCode=code)
        except ProviderError as trouble:
            yield Finding(True, f"the quota of {use.name} is not known: {trouble.code or trouble.what}")
            continue
        limit = int(answer["Quota"]["Value"])
        what = f"{use.needed} of {limit} {use.name}"
        step = f"ask for more at Service Quotas ({code}); it takes days" if use.needed > limit else ""
        yield Finding(use.needed <= limit, what if use.needed <= limit else f"the plan needs {what}", step)
