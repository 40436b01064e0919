"""The aws provider against the real moto server, with the faults that moto lacks around it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.cohort import verbs
from fpgaclass.cohort.errors import AuthError, CapacityError, PlanRefusedError, QuotaError, ThrottleError
from fpgaclass.cohort.port import Capabilities
from fpgaclass.cohort.providers.aws import AwsProvider
from fpgaclass.cohort.providers.aws.client import typed
from fpgaclass.cohort.testing import FakeAws

pytest.importorskip("moto", reason="moto is not installed")
pytest.importorskip("boto3", reason="boto3 is not installed")


Run = Callable[..., Any]


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAws]:
    with FakeAws() as server:
        yield server


@pytest.fixture
def provider(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> AwsProvider:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    aws.control(reset=True)
    tokens = Capabilities(frozenset({"machine", "volume", "expiry"}), 0.0, 500.0, 1, 0.02)
    return AwsProvider("eu-central-1", endpoint=aws.endpoint, capabilities=tokens)


@pytest.fixture
def cohort(course: Path) -> Path:
    """The course's cohort with all layers of safety, in zones that have F2."""
    text = course.read_text().replace("eu-central-1a, eu-central-1b", "eu-central-1b, eu-central-1c")
    more = 'expiry_role: "arn:aws:iam::123456789012:role/x", budget_email: a@example.org'
    text = text.replace("ami-0123456789abcdef0}", f"ami-0123456789abcdef0, {more}}}")
    course.write_text(text.replace("hours: 40\n", "hours: 40\n  max_cost: 500\n"))
    return course


def test_everything_is_made_with_tags_and_goes(aws: FakeAws, provider: AwsProvider, cohort: Path) -> None:
    """Machines, disks, volumes, addresses, firewall, key, schedule and budget; each with all five tags."""
    done = verbs.apply(cohort, provider=provider)
    assert not done.failed
    things = aws.things()
    assert len(things) == 2 + 2 + 3 * 3 + 2
    for thing in things:
        if thing["kind"] not in ("expiry", "budget"):  # AWS tags neither of these as it lists them
            names = {name for name in thing["tags"] if name.startswith("fpgaclass:")}
            assert names == {f"fpgaclass:{n}" for n in ("managed", "cohort", "key", "generation", "expires")}
    log = aws.control()["log"]
    assert "CreateTags" not in log, "a tag put on afterwards is a tag that a crash forgets"
    assert log.index("POST /schedules/fpgaclass-spring27") < log.index("RunInstances"), "its end comes first"
    assert verbs.destroy(cohort, provider=provider).audit == ()
    assert aws.things() == []


def test_the_machine_ends_itself(provider: AwsProvider, cohort: Path) -> None:
    """The first layer of expiry: a shutdown from within, which terminates, after the hours of the plan."""
    import base64

    done = verbs.apply(cohort, provider=provider)
    identity = next(row.identity for row in done.rows if row.key == "card/0")
    asked = {"InstanceId": identity, "Attribute": "userData"}
    answer = provider.client.read("ec2", "describe_instance_attribute", **asked)
    script = base64.b64decode(answer["UserData"]["Value"]).decode()
    assert "shutdown -P +600 " in script, "ten hours for a card"
    asked["Attribute"] = "instanceInitiatedShutdownBehavior"
    answer = provider.client.read("ec2", "describe_instance_attribute", **asked)
    assert answer["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"


def test_a_machine_is_known_by_its_fixed_address(provider: AwsProvider, cohort: Path) -> None:
    """The one that it started with is taken away: Ansible and the student would knock at a stranger's."""
    rows = {row.key: row for row in verbs.apply(cohort, provider=provider).rows}
    fixed = {
        a["AllocationId"]: a["PublicIp"]
        for a in provider.client.read("ec2", "describe_addresses")["Addresses"]
    }
    for login in ("ada", "emmy", "lise"):
        assert rows[f"seat/{login}"].address == fixed[rows[f"address/{login}"].identity or ""]


def test_a_stopped_machine_keeps_its_disk(aws: FakeAws, provider: AwsProvider, cohort: Path) -> None:
    """Stopped in the console for the night: apply must not take it for a failed start, and remove it."""
    done = verbs.apply(cohort, provider=provider)
    identity = next(row.identity for row in done.rows if row.key == "seat/ada")
    provider.client.change("ec2", "stop_instances", InstanceIds=[identity])
    again = verbs.apply(cohort, provider=provider)
    assert [failure.key for failure in again.failed] == ["seat/ada"]
    assert identity in {thing["id"] for thing in aws.things()}
    provider.client.change("ec2", "start_instances", InstanceIds=[identity])
    assert not verbs.apply(cohort, provider=provider).failed


def test_no_capacity_goes_to_the_next_zone(aws: FakeAws, provider: AwsProvider, cohort: Path) -> None:
    """F2 is scarce; in Frankfurt one zone is often empty and the next is not."""
    aws.control(capacity={"f2.6xlarge@eu-central-1b": 1})
    done = verbs.apply(cohort, provider=provider)
    assert not done.failed
    assert [row.zone for row in done.rows if row.key.startswith("card/")] == [
        "eu-central-1b",
        "eu-central-1c",
    ]


def test_the_credentials_of_another_account_are_refused(
    aws: FakeAws, provider: AwsProvider, cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There nothing of the cohort shows: all would be made twice, or forgotten while it goes on costing."""
    verbs.apply(cohort, provider=provider)
    count = len(aws.things())
    role = "arn:aws:iam::444455556666:role/other"
    lent = provider.client.read("sts", "assume_role", RoleArn=role, RoleSessionName="other")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", lent["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", lent["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", lent["SessionToken"])
    other = AwsProvider("eu-central-1", endpoint=aws.endpoint, capabilities=provider.capabilities)
    assert (provider.account(), other.account()) == ("123456789012", "444455556666")
    for verb in (verbs.apply, verbs.status, verbs.destroy):
        with pytest.raises(PlanRefusedError, match=r"of account 123456789012, .* are of 444455556666"):
            verb(cohort, provider=other)
    assert len(aws.things()) == count
    verbs.destroy(cohort, provider=provider)
    assert not aws.things()


@pytest.mark.parametrize("quota", [0, 24])
def test_a_small_quota_is_told_before_anything_is_made(
    aws: FakeAws, provider: AwsProvider, cohort: Path, quota: int
) -> None:
    """A new account has no F vCPUs at all; the request for more takes days."""
    aws.control(quota={"f": quota, "standard": 1000})
    with pytest.raises(PlanRefusedError, match=f"needs 48 of {quota} F vCPUs.*Service Quotas"):
        verbs.apply(cohort, provider=provider)
    assert aws.things() == []


def test_a_quota_that_shrinks_meanwhile_is_a_typed_failure(
    aws: FakeAws, provider: AwsProvider, cohort: Path
) -> None:
    """Somebody else in the account started machines after we looked; what was made stays, and is listed."""
    aws.control(refuse={"RunInstances": ["VcpuLimitExceeded"]})
    done = verbs.apply(cohort, provider=provider)
    assert {failure.key: failure.kind for failure in done.failed} == {"card/0": "quota", "card/1": "quota"}
    assert not verbs.apply(cohort, provider=provider).failed


def test_throttling_is_waited_out(aws: FakeAws, provider: AwsProvider, cohort: Path) -> None:
    """AWS asks to slow down; the plan is still made, once."""
    aws.control(
        refuse={"RunInstances": ["RequestLimitExceeded"] * 4, "DescribeInstances": ["Throttling"] * 2}
    )
    assert not verbs.apply(cohort, provider=provider).failed
    assert sum(thing["kind"] == "machine" for thing in aws.things()) == 5


def test_credentials_that_end_midway_stop_and_can_be_renewed(
    aws: FakeAws, provider: AwsProvider, cohort: Path
) -> None:
    """A session token lives an hour; nothing may be lost or doubled when it ends."""
    aws.control(refuse={"AllocateAddress": ["ExpiredToken"]})
    with pytest.raises(AuthError, match="renew the credentials"):
        verbs.apply(cohort, provider=provider)
    assert not verbs.apply(cohort, provider=provider).failed
    assert sum(thing["kind"] == "machine" for thing in aws.things()) == 5
    assert sum(thing["kind"] == "address" for thing in aws.things()) == 3


def test_a_wrong_image_is_not_tried_for_everybody(aws: FakeAws, provider: AwsProvider, cohort: Path) -> None:
    """AMIs differ from region to region; three hundred same errors help nobody."""
    aws.control(refuse={"RunInstances": ["InvalidAMIID.NotFound"] * 9})
    done = verbs.apply(cohort, provider=provider)
    assert aws.control()["log"].count("RunInstances") == 1
    assert "AMIs differ" in next(f.what for f in done.failed if f.kind == "refused")


def test_a_machine_not_listed_at_once_is_still_found(
    aws: FakeAws, cohort: Path, tmp_path: Path, provider: AwsProvider
) -> None:
    """Destroy with the state lost, right after the machine was made: it waits as long as it may be hidden."""
    provider.capabilities = Capabilities(frozenset({"machine", "volume"}), 1.2, 500.0, 1, 0.05)
    verbs.apply(cohort, provider=provider)
    aws.control(lag_s=0.8)
    asked = {"ImageId": "ami-0123456789abcdef0", "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1}
    from datetime import timedelta

    from fpgaclass.cohort.database import now
    from fpgaclass.cohort.port import Marker

    tags = Marker("spring27", "seat/late", 0, now() + timedelta(hours=1)).tags()
    asked["TagSpecifications"] = [
        {"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
    ]
    provider.client.change("ec2", "run_instances", **asked)
    verbs.destroy(cohort, provider=provider, url=f"sqlite:///{tmp_path / 'new.sqlite'}")
    time.sleep(0.9)
    assert aws.things() == []


def test_spot_is_asked_for(provider: AwsProvider, cohort: Path) -> None:
    """Spot saves half of the money; one-time, so that AWS does not start it again behind our back."""
    cohort.write_text(cohort.read_text().replace("size: m5.large,", "size: m5.large, spot: true,"))
    done = verbs.apply(cohort, provider=provider)
    assert not done.failed
    identity = next(row.identity for row in done.rows if row.key == "seat/ada")
    answer = provider.client.read("ec2", "describe_instances", InstanceIds=[identity])
    assert answer["Reservations"][0]["Instances"][0].get("InstanceLifecycle") == "spot"


def test_card_images_are_listed(aws: FakeAws, provider: AwsProvider, run: Run, cohort: Path) -> None:
    """A lab's firmware on F2 is loaded by its global id; an image that failed says why."""
    del provider
    cohort.write_text(cohort.read_text().replace("aws: {", f'aws: {{endpoint: "{aws.endpoint}", '))
    newest, older = run("cohort", "images", "--course", cohort, "--json").data["images"]
    assert (older["load_as"], older["name"], older["state"]) == ("agfi-0123", "muon", "available")
    assert newest["state"] == "failed"
    text = run("cohort", "images", "--course", cohort).out
    assert "agfi-0123" in text
    assert "UNKNOWN_BITSTREAM_GENERATE_ERROR" in text
    assert "Mon 01 Mar 11:00" in text, "in the class's time"


def test_other_clouds_keep_no_card_images(run: Run, course: Path) -> None:
    """One line with what to do there instead."""
    course.write_text(course.read_text().replace("provider: aws", "provider: local"))
    refused = run("cohort", "images", "--course", course)
    assert refused.code == 1
    assert "only AWS does" in refused.err
    assert len(refused.err.strip().splitlines()) == 1


def test_no_credentials_are_told_as_such(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The most frequent error of all; botocore's text names no remedy."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AuthError, match=r"no AWS credentials.*renew"):
        AwsProvider("eu-central-1", endpoint=aws.endpoint).inventory(None)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InsufficientInstanceCapacity", CapacityError),
        ("VcpuLimitExceeded", QuotaError),
        ("RequestLimitExceeded", ThrottleError),
        ("RequestTimeTooSkewed", AuthError),
    ],
)
def test_codes_have_types_and_remedies(code: str, kind: type[Exception]) -> None:
    """Every error reported as "no capacity" is the complaint about other tools; AWS's codes are exact."""
    error = typed(code, "Bearer eyJsecret.abc.def", "aws")
    assert type(error) is kind
    assert error.next_step
    assert "eyJ" not in str(error)


@pytest.mark.parametrize(("off_s", "ok"), [(0, True), (900, False)])
def test_a_wrong_clock_is_told_before_anything_is_made(off_s: int, ok: bool) -> None:
    """Signatures fail a quarter of an hour off, and every expiry would be wrong by as much."""
    from datetime import UTC, datetime, timedelta
    from email.utils import format_datetime

    from fpgaclass.cohort.providers.aws.preflight import _clock

    stamp = format_datetime(datetime.now(UTC) - timedelta(seconds=off_s), usegmt=True)
    found = list(_clock({"ResponseMetadata": {"HTTPHeaders": {"date": stamp}}}))
    assert (found == []) is ok
    assert ok or ("clock is 90" in found[0].what and not found[0].ok)


def test_a_profile_that_is_not_there_is_one_line(
    run: Run, cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name of last term in the shell's start-up file, and boto3 would show its insides."""
    monkeypatch.setenv("AWS_PROFILE", "last-term")
    said = run("cohort", "status", "--course", cohort)
    assert said.code == 1
    assert "last-term" in said.err
    assert "AWS_PROFILE" in said.err
    assert said.err.count("\n") == 1


def test_a_page_in_place_of_aws_is_one_line(
    run: Run, cohort: Path, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a hotel's network a page asks for a login, whatever was asked for."""
    from http.server import BaseHTTPRequestHandler

    class Hotel(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            page = b"<html><body>Welcome, please log in<br></body>"
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            return

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr("fpgaclass.cohort.calls.time.sleep", lambda _: None)
    with serve(Hotel, "127.0.0.1") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        said = run("cohort", "status", "--course", cohort)
    assert said.code == 1
    assert "what answered is not AWS" in said.err
    assert said.err.count("\n") == 1
