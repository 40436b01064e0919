"""The openstack provider: the SDK's own resource classes, in a project that is only in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.cohort import sweeping, verbs
from fpgaclass.cohort.errors import AuthError, PlanRefusedError, QuotaError
from fpgaclass.cohort.port import Capabilities
from fpgaclass.cohort.providers.openstack import OpenStackProvider
from fpgaclass.cohort.providers.openstack.calls import typed
from fpgaclass.cohort.sites import OpenStack
from fpgaclass.cohort.testing import MemoryProject

pytest.importorskip("openstack", reason="openstacksdk is not installed")


@pytest.fixture
def project() -> MemoryProject:
    return MemoryProject()


@pytest.fixture
def provider(project: MemoryProject) -> OpenStackProvider:
    settings = OpenStack(cloud="bari", image="ubuntu", network="private", external_network="public")
    quick = Capabilities(calls_per_second=500.0, workers=1, poll_s=0.02)
    return OpenStackProvider(settings, connection=project, capabilities=quick)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    (tmp_path / "r.csv").write_text("login\nada\nemmy\n")
    path = tmp_path / "cohort.yaml"
    path.write_text(
        "name: bari27\nprovider: openstack\nhours: 40\nroster: r.csv\nssh_from: [10.0.0.0/8]\n"
        "seat: {size: m1.large, public_address: true, volume_gb: 10}\ncards: {size: alveo.u250, count: 1}\n"
        "openstack: {cloud: bari, image: ubuntu, network: private, external_network: public}\n"
    )
    return path


def test_a_project_is_filled_and_emptied(
    project: MemoryProject, provider: OpenStackProvider, cohort: Path
) -> None:
    """Servers, volumes, addresses, firewall and key; a second run changes nothing; then all of it goes."""
    done = verbs.apply(cohort, provider=provider)
    assert not done.failed
    assert project.left() == 2 + 3 + 2 + 2
    server = next(iter(project.made["server"].values()))
    assert server.metadata["fpgaclass:cohort"] == "bari27", "in the call that makes it"
    again = verbs.apply(cohort, provider=provider)
    assert (again.made, again.removed) == ((), ())
    assert verbs.destroy(cohort, provider=provider).audit == ()
    assert project.left() == 0


def test_what_is_not_ours_stays(project: MemoryProject, provider: OpenStackProvider, cohort: Path) -> None:
    """The project is shared with other groups; only our marker says what may go."""
    project.compute.create_server(name="theirs", flavor_id="m1.large", metadata={})
    project.network.create_security_group(name="default", description="Default security group")
    verbs.apply(cohort, provider=provider)
    verbs.destroy(cohort, provider=provider)
    sweeping.sweep(cohort, provider=provider, strangers=True)
    assert project.left() == 2


def test_what_is_there_needs_no_quota_twice(
    project: MemoryProject, provider: OpenStackProvider, cohort: Path
) -> None:
    """An apply that was cut off, or that makes one seat more, must not be refused for its own machines."""
    project.cores = 2 + 24
    assert not verbs.apply(cohort, provider=provider).failed
    lost = next(iter(project.made["server"]))
    del project.made["server"][lost]
    again = verbs.apply(cohort, provider=provider)
    assert not again.failed
    assert len(project.made["server"]) == 3
    (cohort.parent / "r.csv").write_text("login\nada\nemmy\nlise\n")
    with pytest.raises(PlanRefusedError, match="28 of 24 free vCPUs"):
        verbs.apply(cohort, provider=provider)


def test_a_full_project_is_told_before(
    project: MemoryProject, provider: OpenStackProvider, cohort: Path
) -> None:
    """Nova tells the limits; and a flavour that the project does not have is named."""
    project.cores = 10
    with pytest.raises(PlanRefusedError, match="24 of 8 free vCPUs"):
        verbs.apply(cohort, provider=provider)
    project.cores = 100
    cohort.write_text(cohort.read_text().replace("alveo.u250", "alveo.u55c"))
    with pytest.raises(PlanRefusedError, match=r"no flavour alveo\.u55c"):
        verbs.apply(cohort, provider=provider)
    assert project.left() == 0


def test_a_lost_answer_makes_no_second_server(
    project: MemoryProject, provider: OpenStackProvider, cohort: Path
) -> None:
    """Nova takes no token: the server that came of the lost call is found by its metadata."""
    from openstack.exceptions import HttpException

    create = project.compute.create_server

    def losing(**asked: Any) -> Any:
        create(**asked)
        project.compute.create_server = create
        raise HttpException("Gateway timeout", http_status=504)

    project.compute.create_server = losing
    done = verbs.apply(cohort, provider=provider)
    assert not done.failed
    assert len(done.adopted) == 1
    assert len(project.made["server"]) == 3


def test_errors_have_types() -> None:
    """By the status, and for a quota by its word, since Nova says 403 for both."""
    from openstack.exceptions import HttpException

    def raising(status: int, text: str) -> Callable[[], None]:
        def call() -> None:
            raise HttpException(text, http_status=status)

        return call

    with pytest.raises(QuotaError, match="Quota exceeded"):
        typed(raising(403, "Quota exceeded for cores"))
    with pytest.raises(AuthError):
        typed(raising(403, "Policy does not allow this"))
    with pytest.raises(AuthError, match="renew"):
        typed(raising(401, "The request you have made requires authentication."))
