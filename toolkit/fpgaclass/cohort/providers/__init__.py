"""The clouds behind the one port; a cloud's package loads when its provider is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpgaclass.cohort.port import Provider
    from fpgaclass.cohort.spec import CohortSpec


def connect(spec: CohortSpec) -> Provider:
    """Return the provider that a cohort asks for.

    Raises:
        ToolMissingError: the provider's package is not installed.
        AuthError: there are no credentials for it.
    """
    if spec.provider == "aws":
        from fpgaclass.cohort.providers.aws import AwsProvider

        assert spec.aws
        return AwsProvider(
            spec.region or "",
            subnet=spec.aws.subnet,
            profile=spec.aws.instance_profile,
            endpoint=spec.aws.endpoint,
        )
    if spec.provider == "infn":
        from fpgaclass.cohort.providers.infn import InfnProvider

        assert spec.infn
        return InfnProvider(spec.infn)
    if spec.provider == "openstack":
        from fpgaclass.cohort.providers.openstack import OpenStackProvider

        assert spec.openstack
        return OpenStackProvider(spec.openstack)
    from fpgaclass.cohort.providers.local import LocalProvider

    return LocalProvider(spec.local.network)


__all__ = ["connect"]
