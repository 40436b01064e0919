"""Sweep: what carries our tags and belongs to no living cohort goes."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fpgaclass.cohort.applied import Listener
from fpgaclass.cohort.database import now
from fpgaclass.cohort.errors import BusyError
from fpgaclass.cohort.plans import Kind
from fpgaclass.cohort.port import Found, Provider
from fpgaclass.cohort.providers import connect
from fpgaclass.cohort.spec import load_spec, place_of
from fpgaclass.cohort.state import DELETED, CohortRow, State
from fpgaclass.cohort.teardown import remove_all
from fpgaclass.cohort.writer import Writer


@dataclass(frozen=True)
class Swept:
    """What a sweep found.

    Attributes:
        removed: what was removed, as (cohort, kind, key, id).
        strangers: what carries our tags, has not expired, and is of a cohort that this state does not know:
            another instructor's, or one whose state was lost. Removed only when asked.
        living: how many things of living cohorts were left alone.
    """

    removed: tuple[tuple[str, Kind, str, str], ...]
    strangers: tuple[tuple[str, Kind, str, str], ...]
    living: int


def sweep(
    path: Path | str,
    *,
    strangers: bool = False,
    dry_run: bool = False,
    listener: Listener | None = None,
    url: str | None = None,
    provider: Provider | None = None,
) -> Swept:
    """Remove what carries our tags and belongs to no living cohort.

    A cohort lives until its end, unless this state knows that it was destroyed.

    Args:
        path: names the provider.
        strangers: remove also what has not expired, but is of a cohort that this state does not know.
        dry_run: only tell.

    Raises:
        LeftoverError: something would not go; with its ids.
    """
    file = load_spec(path)
    cloud, state = provider or connect(file.spec), State(url)
    here, places = (file.spec.provider, place_of(file.spec)), state.places()
    cohorts = {row.name: row for row in state.cohorts() if places.get(row.name, row.provider) in here}
    # What these credentials do not show is not gone.
    accounts, ours = state.accounts(), cloud.account()
    cohorts = {name: row for name, row in cohorts.items() if (accounts.get(name) or ours) in (ours, "")}

    def dead(found: Found) -> bool:
        known = cohorts.get(found.marker.cohort)
        if known is not None:
            return known.phase == "destroyed" or min(known.expires, found.marker.expires) <= now()
        return strangers or found.marker.expires <= now()

    there = cloud.inventory(None)
    doomed = [found for found in there if dead(found)]
    others = [found for found in there if not dead(found) and found.marker.cohort not in cohorts]
    if doomed and not dry_run:
        remove_all(
            cloud, lambda kinds: [f for f in cloud.inventory(None, kinds) if dead(f)], listener=listener
        )
    for known in () if dry_run else cohorts.values():
        if known.phase != "destroyed":
            _note(state, known, {f.marker.key for f in doomed if f.marker.cohort == known.name})
    living = len(there) - len(doomed) - len(others)
    return Swept(tuple(map(_entry, doomed)), tuple(map(_entry, others)), living)


def _note(state: State, cohort: CohortRow, keys: Collection[str]) -> None:
    """Write down what is gone, so that it costs no more; whoever works on the cohort finds it out anyway."""
    over = cohort.expires <= now()
    if not (over or keys):
        return
    with suppress(BusyError), Writer(state.engine, cohort.name) as writer:
        rows = [row for row in state.rows(cohort.name) if row.state != DELETED]
        gone = [row.key for row in rows if over or row.key in keys]
        state.set(writer, gone, state=DELETED, error="", ended=now())
        if over:
            state.phase(writer, "destroyed")


def _entry(found: Found) -> tuple[str, Kind, str, str]:
    return found.marker.cohort, found.kind, found.marker.key, found.id
