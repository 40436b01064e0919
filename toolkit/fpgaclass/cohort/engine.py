"""Apply: look first, write the intent, call, write the result; whatever is cut off is taken up again."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from fpgaclass.cohort.applied import Applied, Failure, Listener, ignore
from fpgaclass.cohort.database import now
from fpgaclass.cohort.errors import (
    AuthError,
    CapacityError,
    LostError,
    ProviderError,
    QuotaError,
    RefusedError,
)
from fpgaclass.cohort.known import Known
from fpgaclass.cohort.plans import Plan, Resource
from fpgaclass.cohort.port import Found, Provider, SpentTokenError
from fpgaclass.cohort.state import CREATED, DELETED, FAILED, INTENT, PLANNED, READY, CohortRow, Row, State
from fpgaclass.cohort.writer import Writer

_TRIES = 4
# A machine that somebody stopped holds a student's work: to make it anew is not for us to decide.
_STOPPED = "somebody stopped it; it is there, with its disk, and counts against the quota"
_START = "start it in the provider's console, or remove it there and run apply again"


class Apply:
    """One run of apply.

    Args:
        provider, state, writer, plan: with what, whose lock, and what is wanted.
        cohort: when it began and ends.
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
        cohort: CohortRow,
        *,
        listener: Listener | None = None,
        prune: bool = False,
        timeout_s: float = 1800.0,
    ) -> None:
        self._provider, self._state, self._plan = provider, state, plan
        self._prune, self._timeout, self._expires = prune, timeout_s, cohort.expires
        self._able = provider.capabilities
        self._known = Known(state, writer, plan, cohort, listener or ignore)
        self._made: list[str] = []
        self._adopted: list[str] = []
        self._removed: list[str] = []
        self._strays: list[str] = []
        self._no_quota: set[str] = set()
        self._moved: set[str] = set()
        self._second: set[str] = set()
        self._stop = threading.Event()

    def run(self) -> Applied:
        """Bring the cloud to the plan.

        Raises:
            AuthError: the credentials ended; what was made is recorded, and the next run goes on from there.
            BusyError: another process took the cohort over.
        """
        self._refresh()
        for wave in sorted({resource.wave for resource in self._plan.resources}):
            members = [resource for resource in self._plan.resources if resource.wave == wave]
            while todo := [r for r in members if self._known[r.key].state in (PLANNED, INTENT, CREATED)]:
                self._in_parallel(todo)
                if not self._settle():
                    break
        self._look_at_moved()
        rows = self._state.rows(self._plan.cohort)
        undone = [row for row in rows if row.key in self._plan and row.state != READY]
        failed = tuple(Failure(row.key, *_split(row.error)) for row in undone)
        done = (tuple(self._made), tuple(self._adopted), tuple(self._removed), failed, tuple(self._strays))
        return Applied(*done, rows, self._expires)

    def _refresh(self) -> None:
        """Make the state agree with what is there, before anything is made."""
        there: dict[str, list[Found]] = {}
        for found in self._provider.inventory(self._plan.cohort):
            if found.status != "leaving":
                there.setdefault(found.marker.key, []).append(found)
        surplus: list[Found] = []
        for key, row in list(self._known.items()):
            if key not in self._plan:
                continue
            # A machine's own disk may carry its key; it comes and goes with the machine.
            live = [found for found in there.pop(key, []) if found.kind == row.kind]
            if live:
                surplus += self._take(row, live)
            elif row.state in (CREATED, READY) and not _within(row.created, self._able.grace_s):
                self._known.again(row, "gone from the cloud; it is made anew")
            elif row.state == READY and row.kind == "machine":
                self._known.set(row.key, state=CREATED)  # too new to tell: it is waited for
            elif row.state == DELETED:
                self._known.again(row, "")
            elif row.state == FAILED:
                self._known.set(row.key, state=PLANNED, offer=0, error="")
        if self._prune:
            surplus += [found for members in there.values() for found in members]
        refused = self._provider.delete(surplus) if surplus else {}
        self._removed = [found.marker.key for found in surplus if found.id not in refused]
        self._strays = sorted(set(there) - (set(self._removed) if self._prune else set()))
        for key in self._known:
            # Who left the course, and whose machine is gone, costs nothing any more.
            if key not in self._plan and key not in self._strays and self._known[key].state != DELETED:
                self._known.set(key, state=DELETED, error="", ended=now())

    def _take(self, row: Row, live: list[Found]) -> list[Found]:
        """Adopt one of those that are there; return the others, which are doubles."""
        live.sort(key=lambda f: (f.id != row.identity, f.status != "ready", f.marker.generation, f.id))
        kept = live[0]
        if kept.id != row.identity:
            self._adopted.append(row.key)
        self._known.learn({row.key: kept})
        return live[1:]

    def _in_parallel(self, todo: Sequence[Resource]) -> None:
        if len(todo) == 1 or self._able.workers == 1:
            for resource in todo:
                self._make(resource)
            return
        with ThreadPoolExecutor(self._able.workers, thread_name_prefix="apply") as pool:
            futures = [pool.submit(self._make, resource) for resource in todo]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self._stop.set()  # on Ctrl-C, too: what has not begun does not begin any more
                raise

    def _make(self, resource: Resource) -> None:
        if self._stop.is_set():
            return
        try:
            for need in self._needs(resource):
                if self._known[need].state != READY:
                    raise ProviderError(f"it needs {need}, which is not there")
            if self._known[resource.key].state != CREATED:
                self._create(resource)
            row = self._known[resource.key]
            if row.state == CREATED and row.identity and resource.kind != "machine":
                self._provider.complete(self._known.order(resource), row.identity)
                self._known.set(resource.key, state=READY)
                if resource.kind == "address":
                    self._moved.add(resource.machine)
        except AuthError:
            self._stop.set()
            raise
        except RefusedError as trouble:
            self._stop.set()
            self._known.fail(resource.key, trouble)
        except ProviderError as trouble:
            self._known.fail(resource.key, trouble)

    def _needs(self, resource: Resource) -> list[str]:
        if resource.machine:
            return [resource.machine]
        shared = [r.key for r in self._plan.resources if r.kind in ("key", "firewall")]
        return shared if resource.kind == "machine" else []

    def _create(self, resource: Resource) -> None:
        key = resource.key
        if self._known[key].state == INTENT and resource.kind not in self._able.tokens:
            # An earlier call may have had its effect; without a token only the inventory can tell.
            self._wait_until_visible(self._known[key])
            if self._look(resource):
                return
        spent = lost = 0
        while not self._stop.is_set():
            row = self._known[key]
            offer = resource.offers[min(row.offer, len(resource.offers) - 1)]
            if offer.size in self._no_quota:
                raise QuotaError(f"no quota left for {offer.size}", next_step="ask for more, or plan less")
            intent = {"size": offer.size, "zone": offer.zone, "hourly": offer.hourly, "intended": now()}
            self._known.set(key, state=INTENT, error="", **intent)
            try:
                identity = self._provider.create(self._known.order(resource))
            except CapacityError:
                if row.offer + 1 >= len(resource.offers):
                    raise
                self._known.set(key, offer=row.offer + 1)
                continue
            except QuotaError:
                self._no_quota.add(offer.size)
                raise
            except (LostError, SpentTokenError) as trouble:
                spent += isinstance(trouble, SpentTokenError)
                lost += isinstance(trouble, LostError)
                self._wait_until_visible(self._known[key])
                if self._look(resource):
                    return
                if spent + lost >= _TRIES:
                    raise
                if isinstance(trouble, SpentTokenError):
                    self._known.set(key, generation=self._known[key].generation + 1)
                continue
            self._known.set(key, state=CREATED, identity=identity, created=now(), ended=None)
            self._made.append(key)
            for other in self._plan.resources:
                if other.machine == key and self._known[other.key].state == READY:
                    self._known.set(other.key, state=CREATED)  # it is still the lost machine's
            return

    def _wait_until_visible(self, row: Row) -> None:
        if row.intended:
            age = (now() - row.intended).total_seconds()
            self._stop.wait(max(0.0, self._able.grace_s - age))

    def _look(self, resource: Resource) -> bool:
        for found in self._provider.inventory(self._plan.cohort, {resource.kind}):
            if found.marker.key == resource.key and found.status != "leaving":
                self._adopted.append(resource.key)
                self._known.learn({resource.key: found})
                return True
        return False

    def _settle(self) -> bool:
        """Wait for the machines; return whether some must be made again elsewhere."""
        again = False
        deadline = time.monotonic() + self._timeout
        while waiting := [
            r
            for r in self._plan.of_kind("machine")
            if self._known[r.key].state == CREATED and not self._stop.is_set()
        ]:
            there = {found.id: found for found in self._provider.inventory(self._plan.cohort, {"machine"})}
            ready: dict[str, Found] = {}
            for resource in waiting:
                row = self._known[resource.key]
                found = there.get(row.identity or "")
                if found is not None and found.status == "ready":
                    ready[resource.key] = found
                elif found is not None and found.status == "failed":
                    self._provider.delete([found])
                    trouble = found.trouble or ProviderError("the machine failed to start")
                    again |= self._elsewhere(resource, trouble)
                elif found is not None and found.status == "stopped":
                    self._known.fail(resource.key, ProviderError(_STOPPED, next_step=_START))
                elif (found is None or found.status == "leaving") and not _within(
                    row.created, self._able.grace_s + 2
                ):
                    again |= self._elsewhere(
                        resource, ProviderError("the machine went away while it started")
                    )
                elif time.monotonic() > deadline:
                    what = f"not ready after {self._timeout:.0f} s; it is still there"
                    self._known.fail(
                        resource.key, ProviderError(what, next_step="run apply again, or destroy")
                    )
            self._known.learn(ready)
            if any(self._known[r.key].state == CREATED for r in waiting):
                self._stop.wait(self._able.poll_s)
        return again

    def _look_at_moved(self) -> None:
        """Learn where machines are that have got a fixed address: the one that they started with is gone."""
        if self._moved and not self._stop.is_set():
            there = self._provider.inventory(self._plan.cohort, {"machine"})
            mine = {f.marker.key: f for f in there if f.marker.key in self._moved and f.status == "ready"}
            self._known.learn({key: f for key, f in mine.items() if f.id == self._known[key].identity})

    def _elsewhere(self, resource: Resource, trouble: ProviderError) -> bool:
        row = self._known[resource.key]
        more = row.offer + 1 < len(resource.offers)
        self._known.again(row, str(trouble), row.offer + 1 if more else row.offer)
        if isinstance(trouble, CapacityError) and more:
            return True
        if trouble.kind == "other" and resource.key not in self._second:
            self._second.add(resource.key)
            return True  # a bad host happens; twice is no accident
        self._known.fail(resource.key, trouble)
        return False


def _within(when: datetime | None, seconds: float) -> bool:
    return when is not None and (now() - when).total_seconds() < seconds


def _split(error: str) -> tuple[str, str]:
    kind, found, what = error.partition(": ")
    return (kind, what) if found else ("other", error or "it was not reached")
