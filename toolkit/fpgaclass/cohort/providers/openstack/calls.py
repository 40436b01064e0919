"""Connections to OpenStack, and typed errors from its answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fpgaclass.cohort.errors import (
    AuthError,
    GoneError,
    LostError,
    ProviderError,
    QuotaError,
    RefusedError,
    ThrottleError,
)
from fpgaclass.cohort.port import scrub
from fpgaclass.core import ToolMissingError

T = TypeVar("T")


def connect(cloud: str) -> Any:
    """Return openstacksdk's connection to a cloud of clouds.yaml.

    Raises:
        ToolMissingError: openstacksdk is not installed.
        AuthError: clouds.yaml does not name it.
    """
    try:
        import openstack  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError as missing:
        step = "uv pip install openstacksdk (or fpgaclass[cohort])"
        raise ToolMissingError("provider openstack needs openstacksdk", next_step=step) from missing
    try:
        return openstack.connect(cloud=cloud)
    except Exception as trouble:  # the SDK raises many kinds for a bad clouds.yaml
        step = "download clouds.yaml from the dashboard, into ~/.config/openstack"
        raise AuthError(f"no connection to {cloud}: {scrub(str(trouble))}", next_step=step) from trouble


def typed(call: Callable[[], T]) -> T:
    """Run a call of the SDK; what it raises becomes one of our errors."""
    from keystoneauth1 import exceptions as keystone  # type: ignore[import-untyped,import-not-found,unused-ignore]
    from openstack import exceptions  # type: ignore[import-untyped,import-not-found,unused-ignore]

    login = "renew clouds.yaml's application credential in the dashboard"
    try:
        return call()
    except exceptions.HttpException as error:
        status, text = int(error.status_code or 0), scrub(str(error))
        code = str(status)
        if status == 401:
            raise AuthError(text, code=code, next_step=login) from error
        if "quota" in text.lower() and status in (403, 409, 413):
            raise QuotaError(text, code=code, next_step="ask the site's managers for more") from error
        if status == 403:
            raise AuthError(text, code=code, next_step=login) from error
        if status == 404:
            raise GoneError(text, code=code) from error
        if status in (413, 429):
            raise ThrottleError(text, code=code) from error
        if status == 400:
            raise RefusedError(text, code=code, next_step="check the cohort's openstack part") from error
        if status >= 500:
            raise LostError(text, code=code, next_step="try again") from error
        raise ProviderError(text, code=code) from error
    except (keystone.Unauthorized, keystone.AuthorizationFailure) as error:
        raise AuthError(scrub(str(error)), next_step=login) from error
    except keystone.ConnectFailure as error:
        raise LostError(f"no answer: {scrub(str(error))}", next_step="try again") from error
    except keystone.ClientException as error:
        step = "look whether the project has that service, and whether it is up"
        raise ProviderError(scrub(str(error)), next_step=step) from error
    except exceptions.SDKException as error:
        raise RefusedError(scrub(str(error)), next_step="check the cohort's openstack part") from error
