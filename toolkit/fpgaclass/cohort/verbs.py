"""The verbs plan, check, apply, status and destroy; a command line prints what they return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from fpgaclass.cohort import keys
from fpgaclass.cohort.applied import Applied, Listener
from fpgaclass.cohort.belonging import refuse_another, refuse_elsewhere
from fpgaclass.cohort.bundle import check_course
from fpgaclass.cohort.database import now
from fpgaclass.cohort.differences import changes, differences, settings_to_note, without_what_is_over
from fpgaclass.cohort.engine import Apply
from fpgaclass.cohort.errors import PlanRefusedError
from fpgaclass.cohort.leases.book import LeaseBook
from fpgaclass.cohort.planning import make_plan
from fpgaclass.cohort.plans import Kind, Plan
from fpgaclass.cohort.port import Finding, Found, Marker, Provider
from fpgaclass.cohort.providers import connect
from fpgaclass.cohort.roster import Student, public_key, read_roster, students_of
from fpgaclass.cohort.spec import CohortFile, card_names, load_spec, own_hours, place_of
from fpgaclass.cohort.state import DELETED, READY, CohortRow, Row, State
from fpgaclass.cohort.teardown import remove_all
from fpgaclass.cohort.timer import remove_timer
from fpgaclass.cohort.writer import Writer
from fpgaclass.core import InvalidInputError

if TYPE_CHECKING:
    from fpgaclass.cohort.providers.aws import AwsProvider
    from fpgaclass.cohort.providers.aws.images import CardImage


@dataclass(frozen=True)
class Status:
    """What the state says and what the cloud shows.

    Attributes:
        cohort: None where this state does not know the cohort.
        rows: the state's resources.
        found: the cloud's inventory.
        missing: keys that should be there and are not.
        unknown: keys that are there and that the state does not know.
    """

    cohort: CohortRow | None
    rows: tuple[Row, ...]
    found: tuple[Found, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Destroyed:
    """What a destroy removed, and where; ``audit`` is what its last look there showed, and is empty."""

    cohort: str
    where: str
    things: tuple[tuple[Kind, str, str], ...]
    seconds: float
    audit: tuple[Found, ...]


def students(file: CohortFile) -> tuple[Student, ...]:
    """Return the cohort's students: of its roster, else of the course.

    Raises:
        InvalidInputError: with every line that is wrong.
    """
    if file.spec.roster:
        return read_roster(file.beside(file.spec.roster))
    return students_of(file.students, str(file.path), file.lines)


def plan(path: Path | str, *, max_cost: float | None = None) -> Plan:
    """Plan the cohort of a course.yaml, without asking any provider and without writing anything.

    Args:
        path: course.yaml, its folder, or the cohort's own file.
        max_cost: instead of the file's.

    Raises:
        CourseError, InvalidInputError: the file or the roster is wrong; with the lines.
        PlanRefusedError: a size is retired, or the region has none.
    """
    file = load_spec(path)
    if max_cost is not None and not max_cost >= 0:  # nan, too, is below nothing
        raise InvalidInputError(f"{max_cost} is no limit of a cost", next_step="--max-cost 500")
    made = make_plan(file.spec, students(file), public_key=_public_key(file))
    return made if max_cost is None else replace(made, max_cost=max_cost)


def check(
    path: Path | str, *, url: str | None = None, provider: Provider | None = None
) -> tuple[Finding, ...]:
    """Ask the provider, changing nothing, whether the plan can be made.

    Raises:
        PlanRefusedError: the cohort is at another place, or of another account.
    """
    file, state = load_spec(path), State(url)
    cloud, known = provider or connect(file.spec), state.cohort(file.spec.name)
    refuse_elsewhere(file, known, state)
    findings = cloud.preflight(plan(path))
    if all(finding.ok for finding in findings):
        refuse_another(cloud, known, state)
    return findings


def apply(
    path: Path | str,
    *,
    max_cost: float | None = None,
    prune: bool = False,
    listener: Listener | None = None,
    url: str | None = None,
    provider: Provider | None = None,
    timeout_s: float = 1800.0,
) -> Applied:
    """Make the cohort. Run it again after whatever cut it off: it goes on, and makes nothing twice.

    Args:
        path: course.yaml, its folder, or the cohort's own file.
        max_cost: refuse a plan that could cost more, by itself or with what is there already.
        prune: remove what is there and no longer in the plan, such as the seats of students who left, and
            free what they booked.
        listener: is told of every step, from several threads.
        url: the state's database; None is the default one.
        provider: instead of the one that the file names.
        timeout_s: how long to wait for machines.

    Raises:
        PlanRefusedError: it costs too much, a quota is too small, or the provider cannot do it.
        BusyError: another process works on this cohort.
        AuthError: the credentials are missing or have expired.
    """
    file = load_spec(path)
    wanted = plan(path, max_cost=max_cost)
    wanted.refuse_if_wrong()
    check_course(file)
    if not file.spec.public_key:
        wanted = _with_key(wanted, keys.ensure_key(wanted.cohort))
    cloud = provider or connect(file.spec)
    state = State(url)
    with Writer(state.engine, wanted.cohort) as writer:
        known = state.cohort(wanted.cohort)
        refuse_elsewhere(file, known, state)
        if known and known.phase != "destroyed" and known.expires <= now():
            when = f"{known.expires:%Y-%m-%d %H:%M} UTC"
            step = "fpgaclass cohort destroy, then apply anew"
            raise PlanRefusedError(f"cohort {wanted.cohort} expired on {when}", next_step=step)
        bad = [finding for finding in cloud.preflight(wanted) if not finding.ok]
        if bad:
            what = "; ".join(finding.what for finding in bad)
            raise PlanRefusedError(what, where=cloud.name, next_step=bad[0].next_step or None)
        refuse_another(cloud, known, state)
        book = LeaseBook(
            wanted.cohort, file.spec.leases, engine=state.engine, card_hours=file.spec.cards.hours
        )
        book.ensure_cards(card_names(file.spec))
        over: tuple[str, ...] = ()
        if known and known.phase != "destroyed":
            found = changes(wanted, prune=prune, url=url)
            wanted, over = without_what_is_over(wanted, known, file.spec)
            if found:
                found = replace(found, new=tuple(key for key in found.new if key in wanted))
                found.refuse_if_wrong(wanted, prune=prune)
        state.settle(writer, place_of(file.spec), cloud.account())
        row = state.adopt(writer, wanted, now() + timedelta(hours=wanted.hours))
        noted = state.made_with(wanted.cohort)
        state.remember(writer, settings_to_note(wanted, state.rows(wanted.cohort), noted))
        run = Apply(cloud, state, writer, wanted, row, listener=listener, prune=prune, timeout_s=timeout_s)
        done = run.run()
        state.remember(writer, settings_to_note(wanted, (), noted, done.made))
        if not done.failed:
            state.phase(writer, "ready")
        freed = book.free_others(wanted.students) if prune else ()
        book.follow({row.key: row.state == READY for row in done.rows if row.key.startswith("card/")})
    ended = [f"{', '.join(over)}: the hours are over, so that it is not made anew"] if over else []
    ended += [f"{lease.student} left, and their time on {lease.card} is free again" for lease in freed]
    kept = differences(row, wanted, done.rows, state.made_with(wanted.cohort))
    return replace(done, notes=tuple(ended + kept))


def status(path: Path | str, *, url: str | None = None, provider: Provider | None = None) -> Status:
    """Compare what the state says with what the cloud shows; changes nothing.

    Raises:
        PlanRefusedError: the file names another place than the one where the cohort is, or the credentials
            are of another account.
        AuthError: the credentials are missing or have expired.
    """
    file = load_spec(path)
    state, cloud, name = State(url), provider or connect(file.spec), file.spec.name
    cohort = state.cohort(name)
    refuse_elsewhere(file, cohort, state)
    refuse_another(cloud, cohort, state)
    rows, found = state.rows(name), cloud.inventory(name)
    there = {thing.marker.key for thing in found if thing.status != "leaving"}
    should = {
        row.key
        for row in rows
        if row.state in ("created", "ready")
        and not (cohort and cohort.end_of(own_hours(file.spec, row.key)) <= now() < cohort.expires)
    }
    known = {row.key for row in rows}
    return Status(cohort, rows, found, tuple(sorted(should - there)), tuple(sorted(there - known)))


def images(path: Path | str, *, provider: AwsProvider | None = None) -> tuple[CardImage, ...]:
    """Return the FPGA images (AFIs) of the cohort's AWS account, the newest first.

    Raises:
        PlanRefusedError: the cohort is elsewhere, where firmware is a file and not an image of the account.
        AuthError: the credentials are missing or have expired.
    """
    file = load_spec(path)
    cloud = provider or connect(file.spec)
    if not hasattr(cloud, "card_images"):
        what = f"provider {cloud.name} keeps no FPGA images: only AWS does"
        step = "load the .xclbin or the .bit itself, from a notebook on the card's node"
        raise PlanRefusedError(what, where=str(file.path), next_step=step)
    found: tuple[CardImage, ...] = cloud.card_images()
    return found


def destroy(
    path: Path | str,
    *,
    listener: Listener | None = None,
    url: str | None = None,
    provider: Provider | None = None,
    timeout_s: float = 900.0,
) -> Destroyed:
    """Remove everything of the cohort, and look again that nothing is left. The state is not needed.

    Raises:
        LeftoverError: something would not go; with its ids.
        PlanRefusedError: the file names another place than the one where the cohort is, or the credentials
            are of another account.
        BusyError: another process works on this cohort.
        AuthError: the credentials are missing or have expired.
    """
    file = load_spec(path)
    name, cloud, state = file.spec.name, provider or connect(file.spec), State(url)
    with Writer(state.engine, name) as writer:
        known = state.cohort(name)
        rows = state.rows(name)
        refuse_elsewhere(file, known, state)
        refuse_another(cloud, known, state)
        account, where = cloud.account(), place_of(file.spec)
        if known:
            state.phase(writer, "destroying")
        also = [_as_found(row) for row in rows if row.identity and row.state != DELETED]
        # What may just have been made and is not listed yet: an intent without an answer, or a lost state.
        unsure = known is None or any(row.state == "intent" for row in rows)
        done = remove_all(
            cloud,
            lambda kinds: cloud.inventory(name, kinds),
            also=also,
            grace_s=cloud.capabilities.grace_s if unsure else 0.0,
            timeout_s=timeout_s,
            listener=listener,
        )
        if known:
            left = [row.key for row in rows if row.state != DELETED]
            state.set(writer, left, state=DELETED, error="", ended=now())
            state.phase(writer, "destroyed")
        LeaseBook(name, file.spec.leases, engine=state.engine).close()
        keys.remove_key(name)
        remove_timer(name)
    where += f" (account {account})" if account else ""
    return Destroyed(name, where, done.things, done.seconds, ())


def _public_key(file: CohortFile) -> str:
    """Return the instructor's own key; every machine will have it: a private one must be found here."""
    if not file.spec.public_key:
        return ""
    path = file.beside(file.spec.public_key)
    try:
        return public_key(path.read_text(encoding="utf-8"))
    except OSError as trouble:
        what, step = f"cohort.public_key cannot be read: {trouble.strerror}", "name a .pub file of yours"
    except ValueError as fault:
        what, step = f"cohort.public_key is {fault}", "name the .pub file, which ends in .pub"
    raise InvalidInputError(what, where=str(path), next_step=f"{step}, or leave the key out: a pair is made")


def _as_found(row: Row) -> Found:
    marker = Marker(row.cohort, row.key, row.generation, row.created or now())
    return Found(row.identity or "", row.kind, marker)


def _with_key(wanted: Plan, public_key: str) -> Plan:
    def filled(settings: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        return tuple((name, public_key if name == "public_key" else value) for name, value in settings)

    return replace(wanted, resources=tuple(replace(r, settings=filled(r.settings)) for r in wanted.resources))
