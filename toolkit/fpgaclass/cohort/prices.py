"""The dated price book: what a machine costs an hour, what quota it counts against, what is retired."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from fpgaclass.cohort.errors import PlanRefusedError
from fpgaclass.cohort.places import provisioning
from fpgaclass.core import InvalidInputError

HOURS_A_MONTH = 730.0


@dataclass(frozen=True)
class Size:
    """A type or flavour.

    Attributes:
        name: the provider's name.
        hour: the list price of an hour in the book's base region.
        vcpus, memory_gb, cards: what it has.
        quota: the limit it counts against, in vCPUs (in hosts for ``local``).
        not_in: regions known to lack it.
        known: False when the book has no line for it, and the price is therefore 0 and unknown.
    """

    name: str
    hour: float = 0.0
    vcpus: int = 0
    memory_gb: int = 0
    cards: int = 0
    quota: str = "vCPUs"
    not_in: tuple[str, ...] = ()
    known: bool = True


@dataclass(frozen=True)
class PriceBook:
    """The prices of one provider; every figure made from them is an estimate.

    Attributes:
        provider, currency, source: whose prices they are, and from where.
        dated: when they were copied.
        sizes: by name.
        retired: types that are no longer sold: name to (date, what to take instead).
    """

    provider: str
    dated: date
    currency: str
    source: str
    sizes: Mapping[str, Size]
    retired: Mapping[str, tuple[date, str]]
    volume_gb_month: float = 0.0
    address_hour: float = 0.0
    spot_factor: float = 1.0
    region_factor: Mapping[str, float] = field(default_factory=dict)
    default_region_factor: float = 1.0

    @classmethod
    def load(cls, provider: str, path: Path | None = None) -> PriceBook:
        """Read the book of a provider from prices.toml.

        Raises:
            InvalidInputError: the file is not a price book.
        """
        path = path or provisioning("prices.toml")
        try:
            book = tomllib.loads(path.read_text(encoding="utf-8"))
            part: dict[str, Any] = dict(book[provider])
            sizes = {
                name: Size(name=name, **{**line, "not_in": tuple(line.get("not_in", ()))})
                for name, line in part.pop("sizes", {}).items()
            }
            retired = {name: (line["on"], line["instead"]) for name, line in part.pop("retired", {}).items()}
            return cls(provider=provider, dated=book["dated"], sizes=sizes, retired=retired, **part)
        except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as trouble:
            what = f"this is no price book for {provider}: {trouble!r}"
            raise InvalidInputError(what, where=str(path)) from trouble

    def size(self, name: str, region: str | None = None) -> Size:
        """Return a size; one that the book does not know comes back with ``known`` False.

        Raises:
            PlanRefusedError: it is retired, or the region is known to lack it.
        """
        family = name.split(".")[0]
        for old, (when, instead) in self.retired.items():
            if name == old or (old.split(".")[0] == family and name not in self.sizes):
                raise PlanRefusedError(
                    f"{name} was retired on {when}; nothing of its family can be started any more",
                    where=f"{self.provider}, price book of {self.dated}",
                    next_step=f"use {instead} (the same work on a newer card) in the cohort's cards.size",
                )
        size = self.sizes.get(name, Size(name=name, known=False))
        if region in size.not_in:
            raise PlanRefusedError(
                f"{region} has no {name}",
                where=f"{self.provider}, price book of {self.dated}",
                next_step="another region, such as eu-central-1 or eu-west-2",
            )
        return size

    def hourly(self, size: Size, region: str | None, spot: bool) -> float:
        """Return the estimated price of an hour in a region."""
        return size.hour * self._factor(region) * (self.spot_factor if spot else 1.0)

    def volume_hourly(self, gigabytes: int, region: str | None) -> float:
        """Return the estimated price of an hour of so many gigabytes of disk."""
        return gigabytes * self.volume_gb_month / HOURS_A_MONTH * self._factor(region)

    def _factor(self, region: str | None) -> float:
        if region is None:
            return 1.0
        return self.region_factor.get(region, self.default_region_factor)
