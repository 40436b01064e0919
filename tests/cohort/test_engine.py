"""Apply, destroy and sweep against the cloud in memory, with the faults that clouds have."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from fpgaclass.cohort import costs, sweeping, verbs
from fpgaclass.cohort.database import now
from fpgaclass.cohort.differences import changes
from fpgaclass.cohort.errors import AuthError, BusyError, LeftoverError, PlanRefusedError
from fpgaclass.cohort.plans import Kind
from fpgaclass.cohort.port import Capabilities, Found, Marker, Order, scrub
from fpgaclass.cohort.reports import changes_text
from fpgaclass.cohort.state import State
from fpgaclass.cohort.tables import cohorts, resources
from fpgaclass.cohort.testing import MemoryCloud, MemoryProvider
from fpgaclass.cohort.writer import Writer

PER_COHORT = 2 + 3 * 3 + 2


@pytest.fixture
def cloud() -> MemoryCloud:
    return MemoryCloud()


@pytest.fixture
def provider(cloud: MemoryCloud) -> MemoryProvider:
    return MemoryProvider(cloud)


def _keys(cloud: MemoryCloud) -> list[str]:
    return sorted(thing.marker.key for thing in cloud.things.values())


def test_apply_makes_the_plan_and_a_second_one_changes_nothing(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """The whole promise in one test; then destroy ends with an audit of zero."""
    done = verbs.apply(course, provider=provider)
    assert not done.failed
    assert len(done.made) == len(cloud.things) == PER_COHORT
    assert all(row.state == "ready" for row in done.rows)
    before = dict(cloud.things)
    again = verbs.apply(course, provider=provider)
    assert (again.made, again.adopted, again.removed) == ((), (), ())
    assert cloud.things == before
    gone = verbs.destroy(course, provider=provider)
    assert gone.audit == ()
    assert len(gone.things) == PER_COHORT
    assert not cloud.things


def test_the_intent_is_on_disk_before_the_call(course: Path, provider: MemoryProvider) -> None:
    """If it were written after, a kill in between would leave a machine that nobody knows of."""
    seen: list[str] = []
    create = provider.create

    def watching(order):  # type: ignore[no-untyped-def]
        rows = {row.key: row for row in State().rows("spring27")}
        seen.append(rows[order.resource.key].state)
        return create(order)

    provider.create = watching  # type: ignore[method-assign]
    verbs.apply(course, provider=provider)
    assert set(seen) == {"intent"}


def test_a_lost_answer_makes_nothing_twice(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """With a token the cloud tells; without one (addresses) the inventory does."""
    cloud.lose += ["create"] * 6
    done = verbs.apply(course, provider=provider)
    assert not done.failed
    assert len(done.adopted) == 6
    assert len(_keys(cloud)) == len(set(_keys(cloud))) == PER_COHORT


def test_sold_out_zones_and_sizes_are_gone_round(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """First the other zone, then the other size; and what nobody has is reported, not hidden."""
    cloud.capacity = {("m5.large", "eu-central-1a"): 1, ("m5.large", "eu-central-1b"): 1}
    cloud.capacity |= {("f2.6xlarge", zone): 0 for zone in ("eu-central-1a", "eu-central-1b")}
    done = verbs.apply(course, provider=provider)
    places = sorted((t.size, t.zone) for t in cloud.things.values() if t.kind == "machine")
    assert places == [
        ("m5.large", "eu-central-1a"),
        ("m5.large", "eu-central-1b"),
        ("m6i.large", "eu-central-1a"),
    ]
    assert [(f.key, f.kind) for f in done.failed] == [("card/0", "capacity"), ("card/1", "capacity")]
    cloud.capacity = {}
    assert not verbs.apply(course, provider=provider).failed, "later there are some"
    assert len(cloud.things) == PER_COHORT


def test_a_used_up_quota_is_not_asked_again_and_again(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """Three hundred refused calls help nobody; what could be made stays, and attached things wait."""
    cloud.quota = 0
    provider.capabilities = Capabilities(calls_per_second=1000, workers=1, poll_s=0.01)
    done = verbs.apply(course, provider=provider)
    assert cloud.calls.count("create") == 2 + 2, "key, firewall, and one try for each size"
    kinds = {failure.key.split("/")[0]: failure.kind for failure in done.failed}
    assert kinds == {"seat": "quota", "card": "quota", "address": "other", "volume": "other"}


def test_an_expired_token_stops_at_once_and_nothing_is_forgotten(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """Tokens of INFN Cloud last an hour; the next apply with a new one goes on where it was."""
    create = provider.create

    def ending(order):  # type: ignore[no-untyped-def]
        if cloud.calls.count("create") == 5:
            cloud.expired = True
        return create(order)

    provider.create = ending  # type: ignore[method-assign]
    with pytest.raises(AuthError, match="log in again"):
        verbs.apply(course, provider=provider)
    assert cloud.things
    cloud.expired = False
    provider.create = create  # type: ignore[method-assign]
    assert not verbs.apply(course, provider=provider).failed
    assert len(_keys(cloud)) == len(set(_keys(cloud))) == PER_COHORT


def test_what_somebody_removed_by_hand_is_made_anew(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """A student's shutdown must not need an instructor's surgery; the token of the dead machine is spent."""
    verbs.apply(course, provider=provider)
    victim = next(t for t in cloud.things.values() if t.marker.key == "seat/ada")
    del cloud.things[victim.id]
    assert verbs.status(course, provider=provider).missing == ("seat/ada",)
    done = verbs.apply(course, provider=provider)
    assert done.made == ("seat/ada",)
    row = next(row for row in done.rows if row.key == "seat/ada")
    assert (row.generation, row.state) == (1, "ready")


def test_a_bad_host_is_tried_once_more(course: Path, cloud: MemoryCloud, provider: MemoryProvider) -> None:
    """Once in each run, also in the second life of a cohort; a host that fails twice is no accident."""
    for _ in range(2):
        verbs.apply(course, provider=provider)
        verbs.destroy(course, provider=provider)
    verbs.apply(course, provider=provider)
    victim = next(t for t in cloud.things.values() if t.marker.key == "seat/ada")
    cloud.things[victim.id] = replace(victim, status="failed")
    assert verbs.apply(course, provider=provider).made == ("seat/ada",)
    inventory = provider.inventory

    def failing(cohort, kinds=None):  # type: ignore[no-untyped-def]
        found = inventory(cohort, kinds)
        return tuple(replace(f, status="failed") if f.marker.key == "seat/ada" else f for f in found)

    provider.inventory = failing  # type: ignore[method-assign]
    done = verbs.apply(course, provider=provider)
    assert [failure.key for failure in done.failed if failure.key.startswith("seat")] == ["seat/ada"]
    provider.inventory = inventory  # type: ignore[method-assign]


def test_a_stopped_machine_is_not_made_anew(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """Somebody stopped the machines for the night, to save money: the students' work is on them."""
    verbs.apply(course, provider=provider)
    victim = next(t for t in cloud.things.values() if t.marker.key == "seat/ada")
    cloud.things[victim.id] = replace(victim, status="stopped")
    done = verbs.apply(course, provider=provider)
    assert [(failure.key, failure.kind) for failure in done.failed] == [("seat/ada", "other")]
    assert "start it in the provider's console" in done.failed[0].what
    assert cloud.things[victim.id].status == "stopped"
    cloud.things[victim.id] = victim
    again = verbs.apply(course, provider=provider)
    assert (again.made, again.failed) == ((), ())


def test_doubles_are_removed_and_strays_only_when_asked(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """A student who left may still have work on the machine: name it, and wait for --prune."""
    verbs.apply(course, provider=provider)
    marker = next(t.marker for t in cloud.things.values() if t.marker.key == "seat/ada")
    for key, identity in (("seat/ada", "machine-x"), ("seat/left", "machine-y")):
        cloud.things[identity] = Found(
            identity, "machine", Marker(marker.cohort, key, 0, marker.expires), "ready"
        )
        cloud.born[identity] = 0.0
    done = verbs.apply(course, provider=provider)
    assert done.removed == ("seat/ada",)
    assert done.strays == ("seat/left",)
    assert "machine-y" in cloud.things
    verbs.apply(course, provider=provider, prune=True)
    assert len(cloud.things) == PER_COHORT


def test_destroy_needs_no_state_and_waits_for_the_invisible(
    course: Path, cloud: MemoryCloud, tmp_path: Path
) -> None:
    """The laptop with the state was stolen, just after the last machine was asked for."""
    able = Capabilities(frozenset({"machine"}), grace_s=0.8, calls_per_second=1000, poll_s=0.02)
    provider = MemoryProvider(cloud, able)
    verbs.apply(course, provider=provider)
    cloud.lag_s = 0.5
    for identity in cloud.born:
        cloud.born[identity] = time.monotonic()
    elsewhere = f"sqlite:///{tmp_path / 'new.sqlite'}"
    verbs.destroy(course, provider=provider, url=elsewhere)
    assert not cloud.things


def test_destroy_removes_what_lost_its_tags(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """Somebody tidied the tags in the console: the state still has the id."""
    verbs.apply(course, provider=provider)
    victim = next(t for t in cloud.things.values() if t.marker.key == "seat/ada")
    cloud.things[victim.id] = Found(victim.id, "machine", Marker("nobody", "", 0, now()), "ready")
    verbs.destroy(course, provider=provider)
    assert not cloud.things


def test_what_will_not_go_is_listed_with_its_id(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """A destroy that reports success over a failure is how clouds earn; everything else must still go."""
    verbs.apply(course, provider=provider)
    delete = provider.delete

    def stubborn(found):  # type: ignore[no-untyped-def]
        from fpgaclass.cohort.errors import ProviderError

        errors = delete([f for f in found if f.marker.key != "seat/ada"])
        kept = [f for f in found if f.marker.key == "seat/ada"]
        return {**errors, **{f.id: ProviderError("termination protection is on") for f in kept}}

    provider.delete = stubborn  # type: ignore[method-assign]
    with pytest.raises(LeftoverError, match=r"machine-\d+ \(spring27 seat/ada\): termination protection"):
        verbs.destroy(course, provider=provider)
    assert _keys(cloud) == ["seat/ada"]
    provider.delete = delete  # type: ignore[method-assign]
    assert verbs.destroy(course, provider=provider).audit == ()


def test_what_was_swept_costs_no_more(course: Path, cloud: MemoryCloud, provider: MemoryProvider) -> None:
    """The timer sweeps a cohort that has ended, and `cost` must not count on for ever."""
    verbs.apply(course, provider=provider)
    state = State()
    assert costs.cost("spring27").an_hour > 0
    with state.engine.begin() as connection:
        connection.execute(cohorts.update().values(expires=now() - timedelta(minutes=1)))
    sweeping.sweep(course, provider=provider, dry_run=True)
    assert costs.cost("spring27").an_hour > 0
    sweeping.sweep(course, provider=provider)
    assert not cloud.things
    assert costs.cost("spring27").an_hour == 0
    assert {row.state for row in state.rows("spring27")} == {"deleted"}
    assert not verbs.apply(course, provider=provider).failed, "and its name can be used again"


def test_sweep_takes_the_dead_and_leaves_the_living(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """Another instructor's cohort lives in another state: it must survive, until its own end."""
    verbs.apply(course, provider=provider)
    for name, hours in (("old", -1), ("theirs", 5)):
        marker = Marker(name, "seat/x", 0, now() + timedelta(hours=hours))
        cloud.things[name] = Found(name, "machine", marker)
        cloud.born[name] = 0.0
    dry = sweeping.sweep(course, provider=provider, dry_run=True)
    assert dry.removed == (("old", "machine", "seat/x", "old"),)
    assert "old" in cloud.things, "a dry run removes nothing"
    swept = sweeping.sweep(course, provider=provider)
    assert (swept.removed, swept.living) == (dry.removed, PER_COHORT)
    assert swept.strangers == (("theirs", "machine", "seat/x", "theirs"),)
    sweeping.sweep(course, provider=provider, strangers=True)
    assert "theirs" not in cloud.things
    assert len(cloud.things) == PER_COHORT


def test_a_sweep_of_another_account_takes_nothing_for_gone(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """What has expired and does not show there may be running elsewhere: it is not called destroyed."""
    verbs.apply(course, provider=provider)
    with State().engine.begin() as connection:
        connection.execute(cohorts.update().values(expires=now() - timedelta(hours=1)))
    other = MemoryCloud(account="444455556666")
    sweeping.sweep(course, provider=MemoryProvider(other))
    known = State().cohort("spring27")
    assert known is not None
    assert known.phase == "ready"
    assert {row.state for row in State().rows("spring27")} == {"ready"}
    sweeping.sweep(course, provider=provider)
    assert not cloud.things


def test_an_expired_cohort_is_swept_and_not_applied(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """The third layer of expiry: whatever is left when the time is over goes."""
    verbs.apply(course, provider=provider)
    with State().engine.begin() as connection:
        connection.execute(cohorts.update().values(expires=now() - timedelta(minutes=1)))
    with pytest.raises(PlanRefusedError, match="expired"):
        verbs.apply(course, provider=provider)
    sweeping.sweep(course, provider=provider)
    assert not cloud.things


def test_an_end_cannot_be_moved_and_is_told(course: Path, provider: MemoryProvider) -> None:
    """Machines carry their end from their first moment: who only raises the hours must not rely on it."""
    first = verbs.apply(course, provider=provider)
    assert first.notes == ()
    course.write_text(course.read_text().replace("hours: 40", "hours: 60"))
    second = verbs.apply(course, provider=provider)
    assert second.ends == first.ends
    assert "made for 40" in " ".join(second.notes)


def test_too_dear_is_refused_before_any_call(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """--max-cost is of no use after the first machine."""
    with pytest.raises(PlanRefusedError, match="could cost"):
        verbs.apply(course, provider=provider, max_cost=1.0)
    assert cloud.calls == []


def test_the_second_instructor_is_told_who_holds_the_cohort(course: Path, provider: MemoryProvider) -> None:
    """Two applies at once would each adopt the other's machines as doubles, and remove them."""
    state = State()
    with (
        Writer(state.engine, "spring27"),
        pytest.raises(BusyError, match=rf"process {os.getpid()}\) has worked on cohort spring27 since"),
    ):
        verbs.apply(course, provider=provider)
    assert not verbs.apply(course, provider=provider).failed, "free again"


def test_a_dead_process_frees_its_lock() -> None:
    """After a crash nobody should have to delete a lock file."""
    code = (
        "import os, signal;"
        "from fpgaclass.cohort.state import State; from fpgaclass.cohort.writer import Writer;"
        "Writer(State().engine, 'spring27').__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    with Writer(State().engine, "spring27") as writer:
        assert writer.cohort == "spring27"


def test_a_process_that_lost_its_lock_cannot_write(course: Path, provider: MemoryProvider) -> None:
    """A laptop that slept for an hour wakes up inside apply: another one has gone on meanwhile."""
    verbs.apply(course, provider=provider)
    state = State()
    sleeper = Writer(state.engine, "spring27")
    with Writer(state.engine, "spring27"), pytest.raises(BusyError, match="taken over"):
        state.set(sleeper, "seat/ada", state="deleted")


@pytest.mark.parametrize(("students", "slower"), [(60, 3), pytest.param(300, 1.3, marks=pytest.mark.proof)])
def test_a_large_class_is_bounded_by_the_api_not_by_us(
    course: Path, tmp_path: Path, students: int, slower: float
) -> None:
    """Below the limit (not one call refused), and near it: the state's fsyncs must not be what takes time."""
    rate = 40.0
    (tmp_path / "r.csv").write_text("login\n" + "".join(f"s{n:03d}\n" for n in range(students)))
    text = course.read_text().replace("hours: 40\n", "hours: 40\n  roster: r.csv\n")
    course.write_text(text.replace(", public_address: true, volume_gb: 20", ""))
    cloud = MemoryCloud(rate=rate)
    able = Capabilities(frozenset({"machine"}), calls_per_second=0.95 * rate, workers=16, poll_s=0.1)
    started = time.monotonic()
    done = verbs.apply(course, provider=MemoryProvider(cloud, able))
    took, floor = time.monotonic() - started, len(cloud.calls) / rate
    print(f"apply of {students}: {took:.1f} s (measured); the API's limit allows {floor:.1f} s at best")
    assert not done.failed
    assert len(cloud.things) == students + 4
    assert cloud.throttled == 0
    assert took < slower * floor + 0.5


def test_costs_are_kept_for_what_was_made_and_gone(
    course: Path, provider: MemoryProvider, cloud: MemoryCloud
) -> None:
    """The bill counts machines that were replaced, too; and all of it says estimate where it is shown."""
    verbs.apply(course, provider=provider)
    state = State()
    with Writer(state.engine, "spring27") as writer:
        state.set(writer, "seat/ada", created=now() - timedelta(hours=2))
    before = costs.cost("spring27")
    seat = next(row for row in state.rows("spring27") if row.key == "seat/ada")
    assert dict(before.by_student)["ada"] == pytest.approx(2 * seat.hourly, abs=0.01)
    victim = next(t for t in cloud.things.values() if t.marker.key == "seat/ada")
    del cloud.things[victim.id]
    verbs.apply(course, provider=provider)
    assert dict(costs.cost("spring27").by_student)["ada"] == pytest.approx(2 * seat.hourly, abs=0.01)
    assert costs.cost("spring27").until_end > before.so_far


def test_secrets_do_not_reach_the_state(course: Path, provider: MemoryProvider) -> None:
    """Clouds like to repeat the request in their error, with its header."""
    assert "eyJ" not in scrub("401 for Bearer eyJhbGciOi.abc.def: expired")
    assert "AKIA" not in scrub("AKIAIOSFODNN7EXAMPLE is not authorized")
    verbs.apply(course, provider=provider)
    state = State()
    with Writer(state.engine, "spring27") as writer:
        state.set(writer, "seat/ada", error="auth: token=abc123 refused")
    assert "abc123" not in str(state.rows("spring27")) + str(state.journal("spring27"))
    private = Path(os.environ["FPGACLASS_STATE"]) / "cohorts" / "spring27" / "id_ed25519"
    assert private.stat().st_mode & 0o077 == 0
    secret = private.read_text().splitlines()[2]
    assert secret.encode() not in (Path(os.environ["FPGACLASS_STATE"]) / "cohort.sqlite").read_bytes()


def test_events_come_from_every_student(course: Path, provider: MemoryProvider) -> None:
    """A bar for each student needs to know of each step of each."""
    events = []
    lock = threading.Lock()

    def listen(event):  # type: ignore[no-untyped-def]
        with lock:
            events.append(event)

    verbs.apply(course, provider=provider, listener=listen)
    for login in ("ada", "emmy", "lise"):
        states = [e.state for e in events if e.key == f"seat/{login}"]
        assert states == ["intent", "created", "ready"]


def test_kinds_all_have_a_place_in_making_and_removing() -> None:
    """A new kind that one of the two tables lacks would be made and never removed."""
    from typing import get_args

    from fpgaclass.cohort.plans import WAVES
    from fpgaclass.cohort.teardown import _STAGE

    assert set(WAVES) == set(_STAGE) == set(get_args(Kind))


def _turned(hours: float) -> None:
    """Let the cohort have begun so many hours ago."""
    with State().engine.begin() as connection:
        begun = now() - timedelta(hours=hours)
        connection.execute(cohorts.update().values(created=begun, expires=begun + timedelta(hours=40)))
        connection.execute(resources.update().values(created=begun))


def test_card_nodes_whose_hours_are_over_are_not_made_anew(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """They are the dear part, and would be dead on arrival; yet the seats go on, and students still join."""
    verbs.apply(course, provider=provider)
    assert costs.cost("spring27", card_hours=10).until_end == verbs.plan(course).cost
    _turned(11)
    for thing in [t for t in cloud.things.values() if t.marker.key.startswith("card/")]:
        del cloud.things[thing.id]
    assert verbs.status(course, provider=provider).missing == ()
    so_far = costs.cost("spring27", card_hours=10)
    shared = 2 * 10 * verbs.plan(course)["card/0"].offers[0].hourly
    assert dict(so_far.by_student)[""] == pytest.approx(shared, abs=0.01), "ten hours each, and not eleven"
    assert so_far.until_end == pytest.approx(verbs.plan(course).cost, abs=0.02)
    course.write_text(course.read_text().replace("lise]", "lise, max]"))
    done = verbs.apply(course, provider=provider)
    assert {key.partition("/")[0] for key in done.made} == {"seat", "volume", "address"}
    assert "card/0, card/1: the hours are over" in " ".join(done.notes)
    assert not done.failed


def test_a_card_made_late_ends_with_its_hours_whatever_the_file_says_since(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """A changed ``hours`` does not move the beginning: a node made anew after it must not be over at once."""
    verbs.apply(course, provider=provider)
    end = next(t for t in cloud.things.values() if t.marker.key == "card/0").marker.expires
    for thing in [t for t in cloud.things.values() if t.marker.key == "card/0"]:
        del cloud.things[thing.id]
    course.write_text(course.read_text().replace("hours: 40", "hours: 60"))
    verbs.apply(course, provider=provider)
    assert next(t for t in cloud.things.values() if t.marker.key == "card/0").marker.expires == end


def test_a_new_machine_gets_its_address_and_disk(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They outlive a machine, and are of no use with one that is gone."""
    verbs.apply(course, provider=provider)
    victim = next(t for t in cloud.things.values() if t.marker.key == "seat/ada")
    del cloud.things[victim.id]
    completed: list[str] = []
    complete = provider.complete

    def watched(order: Order, identity: str) -> None:
        completed.append(order.marker.key)
        complete(order, identity)

    monkeypatch.setattr(provider, "complete", watched)
    verbs.apply(course, provider=provider)
    assert sorted(completed) == ["address/ada", "volume/ada"]


def test_what_an_apply_would_change_is_told_before(course: Path, provider: MemoryProvider) -> None:
    """Who adds one student must not be asked as if all of it were made, and sees whom a list has lost."""
    assert changes(verbs.plan(course)) is None
    verbs.apply(course, provider=provider)
    course.write_text(course.read_text().replace("emmy, lise]", "emmy, max]"))
    found = changes(verbs.plan(course))
    assert found is not None
    assert len(found.there) == PER_COHORT - 3
    assert found.new == ("seat/max", "address/max", "volume/max")
    assert found.gone == ("address/lise", "seat/lise", "volume/lise")
    assert "in the plan no more: 3 (address/lise, seat/lise, volume/lise); they stay" in changes_text(found)


def test_who_left_counts_against_the_limit(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """A list that is another one next week would cost twice what was allowed: the first machines stay."""
    first = verbs.plan(course).cost_at_most
    limit = first * 1.05
    verbs.apply(course, max_cost=limit, provider=provider)
    there = len(cloud.things)
    course.write_text(course.read_text().replace("[ada, emmy, lise]", "[max, otto, ida]"))
    assert verbs.plan(course).cost_at_most == first
    found = changes(verbs.plan(course))
    assert found is not None
    assert found.cost_at_most > limit
    with pytest.raises(PlanRefusedError, match=r"with what is there .*9 are in the plan"):
        verbs.apply(course, max_cost=limit, provider=provider)
    assert len(cloud.things) == there
    done = verbs.apply(course, max_cost=limit, prune=True, provider=provider)
    assert len(done.removed) == 9
    assert len(cloud.things) == there
    course.write_text(course.read_text().replace("hours: 40", "hours: 20"))
    assert verbs.apply(course, max_cost=limit, provider=provider).failed == ()
    text = course.read_text()
    course.write_text(text.replace("ida]", "ida, eva]"))
    assert verbs.plan(course).cost_at_most < limit, "in a cohort of 20 hours it would fit"
    with pytest.raises(PlanRefusedError, match="with what is there"):
        verbs.apply(course, max_cost=limit, provider=provider)
    verbs.destroy(course, provider=provider)
    assert verbs.apply(course, max_cost=limit, provider=provider).failed == ()


def test_another_size_in_the_file_is_told(course: Path, provider: MemoryProvider) -> None:
    """Machines keep their size: who only edits the file must not believe in a larger one."""
    verbs.apply(course, provider=provider)
    course.write_text(course.read_text().replace("m5.large, alternatives: [m6i.large]", "m5.xlarge"))
    notes = " ".join(verbs.apply(course, provider=provider).notes)
    assert "seat/ada, seat/emmy, seat/lise: made as m5.large, which the plan no longer has" in notes


def test_what_changed_in_the_file_and_not_in_the_cloud_is_told(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """Who lets another network in, in the file alone, must not believe that its people get in."""
    text = course.read_text().replace("hours: 40", "max_cost: 500\n  hours: 40")
    course.write_text(text.replace("abcdef0}", "abcdef0, budget_email: ada@example.org}"))
    verbs.apply(course, provider=provider)
    assert changes(verbs.plan(course)).notes == ()  # type: ignore[union-attr]
    text = course.read_text().replace("131.154.0.0/16", "10.1.0.0/16").replace("ada@", "emmy@")
    course.write_text(text.replace("max_cost: 500", "max_cost: 600").replace("hours: 10", "hours: 12"))
    found = changes(verbs.plan(course))
    assert found is not None
    assert {note.partition(":")[0] for note in found.notes} == {
        "ssh_from",
        "aws.budget_email",
        "max_cost (of the budget alarm)",
        "cards.hours",
    }
    assert "\nnote: ssh_from: another one in the file now" in changes_text(found)
    assert verbs.apply(course, provider=provider).notes == found.notes
    firewall = next(thing for thing in cloud.things.values() if thing.kind == "firewall")
    del cloud.things[firewall.id]
    assert not any("ssh_from" in note for note in verbs.apply(course, provider=provider).notes)
    private = (State().engine.url.database, "example.org", "10.1.0.0")
    data = Path(str(private[0])).read_bytes() + Path(f"{private[0]}-wal").read_bytes()
    assert not [word for word in private[1:] if word.encode() in data], "mail and networks stay in the file"


def test_a_machine_that_went_at_once_is_not_called_ready(
    course: Path, cloud: MemoryCloud, provider: MemoryProvider
) -> None:
    """Within the time that a cloud needs to list what is new, an apply waits instead of believing."""
    verbs.apply(course, provider=provider)
    provider.capabilities = replace(provider.capabilities, grace_s=1.0)
    victim = next(t for t in cloud.things.values() if t.marker.key == "seat/ada")
    del cloud.things[victim.id]
    done = verbs.apply(course, provider=provider)
    assert not done.failed
    assert "seat/ada" in {thing.marker.key for thing in cloud.things.values()}
