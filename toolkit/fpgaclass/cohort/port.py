"""The port to every provider: what the engine asks of a cloud, and what it gets back.

An adapter is a class with the methods of :class:`Provider`. It holds no state: what exists is what the
cloud's inventory shows, found by tags that were given at creation.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from fpgaclass.cohort.errors import ProviderError
from fpgaclass.cohort.plans import Kind, Offer, Plan, Resource

PREFIX = "fpgaclass:"
FAR = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of what carries none of its own, such as a key pair."""
_SECRET = re.compile(
    r"(eyJ[\w-]{8,}\.[\w.-]+|A[SK]IA[0-9A-Z]{12,}|-----BEGIN[^-]+-----(?s:.*?-----END[^-]+-----)?"
    r"|(?<=://)[^/@\s]+(?=@)"
    r"|(?i:bearer|token|passw(or)?d|secret|(private|access|api)_?key)[\"']?[=: ]+[\"']?[^\s\"',}]+)"
)
_COUNT = re.compile(r"[0-9]{1,9}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def printable(text: str) -> str:
    """Return a text that a terminal shows as it is: what steers one, or reorders letters, becomes ``?``."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def scrub(text: str) -> str:
    """Return a message without anything that looks like a credential, of one line, and printable."""
    return printable(" ".join(_SECRET.sub("(hidden)", text).split()))[:500]


def as_address(text: str) -> str:
    """Return an address that a cloud told, or "" if it is none.

    It becomes an argument of ssh and a variable of Ansible, where an option or ``{{ }}`` would be obeyed.
    """
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text if _HOST.fullmatch(text) else ""


@dataclass(frozen=True)
class Marker:
    """Whose something is; every made thing carries it from its first moment, as tags.

    Attributes:
        cohort, key: the cohort and the resource.
        generation: counts the times that the resource had to be made anew.
        expires: when it must be gone, UTC.
    """

    cohort: str
    key: str
    generation: int
    expires: datetime

    def tags(self) -> dict[str, str]:
        """Return the tags; :meth:`read` is the reverse."""
        return {
            f"{PREFIX}managed": "1",
            f"{PREFIX}cohort": self.cohort,
            f"{PREFIX}key": self.key,
            f"{PREFIX}generation": str(self.generation),
            f"{PREFIX}expires": self.expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    @classmethod
    def read(cls, tags: Mapping[str, str]) -> Marker | None:
        """Return the marker that the tags spell, or None where they are not ours.

        Tags that somebody bent are still ours: what cannot be read becomes generation 0, or expired.
        """
        if tags.get(f"{PREFIX}managed") != "1" or not tags.get(f"{PREFIX}cohort"):
            return None
        generation = tags.get(f"{PREFIX}generation", "0")
        try:
            expires = datetime.strptime(tags.get(f"{PREFIX}expires", ""), "%Y-%m-%dT%H:%M:%SZ")
        except ValueError:
            expires = datetime(1970, 1, 1)
        return cls(
            cohort=printable(tags[f"{PREFIX}cohort"]),
            key=printable(tags.get(f"{PREFIX}key", "")),
            generation=int(generation) if _COUNT.fullmatch(generation) else 0,
            expires=expires.replace(tzinfo=UTC),
        )


@dataclass(frozen=True)
class Order:
    """One thing to be made now.

    Attributes:
        resource: what.
        offer: the size and zone to try.
        marker: whose; becomes its tags.
        made: the provider's ids of what was made before it, by key.
    """

    resource: Resource
    offer: Offer
    marker: Marker
    made: Mapping[str, str] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """The client token: the same for a repeated call, another for another generation, size or zone."""
        marker = self.marker
        words = (marker.cohort, marker.key, str(marker.generation), self.offer.size, self.offer.zone)
        return hashlib.sha256("|".join(words).encode()).hexdigest()[:48]


@dataclass(frozen=True)
class Found:
    """Something of ours that the cloud's inventory shows.

    Attributes:
        id: the provider's id.
        kind: what it is.
        marker: whose it is.
        status: ``pending``, ``ready``, ``failed``, ``stopped`` (by somebody, with the work on it), or
            ``leaving`` (being deleted, still there).
        size, zone: what was given.
        address: where to reach a machine, or the address itself; "" for what is no address.
        trouble: for ``failed``, the typed reason.
        busy: it cannot be deleted at this moment; ask again later.
    """

    id: str
    kind: Kind
    marker: Marker
    status: str = "ready"
    size: str = ""
    zone: str = ""
    address: str = ""
    trouble: ProviderError | None = None
    busy: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", as_address(self.address))


@dataclass(frozen=True)
class Finding:
    """What a look at the provider before spending showed.

    Attributes:
        ok: False stops the apply.
        what: one line.
        next_step: the remedy.
    """

    ok: bool
    what: str
    next_step: str = ""


@dataclass(frozen=True)
class Capabilities:
    """What a provider is like.

    Attributes:
        tokens: kinds whose creation is safe to repeat with the same client token.
        grace_s: how long something new may be missing from the inventory.
        calls_per_second: what its API takes before it throttles.
        workers: how many calls to have under way at once.
        poll_s: pause between two looks while waiting.
        user: the login name on its machines.
    """

    tokens: frozenset[Kind] = frozenset()
    grace_s: float = 0.0
    calls_per_second: float = 10.0
    workers: int = 8
    poll_s: float = 5.0
    user: str = "ubuntu"


class SpentTokenError(ProviderError):
    """The client token belongs to something gone, or made differently: a new generation is due."""

    kind = "spent"


@runtime_checkable
class Provider(Protocol):
    """A cloud, seen from the engine. Every method raises typed ``ProviderError``."""

    name: str
    capabilities: Capabilities

    def account(self) -> str:
        """Return whose the credentials are, as the cloud names an account, project or user; "" is unknown."""

    def preflight(self, plan: Plan) -> tuple[Finding, ...]:
        """Look, changing nothing, whether the plan can be made: credentials, quota, offering, clock."""

    def inventory(self, cohort: str | None, kinds: Collection[Kind] | None = None) -> tuple[Found, ...]:
        """Return what is there and carries our tags: of one cohort, or of any; of these kinds, or of all."""

    def create(self, order: Order) -> str:
        """Make one thing, with its tags and token in the same call, and return its id."""

    def complete(self, order: Order, identity: str) -> None:
        """Do what is left after creation, such as attaching; repeating it changes nothing."""

    def delete(self, found: Sequence[Found]) -> dict[str, ProviderError]:
        """Remove these; return the errors by id. What is gone already is no error."""
