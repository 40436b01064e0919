"""Destroy and sweep: what the inventory shows goes, in the right order, until it shows nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from fpgaclass.cohort.applied import Event, Listener, ignore
from fpgaclass.cohort.errors import AuthError, LeftoverError, ProviderError
from fpgaclass.cohort.plans import Kind
from fpgaclass.cohort.port import Found, Provider, scrub

# What costs most goes first; a volume or firewall in use cannot go before its machine; and what would end the
# cohort by itself goes last, so that it still does if this is cut off.
_STAGE: dict[Kind, int] = {
    "machine": 0,
    "address": 0,
    "key": 0,
    "volume": 1,
    "firewall": 1,
    "expiry": 2,
    "budget": 2,
}
_TRIES = 6


@dataclass(frozen=True)
class Removed:
    """What was removed: (kind, key, id) of each, and the seconds it took."""

    things: tuple[tuple[Kind, str, str], ...]
    seconds: float


def remove_all(
    provider: Provider,
    look: Callable[[Collection[Kind] | None], Sequence[Found]],
    *,
    also: Sequence[Found] = (),
    grace_s: float = 0.0,
    timeout_s: float = 900.0,
    listener: Listener | None = None,
) -> Removed:
    """Remove what ``look`` shows until it shows nothing; that last look is the audit.

    Args:
        provider: where.
        look: returns what is still there, of some kinds or of all.
        also: what the state knows of and the inventory may not show, for instance because somebody took the
            tags off.
        grace_s: look for so long even if nothing shows: what was made a moment ago may not be listed yet.
        timeout_s: give up after so long.
        listener: is told of each removal.

    Raises:
        LeftoverError: something would not go; the message lists it.
        AuthError: the credentials ended meanwhile.
    """
    started = time.monotonic()
    deadline = started + timeout_s
    gone: dict[str, tuple[Kind, str, str]] = {}
    failures = 0
    there = list(look(None))
    due = there + _unlisted(also, there)
    while True:
        errors: dict[str, ProviderError] = {}
        for stage in sorted({_STAGE[found.kind] for found in due}):
            members = [found for found in due if _STAGE[found.kind] == stage]
            errors |= _remove(provider, look, members, deadline, gone, listener or ignore)
        there = list(look(None))
        due = there + _unlisted([found for found in also if found.id in errors], there)
        failures += bool(errors)
        if not due and time.monotonic() - started >= grace_s:
            return Removed(tuple(gone.values()), time.monotonic() - started)
        if due and (failures >= _TRIES or time.monotonic() > deadline):
            raise _leftover(provider, due, errors)
        if due and (errors or all(found.status == "leaving" or found.busy for found in due)):
            time.sleep(provider.capabilities.poll_s * max(1, min(failures, 3)))
        elif not due:
            time.sleep(min(0.2, grace_s))


def _unlisted(known: Sequence[Found], there: Sequence[Found]) -> list[Found]:
    listed = {found.id for found in there}
    return [found for found in known if found.id not in listed]


def _remove(
    provider: Provider,
    look: Callable[[Collection[Kind] | None], Sequence[Found]],
    members: Sequence[Found],
    deadline: float,
    gone: dict[str, tuple[Kind, str, str]],
    tell: Listener,
) -> dict[str, ProviderError]:
    """Remove the things of one stage, and wait for its machines to be really gone."""
    errors: dict[str, ProviderError] = {}
    due = [found for found in members if found.status != "leaving" and not found.busy]
    waiting = any(found.kind == "machine" for found in members)
    while True:
        failed = provider.delete(due) if due else {}
        for found in due:
            trouble = failed.get(found.id)
            if isinstance(trouble, AuthError):
                raise trouble
            if trouble is None:
                gone[found.id] = (found.kind, found.marker.key, found.id)
                tell(Event(found.marker.key, "", "deleted"))
        errors |= failed
        machines = [m for m in (look({"machine"}) if waiting else ()) if m.id not in errors]
        if not machines or time.monotonic() > deadline:
            return errors
        due = [found for found in machines if found.status != "leaving" and not found.busy]
        time.sleep(provider.capabilities.poll_s)


def _leftover(provider: Provider, there: Sequence[Found], errors: dict[str, ProviderError]) -> LeftoverError:
    lines = []
    for found in there:
        why = f": {scrub(str(errors[found.id]))}" if found.id in errors else ""
        lines.append(f"{found.kind} {found.id} ({found.marker.cohort} {found.marker.key}){why}")
    listed = "\n  ".join(lines[:20])
    return LeftoverError(
        f"{len(there)} things are still there and may cost money:\n  {listed}\n",
        where=provider.name,
        next_step="run the command again; if they stay, remove them in the provider's console by these ids",
    )
