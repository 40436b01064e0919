"""Calls to AWS: one try each, under a rate limit, with typed errors from AWS's codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fpgaclass.cohort.calls import Caller
from fpgaclass.cohort.errors import (
    AuthError,
    CapacityError,
    GoneError,
    LostError,
    ProviderError,
    QuotaError,
    RefusedError,
    ThrottleError,
)
from fpgaclass.cohort.port import SpentTokenError, scrub
from fpgaclass.core import ToolMissingError

_LOGIN = "renew the credentials (aws sso login, or the environment), then run the command again"
_QUOTA = "ask for more at Service Quotas in AWS's console (it takes days), or plan less"
_ZONE = "add cohort.zones or seat.alternatives, use spot: false, or try again later"
_CLOCK = "set this machine's clock (timedatectl set-ntp true)"

# AWS's codes, not its texts, which change. What is not here is `other`.
_TYPES: dict[str, tuple[type[ProviderError], str]] = {
    "InsufficientInstanceCapacity": (CapacityError, _ZONE),
    "InsufficientHostCapacity": (CapacityError, _ZONE),
    "InsufficientReservedInstanceCapacity": (CapacityError, _ZONE),
    "InsufficientCapacity": (CapacityError, _ZONE),
    "InsufficientAddressCapacity": (CapacityError, _ZONE),
    "SpotMaxPriceTooLow": (CapacityError, _ZONE),
    "Unsupported": (CapacityError, "another zone or type: this zone does not have it"),
    "VcpuLimitExceeded": (QuotaError, _QUOTA),
    "InstanceLimitExceeded": (QuotaError, _QUOTA),
    "MaxSpotInstanceCountExceeded": (QuotaError, _QUOTA),
    "AddressLimitExceeded": (QuotaError, _QUOTA),
    "VolumeLimitExceeded": (QuotaError, _QUOTA),
    "SecurityGroupLimitExceeded": (QuotaError, _QUOTA),
    "ServiceQuotaExceededException": (QuotaError, _QUOTA),
    "RequestLimitExceeded": (ThrottleError, "wait"),
    "Throttling": (ThrottleError, "wait"),
    "ThrottlingException": (ThrottleError, "wait"),
    "EC2ThrottledException": (ThrottleError, "wait"),
    "TooManyRequestsException": (ThrottleError, "wait"),
    "UnauthorizedOperation": (AuthError, "ask your administrator for the rights in docs/cohort.md"),
    "AccessDenied": (AuthError, "ask your administrator for the rights in docs/cohort.md"),
    "AccessDeniedException": (AuthError, "ask your administrator for the rights in docs/cohort.md"),
    "AuthFailure": (AuthError, _LOGIN),
    "ExpiredToken": (AuthError, _LOGIN),
    "ExpiredTokenException": (AuthError, _LOGIN),
    "RequestExpired": (AuthError, f"{_LOGIN}; or {_CLOCK}"),
    "InvalidClientTokenId": (AuthError, _LOGIN),
    "UnrecognizedClientException": (AuthError, _LOGIN),
    "SignatureDoesNotMatch": (AuthError, _LOGIN),
    "RequestTimeTooSkewed": (AuthError, _CLOCK),
    "InvalidSignatureException": (AuthError, f"{_LOGIN}; or {_CLOCK}"),
    "OptInRequired": (AuthError, "finish the sign-up of the account, or enable the region"),
    "PendingVerification": (AuthError, "AWS is still verifying the account; wait for its mail"),
    "Blocked": (AuthError, "AWS has blocked the account; write to its support"),
    "IdempotentInstanceTerminated": (SpentTokenError, ""),
    "IdempotentParameterMismatch": (SpentTokenError, ""),
    "InternalError": (LostError, "try again"),
    "InternalFailure": (LostError, "try again"),
    "ServiceUnavailable": (LostError, "try again"),
    "Unavailable": (LostError, "try again"),
    "InvalidParameterValue": (RefusedError, "check the cohort's part for this provider"),
    "InvalidAMIID.NotFound": (RefusedError, "check cohort.aws.image: AMIs differ from region to region"),
    "InvalidAMIID.Malformed": (RefusedError, "check cohort.aws.image"),
    "InvalidKey.Format": (RefusedError, "check cohort.public_key: RSA or ED25519, one line of a .pub file"),
    "InvalidKeyPair.Format": (
        RefusedError,
        "check cohort.public_key: RSA or ED25519, one line of a .pub file",
    ),
    "InvalidParameterCombination": (RefusedError, "check the cohort's part for this provider"),
    "ResourceNotFoundException": (GoneError, ""),
    "NotFoundException": (GoneError, ""),
}


def typed(code: str, text: str, where: str) -> ProviderError:
    """Return the typed error of an AWS code."""
    gone = code.endswith((".NotFound", ".Unknown"))
    kind, step = _TYPES.get(code, (GoneError if gone else ProviderError, ""))
    return kind(f"{code}: {scrub(text)}", code=code, where=where, next_step=step or None)


class AwsClient:
    """The services of a region, called by name.

    Args:
        region: such as ``eu-central-1``.
        endpoint: another address for all of them, for tests.
        calls_per_second: what to stay below.
        pause_s: the first pause after a refusal.

    Raises:
        ToolMissingError: boto3 is not installed.
    """

    def __init__(
        self, region: str, endpoint: str | None = None, calls_per_second: float = 8.0, pause_s: float = 0.5
    ) -> None:
        try:
            import boto3  # type: ignore[import-untyped,unused-ignore]
        except ImportError as missing:
            step = "uv pip install boto3 (or fpgaclass[cohort])"
            raise ToolMissingError("provider aws needs boto3", next_step=step) from missing
        self.region = region
        with _told(f"aws {region}"):  # a profile of the environment that is not there
            self._session = boto3.session.Session(region_name=region)
        self._endpoint = endpoint
        self._services: dict[str, Any] = {}
        self._caller = Caller(calls_per_second, first_pause_s=pause_s)
        self._account = ""

    @property
    def account(self) -> str:
        """The account's number."""
        if not self._account:
            self.identify()
        return self._account

    def identify(self) -> dict[str, Any]:
        """Ask AWS who we are, and return its answer."""
        answer = self.read("sts", "get_caller_identity")
        self._account = str(answer["Account"])
        return answer

    def service(self, name: str) -> Any:
        """Return boto3's client of a service, which must not repeat a call on its own.

        botocore repeats what it got no answer to, and an address asked for twice is two addresses.
        """
        if name not in self._services:
            from botocore.config import Config  # type: ignore[import-untyped,unused-ignore]

            config = Config(
                retries={"total_max_attempts": 1, "mode": "standard"},
                connect_timeout=10,
                read_timeout=60,
                max_pool_connections=32,
            )
            self._services[name] = self._session.client(name, endpoint_url=self._endpoint, config=config)
        return self._services[name]

    def close(self) -> None:
        """End the connections; the next call opens new ones."""
        for service in self._services.values():
            service.close()

    def read(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Run an operation that changes nothing; asked again when its answer is lost."""
        return self._caller.read(lambda: self._call(service, operation, arguments))

    def change(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Run an operation that changes something; a lost answer raises LostError."""
        return self._caller.change(lambda: self._call(service, operation, arguments))

    def pages(self, service: str, operation: str, member: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Yield the members of all pages of a list."""
        while True:
            page = self.read(service, operation, **arguments)
            yield from page.get(member, [])
            token = page.get("NextToken")
            if not token:
                return
            arguments["NextToken"] = token

    def _call(self, service: str, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        with _told(f"aws {self.region} {operation}"):
            call: Callable[..., dict[str, Any]] = getattr(self.service(service), operation)
            return call(**arguments)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Give botocore's errors their types and remedies."""
    from botocore import exceptions, parsers  # type: ignore[import-untyped,unused-ignore]

    try:
        yield
    except exceptions.ClientError as error:
        details = error.response.get("Error", {})
        raise typed(details.get("Code", "Unknown"), details.get("Message", ""), where) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise AuthError("there are no AWS credentials", where=where, next_step=_LOGIN) from error
    except exceptions.ProfileNotFound as error:
        step = "name a profile that `aws configure list-profiles` shows in AWS_PROFILE, or unset it"
        raise AuthError(scrub(str(error)), where=where, next_step=step) from error
    except (exceptions.TokenRetrievalError, exceptions.SSOError) as error:
        raise AuthError(f"the sign-in has ended: {scrub(str(error))}", next_step=_LOGIN) from error
    except exceptions.HTTPClientError as error:
        raise LostError(f"no answer: {scrub(str(error))}", where=where, next_step="try again") from error
    except exceptions.EndpointConnectionError as error:
        step = "check cohort.region and the network, then run the command again"
        raise LostError(scrub(str(error)), where=where, next_step=step) from error
    except parsers.ResponseParserError as error:  # a page of a proxy or of a hotel's login, say
        step = "check the network (a proxy, a page that asks for a login), then run the command again"
        raise LostError("what answered is not AWS", where=where, next_step=step) from error
    except exceptions.BotoCoreError as error:
        raise ProviderError(scrub(str(error)), where=where) from error
