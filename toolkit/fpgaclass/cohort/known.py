"""What an apply knows of its resources: in memory and on disk, the same at every moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from fpgaclass.cohort.applied import Event, Listener
from fpgaclass.cohort.database import now
from fpgaclass.cohort.errors import ProviderError
from fpgaclass.cohort.plans import Plan, Resource
from fpgaclass.cohort.port import Found, Marker, Order
from fpgaclass.cohort.state import CREATED, FAILED, INTENT, PLANNED, READY, CohortRow, Row, State
from fpgaclass.cohort.writer import Writer


class Known(Mapping[str, Row]):
    """The rows of a plan's cohort, by key.

    Args:
        state, writer: where every change goes first, and under whose lock.
        plan: what is wanted.
        cohort: when it began and ends.
        tell: is told of every change, from several threads.
    """

    def __init__(self, state: State, writer: Writer, plan: Plan, cohort: CohortRow, tell: Listener) -> None:
        self._state, self._writer, self._plan, self._cohort, self._tell = state, writer, plan, cohort, tell
        self._rows = {row.key: row for row in state.rows(plan.cohort)}

    def __getitem__(self, key: str) -> Row:
        return self._rows[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def set(self, key: str, **values: Any) -> None:
        """Change a row, on disk first."""
        self._state.set(self._writer, key, **values)
        self._remember(key, values)

    def learn(self, found: Mapping[str, Found]) -> None:
        """Take over what the inventory shows of these keys, in one transaction."""
        news = {key: self._news(key, thing) for key, thing in found.items()}
        self._state.set_each(self._writer, {key: values for key, values in news.items() if values})
        for key, values in news.items():
            if values:
                self._remember(key, values)

    def again(self, row: Row, why: str, offer: int = 0) -> None:
        """Let a resource be made anew: the next generation has another token."""
        hours = ((row.ended or now()) - row.created).total_seconds() / 3600 if row.created else 0.0
        self.set(
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

    def fail(self, key: str, trouble: ProviderError) -> None:
        """Note why a resource could not be made."""
        # A call without an answer stays an intent: the next run looks for what it may have made.
        state = FAILED if trouble.outcome_known else INTENT
        self.set(key, state=state, error=f"{trouble.kind}: {trouble}")

    def order(self, resource: Resource) -> Order:
        """Return what the provider is to make now."""
        row = self[resource.key]
        # The file's hours may have changed since; who lives as long as the cohort goes with it.
        hours = resource.hours if resource.hours < self._plan.hours else None
        marker = Marker(row.cohort, row.key, row.generation, self._cohort.end_of(hours))
        made = {key: other.identity for key, other in self._rows.items() if other.identity}
        offer = resource.offers[min(row.offer, len(resource.offers) - 1)]
        return Order(resource, offer, marker, made)

    def _news(self, key: str, found: Found) -> dict[str, Any]:
        """Return what the inventory says of a resource and the state does not know yet."""
        values: dict[str, Any] = {"identity": found.id, "generation": found.marker.generation, "error": ""}
        values["state"] = READY if found.status == "ready" else CREATED
        row = self[key]
        if found.size and (row.size, row.zone) != (found.size, found.zone):
            offers = self._plan[key].offers
            hourly = next((o.hourly for o in offers if o.size == found.size), row.hourly)
            values |= {"size": found.size, "zone": found.zone, "hourly": hourly}
        if found.address:
            values["address"] = found.address
        if row.created is None or found.id != row.identity:
            values |= {"created": row.intended or now(), "ended": None}
        return {name: value for name, value in values.items() if getattr(row, name) != value}

    def _remember(self, key: str, values: Mapping[str, Any]) -> None:
        row = self._rows[key] = replace(self._rows[key], **values)
        self._tell(Event(key, row.student, row.state, row.error))
