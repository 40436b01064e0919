"""From a spec, a roster and a price book to a plan, without asking anyone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fpgaclass.cohort.plans import Offer, Plan, QuotaUse, Resource
from fpgaclass.cohort.prices import PriceBook, Size
from fpgaclass.cohort.roster import Student
from fpgaclass.cohort.spec import CohortSpec


def make_plan(
    spec: CohortSpec, students: Sequence[Student], *, prices: PriceBook | None = None, public_key: str = ""
) -> Plan:
    """Plan a cohort. Nothing is asked of any provider, and nothing is written.

    Args:
        spec: what is wanted.
        students: who gets a seat.
        prices: the price book; None takes the shipped one.
        public_key: the instructor's OpenSSH public key, which may log in everywhere.

    Raises:
        PlanRefusedError: a size is retired, or the region is known to lack it. What passes ``max_cost`` or
            a quota is refused later, by :meth:`Plan.refuse_if_wrong`, so that it can still be printed.
    """
    prices = prices or PriceBook.load(spec.provider)
    resources = sorted(_resources(spec, students, prices, public_key), key=lambda r: (r.wave, r.key))
    first = sum(r.hours * r.offers[0].hourly for r in resources)
    dearest = sum(r.hours * max(offer.hourly for offer in r.offers) for r in resources)
    return Plan(
        cohort=spec.name,
        provider=spec.provider,
        region=spec.region or "",
        students=tuple(student.login for student in students),
        hours=spec.hours,
        starts=spec.starts,
        resources=tuple(resources),
        quotas=_quotas(spec, resources, prices),
        currency=prices.currency,
        prices_dated=prices.dated,
        max_cost=spec.max_cost,
        cost=round(first, 2),
        cost_at_most=round(dearest, 2),
        notes=_notes(spec, students, resources, prices),
        unpriced=_unpriced(resources, prices),
    )


def _resources(
    spec: CohortSpec, students: Sequence[Student], prices: PriceBook, public_key: str
) -> Iterator[Resource]:
    # The Orchestrator makes a deployment's network, key and disk along with it, from the template.
    apart = spec.provider in ("aws", "openstack")
    hours = spec.hours
    if spec.aws and spec.aws.expiry_role:
        yield Resource("expiry", "expiry", hours=hours, settings=(("role", spec.aws.expiry_role),))
    if spec.aws and spec.aws.budget_email and spec.max_cost:
        told = _pairs(email=spec.aws.budget_email, limit=f"{spec.max_cost:.2f}")
        yield Resource("budget", "budget", hours=hours, settings=told)
    if apart:
        yield Resource("key", "key", hours=hours, settings=(("public_key", public_key),))
        yield Resource("firewall", "firewall", hours=hours, settings=(("ssh_from", ",".join(spec.ssh_from)),))
    shared = {} if apart else {"public_key": public_key}
    wanted = [(f"seat/{student.login}", student.login, "seat", spec.seat) for student in students]
    if spec.hub:
        wanted.append(("hub", "", "hub", spec.hub))
    choices = {
        part: _offers(
            spec, (part.size, *part.alternatives), part.spot, part.disk_gb, prices, fixed=part.public_address
        )
        for *_, part in wanted
    }
    image = _image(spec, card=False)
    for key, login, role, part in wanted:
        pairs = _pairs(role=role, disk_gb=part.disk_gb, spot=part.spot, image=image, **shared)
        yield Resource(key, "machine", login, "", hours, choices[part], pairs)
        if apart and part.volume_gb:
            price = prices.volume_hourly(part.volume_gb, spec.region)
            once, size = (Offer("", "", price),), _pairs(size_gb=part.volume_gb)
            yield Resource(f"volume/{login or key}", "volume", login, key, hours, once, size)
        if apart and part.public_address:
            once = (Offer("", "", prices.address_hour),)
            yield Resource(f"address/{login or key}", "address", login, key, hours, once)
    cards = spec.cards
    offers = _offers(spec, (cards.size, *cards.alternatives), cards.spot, cards.disk_gb, prices)
    for number in range(cards.count):
        pairs = _pairs(
            role="card",
            disk_gb=cards.disk_gb,
            spot=cards.spot,
            image=_image(spec, card=True),
            board=cards.board,
            **shared,
        )
        yield Resource(f"card/{number}", "machine", "", "", cards.hours or hours, offers, pairs)


def _pairs(**settings: object) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, str(value)) for name, value in settings.items()))


def _image(spec: CohortSpec, *, card: bool) -> str:
    if spec.provider == "aws" and spec.aws:
        return (spec.aws.card_image or spec.aws.image) if card else spec.aws.image
    part = spec.infn if spec.provider == "infn" else spec.openstack if spec.provider == "openstack" else None
    return part.image if part else ""


def _offers(
    spec: CohortSpec,
    sizes: tuple[str, ...],
    spot: bool,
    disk_gb: int,
    prices: PriceBook,
    *,
    fixed: bool = False,
) -> tuple[Offer, ...]:
    """Every zone with the first size before any zone with the next: few care where, many care what.

    A machine without a fixed address has another public one, which costs as much, unless its subnet has none.
    """
    given = not fixed and not (spec.aws and spec.aws.subnet)
    disk = prices.volume_hourly(disk_gb, spec.region) + (prices.address_hour if given else 0.0)
    found = []
    for name in sizes:
        hourly = prices.hourly(prices.size(name, spec.region), spec.region, spot) + disk
        found += [Offer(name, zone, round(hourly, 6)) for zone in spec.zones or ("",)]
    return tuple(found)


def _quotas(spec: CohortSpec, resources: Sequence[Resource], prices: PriceBook) -> tuple[QuotaUse, ...]:
    if spec.provider == "local":
        return ()
    needed: dict[str, int] = {}
    for resource in resources:
        if resource.kind == "machine":
            size = prices.size(resource.offers[0].size)
            needed[size.quota] = needed.get(size.quota, 0) + size.vcpus
            if spec.provider in ("infn", "openstack"):
                needed["machines"] = needed.get("machines", 0) + 1
        elif resource.kind == "address":
            needed["addresses"] = needed.get("addresses", 0) + 1
    return tuple(QuotaUse(name, needed[name], spec.quota.get(name)) for name in sorted(needed))


def _unpriced(resources: Sequence[Resource], prices: PriceBook) -> tuple[str, ...]:
    """Return the sizes whose price nobody knows, where machines cost anything."""
    if not any(size.hour for size in prices.sizes.values()):
        return ()
    sizes = {offer.size for r in resources if r.kind == "machine" for offer in r.offers}
    return tuple(sorted(name for name in sizes if not prices.size(name).known))


def _notes(
    spec: CohortSpec, students: Sequence[Student], resources: Sequence[Resource], prices: PriceBook
) -> tuple[str, ...]:
    notes = []
    if without := sum(not student.public_key for student in students):
        notes.append(
            f"{without} of {len(students)} students have no public_key in a roster: no ssh, only a hub"
        )
    sizes: dict[str, Size] = {
        offer.size: prices.size(offer.size)
        for resource in resources
        if resource.kind == "machine"
        for offer in resource.offers
    }
    counted = {"machines", "addresses", *(size.quota for size in prices.sizes.values())}
    for name in sorted(set(spec.quota) - counted):
        notes.append(f"quota: nothing counts against {name}; known: {', '.join(sorted(counted))}")
    for name, size in sorted(sizes.items()):
        if not size.known:
            notes.append(f"{name} is not in the price book of {prices.dated}: its price and quota count as 0")
    if spec.cards.count and spec.provider != "local":
        size = prices.size(spec.cards.size)
        if size.known and size.cards < spec.cards.per_node:
            notes.append(
                f"{spec.cards.size} has {size.cards} cards, and cards.per_node says {spec.cards.per_node}"
            )
    if spec.provider == "aws" and spec.aws and not spec.aws.expiry_role:
        notes.append(
            "aws.expiry_role is not set: no scheduler will end the cohort; the machines and the sweep will"
        )
    if spec.provider == "aws" and spec.aws and not (spec.aws.budget_email and spec.max_cost):
        notes.append("no budget alarm: it needs aws.budget_email and max_cost")
    if spec.provider in ("infn", "openstack"):
        notes.append(
            "nothing at this site ends a cohort by itself: on a machine that stays on, run "
            "fpgaclass cohort sweep --install-timer after apply"
        )
    if (spec.seat.spot or spec.cards.spot) and spec.provider == "aws":
        notes.append("spot prices move all day; the estimate takes a fixed part of the list price")
    return tuple(notes)
