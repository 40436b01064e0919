"""The infn provider against the double of the Orchestrator, and tokens as INFN Cloud gives them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from fpgaclass.cohort import verbs
from fpgaclass.cohort.errors import AuthError, PlanRefusedError
from fpgaclass.cohort.port import Capabilities, Found, Marker
from fpgaclass.cohort.providers.infn import InfnProvider, template
from fpgaclass.cohort.providers.infn.token import VARIABLE, Token
from fpgaclass.cohort.sites import Infn
from fpgaclass.cohort.testing import FakeOrchestrator

pytest.importorskip("werkzeug", reason="werkzeug is not installed")
QUICK = Capabilities(calls_per_second=500.0, workers=1, poll_s=0.02)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeOrchestrator]:
    with FakeOrchestrator() as found:
        yield found


@pytest.fixture
def orchestrator(server: FakeOrchestrator, monkeypatch: pytest.MonkeyPatch) -> FakeOrchestrator:
    monkeypatch.setenv(VARIABLE, "good")
    server.control(reset=True)
    return server


@pytest.fixture
def provider(orchestrator: FakeOrchestrator) -> InfnProvider:
    return InfnProvider(
        Infn(orchestrator=orchestrator.endpoint, user_group="courses/fpga"), capabilities=QUICK
    )


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    (tmp_path / "r.csv").write_text("login\nada\nemmy\nlise\n")
    path = tmp_path / "cohort.yaml"
    path.write_text(
        "name: bari27\nprovider: infn\nhours: 40\nroster: r.csv\n"
        "seat: {size: m1.large}\ncards: {size: alveo.u250, count: 2}\n"
        'infn: {orchestrator: "http://127.0.0.1", user_group: courses/fpga}\n'
    )
    return path


def test_deployments_come_and_go(
    orchestrator: FakeOrchestrator, provider: InfnProvider, cohort: Path
) -> None:
    """Three seats and two Alveo nodes by flavour, slowly as in life, over several pages of the list."""
    orchestrator.control(broker_s=0.05, deploy_s=0.1, delete_s=0.1, page=2)
    done = verbs.apply(cohort, provider=provider)
    assert not done.failed
    assert all(row.address for row in done.rows)
    tags = [thing["tags"]["fpgaclass:key"] for thing in orchestrator.things()]
    assert sorted(tags) == ["card/0", "card/1", "seat/ada", "seat/emmy", "seat/lise"]
    assert verbs.destroy(cohort, provider=provider).audit == ()
    assert orchestrator.things() == []


def test_a_creation_is_never_deleted_midway(
    orchestrator: FakeOrchestrator, provider: InfnProvider, cohort: Path
) -> None:
    """The Infrastructure Manager is known to leave machines behind then; so destroy waits for the end."""
    orchestrator.control(deploy_s=0.6, leak=True)
    for name in ("ada", "emmy"):
        marker = Marker("bari27", f"seat/{name}", 0, datetime(2027, 1, 1, tzinfo=UTC))
        body = {"template": template(marker), "parameters": {"instance_type": "m1.large"}}
        provider._client.change("POST", "/deployments", body | {"userGroup": "courses/fpga"})
    verbs.destroy(cohort, provider=provider)
    assert orchestrator.things() == []


def test_machines_that_the_orchestrator_lost_are_found_behind_it(
    orchestrator: FakeOrchestrator, cohort: Path
) -> None:
    """A sweep of the project itself, by the same tags; apply must not take such a machine for a seat."""
    settings = Infn(orchestrator=orchestrator.endpoint, user_group="courses/fpga")
    marker = Marker("bari27", "seat/ada", 0, datetime(2027, 1, 1, tzinfo=UTC))

    class Site:
        name = "site"
        capabilities = QUICK

        def __init__(self) -> None:
            self.left = [Found("nova-1", "machine", marker, zone="deployment-that-is-gone")]

        def inventory(self, cohort, kinds=None):  # type: ignore[no-untyped-def]
            del kinds
            return tuple(f for f in self.left if cohort in (None, f.marker.cohort))

        def delete(self, found):  # type: ignore[no-untyped-def]
            self.left = [f for f in self.left if f.id not in {x.id for x in found}]
            return {}

    site = Site()
    provider = InfnProvider(settings, capabilities=QUICK, site=site)  # type: ignore[arg-type]
    done = verbs.apply(cohort, provider=provider)
    assert done.strays == ("seat/ada~orphan",)
    assert len(done.made) == 5
    verbs.destroy(cohort, provider=provider)
    assert site.left == []
    assert orchestrator.things() == []


def test_an_expired_token_stops_before_anything_is_made(
    orchestrator: FakeOrchestrator, provider: InfnProvider, cohort: Path
) -> None:
    """Tokens live an hour; the message says where to get another."""
    orchestrator.control(expired=["good"])
    with pytest.raises(PlanRefusedError, match=r"token has expired.*new token"):
        verbs.apply(cohort, provider=provider)
    assert orchestrator.things() == []


def test_an_expired_token_is_renewed_where_that_is_possible(
    orchestrator: FakeOrchestrator, provider: InfnProvider, cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever refreshes the variable from outside, or has oidc-agent, is not interrupted."""
    assert provider.inventory(None) == ()
    orchestrator.control(expired=["good"])
    monkeypatch.setenv(VARIABLE, "newer")
    assert not verbs.apply(cohort, provider=provider).failed


def test_a_group_that_is_not_ours_is_an_auth_error(orchestrator: FakeOrchestrator, cohort: Path) -> None:
    """The second most frequent slip, after the token."""
    other = InfnProvider(Infn(orchestrator=orchestrator.endpoint, user_group="x/y"), capabilities=QUICK)
    with pytest.raises(AuthError, match="user_group"):
        verbs.apply(cohort, provider=other)


def test_no_flavour_goes_to_the_alternative(
    orchestrator: FakeOrchestrator, provider: InfnProvider, cohort: Path
) -> None:
    """The Orchestrator only says it after it has tried every site: the deployment fails, and is removed."""
    orchestrator.control(flavours=["m1.large", "alveo.u50"], capacity={"alveo.u50": 1})
    cohort.write_text(cohort.read_text().replace("alveo.u250,", "alveo.u250, alternatives: [alveo.u50],"))
    done = verbs.apply(cohort, provider=provider)
    assert [(f.key, f.kind) for f in done.failed] == [("card/1", "capacity")]
    assert sorted(t["tags"]["fpgaclass:key"] for t in orchestrator.things()) == [
        "card/0",
        "seat/ada",
        "seat/emmy",
        "seat/lise",
    ]


def test_a_refused_template_is_tried_once(
    orchestrator: FakeOrchestrator, provider: InfnProvider, cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the Orchestrator refuses for one it refuses for all; the remedy names the template."""
    monkeypatch.setattr("fpgaclass.cohort.providers.infn.template", lambda _: "topology_template: [")
    done = verbs.apply(cohort, provider=provider)
    assert orchestrator.control()["log"].count("POST /deployments") == 1
    assert "machine.yaml" in next(f.what for f in done.failed if f.kind == "refused")


def test_the_template_carries_the_marker_twice() -> None:
    """In the metadata, to read it back; and as tags, which become the machine's own."""
    marker = Marker("c", "seat/ada", 2, datetime(2027, 1, 1, tzinfo=UTC))
    document = yaml.safe_load(template(marker))
    assert Marker.read(document["metadata"]) == marker
    machine = document["topology_template"]["node_templates"]["machine"]
    assert Marker.read(machine["properties"]["tags"]) == marker
    assert machine["capabilities"]["host"]["properties"]["instance_type"] == {"get_input": "instance_type"}


def test_the_token_of_somebody_else_is_refused(
    orchestrator: FakeOrchestrator, cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Orchestrator shows each user only their own: all would be made twice, or forgotten."""

    def token_of(user: str) -> str:
        said = {"sub": user, "iss": "https://iam.example.org/", "exp": time.time() + 900}
        return f"x.{base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip('=')}.x"

    settings = Infn(orchestrator=orchestrator.endpoint, user_group="courses/fpga")
    monkeypatch.setenv(VARIABLE, token_of("ada"))
    verbs.apply(cohort, provider=InfnProvider(settings, capabilities=QUICK))
    count = len(orchestrator.things())
    monkeypatch.setenv(VARIABLE, token_of("emmy"))
    for verb in (verbs.apply, verbs.status, verbs.destroy):
        with pytest.raises(PlanRefusedError, match=r"account ada of https://iam\S+, .* are of emmy of"):
            verb(cohort, provider=InfnProvider(settings, capabilities=QUICK))
    assert len(orchestrator.things()) == count
    monkeypatch.setenv(VARIABLE, token_of("ada"))
    verbs.destroy(cohort, provider=InfnProvider(settings, capabilities=QUICK))
    assert not orchestrator.things()


def test_tokens_know_their_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the environment or from oidc-agent's own program; without either, the message says what to set."""
    body = base64.urlsafe_b64encode(json.dumps({"exp": time.time() + 900}).encode()).decode().rstrip("=")
    monkeypatch.setenv(VARIABLE, f"eyJhbGciOiJub25lIn0.{body}.x")
    token = Token(None)
    assert token.header().startswith("Bearer eyJ")
    assert 800 < token.seconds_left() < 901
    assert token.owner() == "", "it does not say whose it is"
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(AuthError, match="no token for INFN Cloud"):
        Token(None).header()
    agent = tmp_path / "oidc-token"
    agent.write_text(
        '#!/bin/sh\n[ "$3" = infncloud ] && echo from-agent || { echo "not loaded" >&2; exit 1; }\n'
    )
    agent.chmod(0o755)
    monkeypatch.setenv("FPGACLASS_OIDC_TOKEN", "")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert Token("infncloud").header() == "Bearer from-agent"
    with pytest.raises(AuthError, match=r"not loaded.*oidc-add other"):
        Token("other").header()
