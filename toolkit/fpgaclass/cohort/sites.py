"""What only one provider needs to know of a cohort."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, field_validator

from fpgaclass.course.validated import Strict

_ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[\w./~-]*)?|http://127\.0\.0\.1(:[0-9]+)?/?")


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError("an address that begins with https://, since the token goes there")
    return text


class Aws(Strict):
    """What only AWS needs.

    Attributes:
        image: the AMI of the seats.
        card_image: the AMI of the card nodes (the FPGA Developer AMI); None takes ``image``.
        subnet: for accounts without a default network.
        instance_profile: the role the machines run with.
        expiry_role: the role that EventBridge Scheduler takes to end the cohort; None leaves that layer out.
        budget_email: who is told when the cost passes ``max_cost``; None sets no alarm.
        endpoint: another address of the API, for tests.
    """

    image: Annotated[str, StringConstraints(pattern=r"^ami-[0-9a-f]{8,17}$")]
    card_image: Annotated[str, StringConstraints(pattern=r"^ami-[0-9a-f]{8,17}$")] | None = None
    subnet: str | None = None
    instance_profile: str | None = None
    expiry_role: str | None = None
    budget_email: str | None = None
    endpoint: str | None = None


class Infn(Strict):
    """What only INFN Cloud needs.

    Attributes:
        orchestrator: the address of the PaaS Orchestrator.
        user_group: the IAM group that pays, such as ``users/catchall``.
        oidc_account: the account's name in oidc-agent; None reads the token from the environment.
        image: the operating system, ``distribution`` or ``distribution:version``.
        site_cloud: the name in clouds.yaml of the OpenStack project behind, to look for machines that the
            Orchestrator lost; None leaves that out.
    """

    orchestrator: Annotated[str, AfterValidator(_address)]
    user_group: str
    oidc_account: str | None = None
    image: str = "ubuntu:24.04"
    site_cloud: str | None = None


class OpenStack(Strict):
    """What only OpenStack needs: the name in clouds.yaml, the image and the networks."""

    cloud: str
    image: str
    network: str
    external_network: str | None = None


class Local(Strict):
    """What only this machine needs: the network on which the hosts live."""

    network: str = "10.66.0.0/24"

    @field_validator("network")
    @classmethod
    def _private(cls, text: str) -> str:
        network = ipaddress.IPv4Network(text)  # its ValueError names the host bits or the mask
        if not network.is_private or network.prefixlen > 27:
            raise ValueError("a private network such as 10.66.0.0/24, with room for hosts")
        return text
