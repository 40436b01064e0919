"""Apply: look first, write the intent, call, write the result; whatever is cut off is taken up again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fpgaclass.cohort.database import now
from fpgaclass.cohort.errors import (
    AuthError,
    CapacityError,
    LostError,
    ProviderError,
    QuotaError,
    RefusedError,
)
from fpgaclass.cohort.plans import Plan, Resource
from fpgaclass.cohort.port import Found, Marker, Order, Provider, SpentTokenError
from fpgaclass.cohort.state import CREATED, DELETED, FAILED, INTENT, PLANNED, READY, Row, State
from fpgaclass.cohort.writer import Writer

_TRIES = 4


@dataclass(frozen=True)
class Event:
    """Something happened to a resource: for bars and logs. ``state`` is one of the state's words."""

    key: str
    student: str
    state: str
    what: str = ""


Listener = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Listen to nothing."""


@dataclass(frozen=True)
class Failure:
    """A resource that could not be made: why, of which kind, and what to do."""

    key: str
    kind: str
    what: str


@dataclass(frozen=True)
class Applied:
    """What an apply did.

    Attributes:
        made, adopted, removed: keys made now; found made by an earlier, cut-off apply; doubles removed.
        failed: what could not be made.
        strays: keys that carry the cohort's tags and are in no plan, such as a student's who left.
        rows: everything, as it is now.
    """

    made: tuple[str, ...]
    adopted: tuple[str, ...]
    removed: tuple[str, ...]
    failed: tuple[Failure, ...]
    strays: tuple[str, ...]
    rows: tuple[Row, ...]


class Apply:
    """One run of apply.

    Args:
        provider, state, writer, plan: with what, whose lock, and what is wanted.
        expires: the cohort's end.
        listener: is told of every step, from several threads.
        prune: remove strays instead of only naming them.
        timeout_s: how long to wait for machines to be ready.
    """

    def __init__(
        self,
        provider: Provider,
        state: State,
        writer: Writer,
        plan: Plan,
        expires: datetime,
        *,
        listener: Listener | None = None,
        prune: bool = False,
        timeout_s: float = 1800.0,
    ) -> None:
        self._provider, self._state, self._writer, self._plan = provider, state, writer, plan
        self._expires, self._prune, self._timeout = expires, prune, timeout_s
        self._tell = listener or ignore
        self._able = provider.capabilities
        self._rows: dict[str, Row] = {}
        self._made: list[str] = []
        self._adopted: list[str] = []
        self._removed: list[str] = []
        self._strays: list[str] = []
        self._no_quota: set[str] = set()
        self._stop = threading.Event()

    def run(self) -> Applied:
        """Bring the cloud to the plan.

        Raises:
            AuthError: the credentials ended; what was made is recorded, and the next run goes on from there.
            BusyError: another process took the cohort over.
        """
        self._rows = {row.key: row for row in self._state.rows(self._plan.cohort)}
        self._refresh()
        for wave in sorted({resource.wave for resource in self._plan.resources}):
            members = [resource for resource in self._plan.resources if resource.wave == wave]
            while todo := [r for r in members if self._rows[r.key].state in (PLANNED, INTENT, CREATED)]:
                self._in_parallel(todo)
                if not self._settle():
                    break
        rows = self._state.rows(self._plan.cohort)
        wanted = self._plan._by_key
        undone = [row for row in rows if row.key in wanted and row.state != READY]
        failed = tuple(Failure(row.key, *_split(row.error)) for row in undone)
        done = (tuple(self._made), tuple(self._adopted), tuple(self._removed), failed, tuple(self._strays))
        return Applied(*done, rows)

    def _refresh(self) -> None:
        """Make the state agree with what is there, before anything is made."""
        there: dict[str, list[Found]] = {}
        for found in self._provider.inventory(self._plan.cohort):
            if found.status != "leaving":
                there.setdefault(found.marker.key, []).append(found)
        surplus: list[Found] = []
        for key, row in list(self._rows.items()):
            if key not in self._plan._by_key:
                continue
            # A machine's own disk may carry its key; it comes and goes with the machine.
            live = [found for found in there.pop(key, []) if found.kind == row.kind]
            if live:
                surplus += self._take(row, live)
            elif row.state in (CREATED, READY) and not _within(row.created, self._able.grace_s):
                self._again(row, "gone from the cloud; it is made anew")
            elif row.state == DELETED:
                self._again(row, "")
            elif row.state == FAILED:
                self._set(row.key, state=PLANNED, offer=0, error="")
        self._strays = sorted(there)
        if self._prune:
            surplus += [found for members in there.values() for found in members]
        if surplus:
            self._provider.delete(surplus)
            self._removed += [found.marker.key for found in surplus]

    def _take(self, row: Row, live: list[Found]) -> list[Found]:
        """Adopt one of those that are there; return the others, which are doubles."""
        live.sort(key=lambda f: (f.id != row.identity, f.status != "ready", f.marker.generation, f.id))
        kept = live[0]
        if kept.id != row.identity:
            self._adopted.append(row.key)
        self._own(row.key, kept)
        return live[1:]

    def _own(self, key: str, found: Found) -> None:
        if values := self._news(key, found):
            self._set(key, **values)

    def _news(self, key: str, found: Found) -> dict[str, Any]:
        """Return what the inventory says of a resource and the state does not know yet."""
        values: dict[str, Any] = {"identity": found.id, "generation": found.marker.generation, "error": ""}
        values["state"] = READY if found.status == "ready" else CREATED
        row = self._rows[key]
        if found.size and (row.size, row.zone) != (found.size, found.zone):
            offers = self._plan[key].offers
            hourly = next((o.hourly for o in offers if o.size == found.size), row.hourly)
            values |= {"size": found.size, "zone": found.zone, "hourly": hourly}
        if found.address:
            values["address"] = found.address
        if row.created is None or found.id != row.identity:
            values |= {"created": row.intended or now(), "ended": None}
        return {name: value for name, value in values.items() if getattr(row, name) != value}

    def _again(self, row: Row, why: str, offer: int = 0) -> None:
        """Let a resource be made anew: the next generation has another token."""
        hours = ((row.ended or now()) - row.created).total_seconds() / 3600 if row.created else 0.0
        self._set(
            row.key,
            state=PLANNED,
            generation=row.generation + 1,
            offer=offer,
            identity=None,
            address="",
            error=why,
            intended=None,
            created=None,
            ended=None,
            spent=row.spent + hours * row.hourly,
        )

    def _in_parallel(self, todo: Sequence[Resource]) -> None:
        if len(todo) == 1 or self._able.workers == 1:
            for resource in todo:
                self._make(resource)
            return
        with ThreadPoolExecutor(self._able.workers, thread_name_prefix="apply") as pool:
            futures = [pool.submit(self._make, resource) for resource in todo]
        for future in futures:
            future.result()

    def _make(self, resource: Resource) -> None:
        if self._stop.is_set():
            return
        try:
            for need in self._needs(resource):
                if self._rows[need].state != READY:
                    raise ProviderError(f"it needs {need}, which is not there")
            if self._rows[resource.key].state != CREATED:
                self._create(resource)
            row = self._rows[resource.key]
            if row.state == CREATED and row.identity and resource.kind != "machine":
                self._provider.complete(self._order(resource), row.identity)
                self._set(resource.key, state=READY)
        except AuthError:
            self._stop.set()
            raise
        except RefusedError as trouble:
            self._stop.set()
            self._fail(resource, trouble)
        except ProviderError as trouble:
            self._fail(resource, trouble)

    def _needs(self, resource: Resource) -> list[str]:
        if resource.machine:
            return [resource.machine]
        shared = [r.key for r in self._plan.resources if r.kind in ("key", "firewall")]
        return shared if resource.kind == "machine" else []

    def _create(self, resource: Resource) -> None:
        key = resource.key
        if self._rows[key].state == INTENT and resource.kind not in self._able.tokens:
            # An earlier call may have had its effect; without a token only the inventory can tell.
            self._wait_until_visible(self._rows[key])
            if self._look(resource):
                return
        spent = lost = 0
        while not self._stop.is_set():
            row = self._rows[key]
            offer = resource.offers[min(row.offer, len(resource.offers) - 1)]
            if offer.size in self._no_quota:
                raise QuotaError(f"no quota left for {offer.size}", next_step="ask for more, or plan less")
            intent = {"size": offer.size, "zone": offer.zone, "hourly": offer.hourly, "intended": now()}
            self._set(key, state=INTENT, error="", **intent)
            try:
                identity = self._provider.create(self._order(resource))
            except CapacityError:
                if row.offer + 1 >= len(resource.offers):
                    raise
                self._set(key, offer=row.offer + 1)
                continue
            except QuotaError:
                self._no_quota.add(offer.size)
                raise
            except (LostError, SpentTokenError) as trouble:
                spent += isinstance(trouble, SpentTokenError)
                lost += isinstance(trouble, LostError)
                self._wait_until_visible(self._rows[key])
                if self._look(resource):
                    return
                if spent + lost >= _TRIES:
                    raise
                if isinstance(trouble, SpentTokenError):
                    self._set(key, generation=self._rows[key].generation + 1)
                continue
            self._set(key, state=CREATED, identity=identity, created=now(), ended=None)
            self._made.append(key)
            return

    def _wait_until_visible(self, row: Row) -> None:
        if row.intended:
            age = (now() - row.intended).total_seconds()
            self._stop.wait(max(0.0, self._able.grace_s - age))

    def _look(self, resource: Resource) -> bool:
        for found in self._provider.inventory(self._plan.cohort, {resource.kind}):
            if found.marker.key == resource.key and found.status != "leaving":
                self._adopted.append(resource.key)
                self._own(resource.key, found)
                return True
        return False

    def _settle(self) -> bool:
        """Wait for the machines; return whether some must be made again elsewhere."""
        again = False
        deadline = time.monotonic() + self._timeout
        while waiting := [
            r
            for r in self._plan.of_kind("machine")
            if self._rows[r.key].state == CREATED and not self._stop.is_set()
        ]:
            there = {found.id: found for found in self._provider.inventory(self._plan.cohort, {"machine"})}
            ready: dict[str, dict[str, Any]] = {}
            for resource in waiting:
                row = self._rows[resource.key]
                found = there.get(row.identity or "")
                if found is not None and found.status == "ready":
                    ready[resource.key] = self._news(resource.key, found)
                elif found is not None and found.status == "failed":
                    self._provider.delete([found])
                    trouble = found.trouble or ProviderError("the machine failed to start")
                    again |= self._elsewhere(resource, trouble)
                elif (found is None or found.status == "leaving") and not _within(
                    row.created, self._able.grace_s + 2
                ):
                    again |= self._elsewhere(
                        resource, ProviderError("the machine went away while it started")
                    )
                elif time.monotonic() > deadline:
                    what = f"not ready after {self._timeout:.0f} s; it is still there"
                    self._fail(resource, ProviderError(what, next_step="run apply again, or destroy"))
            if ready:
                self._state.set_each(self._writer, ready)
            for key, values in ready.items():
                self._know(key, values)
            if any(self._rows[r.key].state == CREATED for r in waiting):
                self._stop.wait(self._able.poll_s)
        return again

    def _elsewhere(self, resource: Resource, trouble: ProviderError) -> bool:
        row = self._rows[resource.key]
        more = row.offer + 1 < len(resource.offers)
        self._again(row, str(trouble), row.offer + 1 if more else row.offer)
        if isinstance(trouble, CapacityError) and more:
            return True
        if trouble.kind == "other" and row.generation == 0:
            return True  # a bad host happens; twice is no accident
        self._fail(resource, trouble)
        return False

    def _fail(self, resource: Resource, trouble: ProviderError) -> None:
        # A call without an answer stays an intent: the next run looks for what it may have made.
        state = FAILED if trouble.outcome_known else INTENT
        self._set(resource.key, state=state, error=f"{trouble.kind}: {trouble}")

    def _order(self, resource: Resource) -> Order:
        row = self._rows[resource.key]
        hours = timedelta(hours=resource.hours)
        start = self._expires - timedelta(hours=self._plan.hours)
        marker = Marker(row.cohort, row.key, row.generation, min(self._expires, start + hours))
        made = {key: other.identity for key, other in self._rows.items() if other.identity}
        offer = resource.offers[min(row.offer, len(resource.offers) - 1)]
        return Order(resource, offer, marker, made)

    def _set(self, key: str, **values: Any) -> None:
        self._state.set(self._writer, key, **values)
        self._know(key, values)

    def _know(self, key: str, values: dict[str, Any]) -> None:
        self._rows[key] = replace(self._rows[key], **values)
        row = self._rows[key]
        self._tell(Event(key, row.student, row.state, row.error))


def _within(when: datetime | None, seconds: float) -> bool:
    return when is not None and (now() - when).total_seconds() < seconds


def _split(error: str) -> tuple[str, str]:
    kind, found, what = error.partition(": ")
    return (kind, what) if found else ("other", error or "it was not reached")
