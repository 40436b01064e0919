"""The plan of a cohort as data: what, where, for how long, at what price; with a digest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Literal

from fpgaclass.cohort.errors import PlanRefusedError
from fpgaclass.core import digest_of

Kind = Literal["expiry", "budget", "key", "firewall", "machine", "volume", "address"]

# What is made first, and therefore removed last: nothing that costs money exists without its expiry.
WAVES: dict[Kind, int] = {
    "expiry": 0,
    "budget": 0,
    "key": 1,
    "firewall": 1,
    "machine": 2,
    "volume": 3,
    "address": 3,
}


@dataclass(frozen=True)
class Offer:
    """One way to get a machine: a size in a zone, at an estimated price an hour. Zone "" is any."""

    size: str
    zone: str
    hourly: float


@dataclass(frozen=True)
class Resource:
    """Something to be made.

    Attributes:
        key: its name in the cohort, such as ``seat/ada``, ``card/0`` or ``address/ada``.
        kind: what it is.
        student: whose it is; "" for shared ones.
        machine: for a volume or address, the key of the machine that it belongs to.
        hours: how long it lives.
        offers: where and how to try, in this order; one entry for what has no choice.
        settings: what the provider needs to know, as sorted pairs of text.
    """

    key: str
    kind: Kind
    student: str = ""
    machine: str = ""
    hours: float = 0.0
    offers: tuple[Offer, ...] = (Offer("", "", 0.0),)
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def wave(self) -> int:
        """When it is made: all of a wave exist before the next begins."""
        return WAVES[self.kind]

    def setting(self, name: str, default: str = "") -> str:
        """Return one of the settings."""
        return dict(self.settings).get(name, default)


@dataclass(frozen=True)
class QuotaUse:
    """How much of an account's limit the plan takes; ``limit`` is None when nobody has said it."""

    name: str
    needed: int
    limit: int | None = None


@dataclass(frozen=True)
class Plan:
    """What will be made, where, for how long, at what price and against which quota.

    Attributes:
        cohort, provider, region: whose and where.
        students: the logins.
        hours: how long it lives, from the moment of ``apply``.
        starts: when it is meant to begin, for people.
        resources: in the order of making.
        quotas: what it takes of the account's limits.
        currency, prices_dated: of the figures, which are estimates.
        max_cost: what it may cost at most.
        cost: of the first offers, for the whole time (estimate).
        cost_at_most: if every machine had to take its dearest offer (estimate).
        notes: what the instructor should know, such as sizes without a price.
        unpriced: sizes whose price is not known, and counts as 0.
    """

    cohort: str
    provider: str
    region: str
    students: tuple[str, ...]
    hours: float
    starts: datetime | None
    resources: tuple[Resource, ...]
    quotas: tuple[QuotaUse, ...]
    currency: str
    prices_dated: date
    max_cost: float | None
    cost: float
    cost_at_most: float
    notes: tuple[str, ...] = ()
    unpriced: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the plan; the same spec, roster and price book give the same."""
        return digest_of(json.dumps(asdict(self), sort_keys=True, default=str))

    def __getitem__(self, key: str) -> Resource:
        """Return the resource called ``key``; KeyError if there is none."""
        return self._by_key[key]

    def __contains__(self, key: str) -> bool:
        """Tell whether a resource of that name is in the plan."""
        return key in self._by_key

    @cached_property
    def _by_key(self) -> dict[str, Resource]:
        return {resource.key: resource for resource in self.resources}

    def of_kind(self, kind: Kind) -> tuple[Resource, ...]:
        """Return the resources of one kind."""
        return tuple(resource for resource in self.resources if resource.kind == kind)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as data that json can write, with its digest and the word ``estimate``."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return {**data, "digest": self.digest, "figures": "estimate"}

    def refuse_if_wrong(self) -> None:
        """Raise if the plan passes a limit that is known without asking the provider.

        Raises:
            PlanRefusedError: it could cost more than ``max_cost``, or nobody knows; or more than a quota.
        """
        if self.max_cost is not None and self.unpriced:
            raise PlanRefusedError(
                f"max_cost cannot be kept: nobody knows what {', '.join(self.unpriced)} costs",
                where=f"price book of {self.prices_dated}",
                next_step="add it to provisioning/prices.toml, or take a size that is there",
            )
        if self.max_cost is not None and self.cost_at_most > self.max_cost:
            raise PlanRefusedError(
                f"the plan could cost {self.cost_at_most:.2f} {self.currency} (estimate), "
                f"and max_cost is {self.max_cost:.2f}",
                where=f"cohort {self.cohort}, price book of {self.prices_dated}",
                next_step="fewer hours, smaller sizes, fewer cards; or a higher --max-cost",
            )
        for quota in self.quotas:
            if quota.limit is not None and quota.needed > quota.limit:
                zero = " (this account has none of it at all)" if quota.limit == 0 else ""
                raise PlanRefusedError(
                    f"the plan needs {quota.needed} {quota.name}, and the limit is {quota.limit}{zero}",
                    where=f"{self.provider} {self.region}".strip(),
                    next_step="ask the provider for a higher limit (it takes days), or plan less",
                )
