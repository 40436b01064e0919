"""A cohort's cards under the leases of its site: found by name, made if asked for, and kept to."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from fpgaclass.cohort.database import now
from fpgaclass.cohort.errors import PlanRefusedError, RefusedError
from fpgaclass.cohort.leases.blazar import Blazar, Window, keep_to
from fpgaclass.cohort.leases.book import LeaseBook
from fpgaclass.cohort.spec import CohortFile, card_names, load_spec


def follow_site(
    path: Path | str,
    *,
    between: tuple[datetime, datetime] | None = None,
    url: str | None = None,
    connection: Any = None,
) -> tuple[Window, ...]:
    """Keep students' turns inside the site's leases of the cards; run it again after one has changed.

    The leases are those of Blazar that carry the cohort's name, in the OpenStack project of the cohort, or
    behind its Orchestrator. Where none of them covers a card it is blocked, up to the rules' horizon.

    Args:
        path: course.yaml, its folder, or the cohort's own file.
        between: lease the cards' nodes from the site for this time first, unless they are.
        url: the state's database; None is the default one.
        connection: openstacksdk's, instead of the one that clouds.yaml describes.

    Returns:
        the site's leases that are not over, by time.

    Raises:
        PlanRefusedError: the cohort has no cards, or no OpenStack project to ask.
        RefusedError: the project has no Blazar, or no such flavour.
        ProviderError: the site has nothing free then.
    """
    file = load_spec(path)
    spec = file.spec
    if not spec.cards.count:
        raise PlanRefusedError("the cohort has no cards to lease", where=str(file.path))
    cloud = connection if connection is not None else _connect(file)
    site = _blazar(cloud)
    if between is not None:
        site.ensure_window(spec.name, *between, _nodes(cloud, spec.cards.size, spec.cards.count))
    windows = site.windows(spec.name)
    book = LeaseBook(spec.name, spec.leases, url=url, card_hours=spec.cards.hours)
    book.ensure_cards(card_names(spec))
    keep_to(book, card_names(spec), windows, now=now())
    return windows


def _connect(file: CohortFile) -> Any:
    spec = file.spec
    name = spec.openstack.cloud if spec.openstack else spec.infn.site_cloud if spec.infn else None
    if name is None:
        step = "only a site with OpenStack has Blazar: cohort.openstack.cloud, or cohort.infn.site_cloud"
        raise PlanRefusedError(
            f"provider {spec.provider} has no site to ask", where=str(file.path), next_step=step
        )
    from fpgaclass.cohort.providers.openstack.calls import connect

    return connect(name)


def _blazar(cloud: Any) -> Blazar:
    from fpgaclass.cohort.providers.openstack.calls import typed

    endpoint = typed(lambda: cloud.session.get_endpoint(service_type="reservation"))
    if not endpoint:
        step = "ask the site whether it runs Blazar; without it, fpgaclass lease block keeps cards free"
        raise RefusedError("the project's catalogue has no reservation service", next_step=step)
    return Blazar(str(endpoint).rstrip("/").removesuffix("/v1"), str(typed(cloud.session.get_token)))


def _nodes(cloud: Any, size: str, count: int) -> dict[str, Any]:
    """Return the reservation of so many machines of a flavour, as Blazar's flavour plugin takes it."""
    from fpgaclass.cohort.providers.openstack.calls import typed

    flavour = typed(lambda: cloud.compute.find_flavor(size))
    if flavour is None:
        raise RefusedError(f"the project has no flavour {size}", next_step="cohort.cards.size")
    return {"resource_type": "flavor:instance", "flavor_id": flavour.id, "amount": count, "affinity": None}
