"""The name that somebody meant who wrote another one."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_ALIKE = 0.7
_MOST = 3


def nearest(name: object, known: Collection[str]) -> list[str]:
    """Return which of the known names are most like this one, capitals aside; none if none is.

    Example:
        >>> nearest("frist", ["first", "second"])
        ['first']
    """
    written = str(name).casefold()
    alike = {one: difflib.SequenceMatcher(None, one.casefold(), written).ratio() for one in known}
    best = max(alike.values(), default=0.0)
    return sorted(one for one, ratio in alike.items() if ratio == best >= _ALIKE)[:_MOST]


def did_you_mean(name: object, known: Collection[str]) -> str:
    """Return a step that proposes the nearest names; empty if none is near."""
    found = [repr(one) for one in nearest(name, known)]
    return f"did you mean {' or '.join(found)}?" if found else ""
