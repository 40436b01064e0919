"""Destroy and sweep: what the inventory shows goes, in the right order, until it shows nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fpgaclass.cohort.engine import Event, Listener, ignore
from fpgaclass.cohort.errors import AuthError, LeftoverError, ProviderError
from fpgaclass.cohort.plan import Kind
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
    look: Callable[[], Sequence[Found]],
    *,
    also: Sequence[Found] = (),
    grace_s: float = 0.0,
    timeout_s: float = 900.0,
    listener: Listener | None = None,
) -> Removed:
    """Remove what ``look`` shows until it shows nothing.

    Args:
        provider: where.
        look: returns what is still there.
        also: what the state knows of and the inventory may not show, for instance because somebody took the
            tags off; removed once.
        grace_s: look for so long even if nothing shows: what was made a moment ago may not be listed yet.
        timeout_s: give up after so long.
        listener: is told of each removal.

    Raises:
        LeftoverError: something would not go; the message lists it.
        AuthError: the credentials ended meanwhile.
    """
    started = time.monotonic()
    tell = listener or ignore
    tries: dict[str, int] = {}
    errors: dict[str, ProviderError] = {}
    gone: dict[str, tuple[Kind, str, str]] = {}
    known = list(also)
    while True:
        there = list(look())
        shown = {found.id for found in there}
        known = [found for found in known if found.id not in shown]
        if not there and not known:
            if time.monotonic() - started >= grace_s:
                return Removed(tuple(gone.values()), time.monotonic() - started)
            time.sleep(min(0.2, grace_s))
            continue
        waiting = [found for found in there if tries.get(found.id, 0) < _TRIES]
        if (not waiting and not known) or time.monotonic() - started > timeout_s:
            raise _leftover(provider, there, errors)
        stage = min((_STAGE[found.kind] for found in waiting + known), default=0)
        due = [f for f in waiting if f.status != "leaving" and not f.busy and _STAGE[f.kind] <= stage]
        due += [found for found in known if _STAGE[found.kind] <= stage]
        failed = provider.delete(due) if due else {}
        for found in due:
            trouble = failed.get(found.id)
            if isinstance(trouble, AuthError):
                raise trouble
            if trouble is None:
                gone[found.id] = (found.kind, found.marker.key, found.id)
                known = [other for other in known if other.id != found.id]
                tell(Event(found.marker.key, "", "deleted"))
            else:
                tries[found.id] = tries.get(found.id, 0) + 1
                errors[found.id] = trouble
                if found in known and tries[found.id] >= _TRIES:
                    raise _leftover(provider, [*there, found], errors)
        if failed or not due or any(found.kind == "machine" for found in due):
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
