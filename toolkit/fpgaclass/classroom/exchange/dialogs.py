"""What JupyterLab's list of assignments says when the exchange refuses something."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import wraps
from typing import Any

_REFUSED = "nbgrader.exchange.abc.exchange.ExchangeError: "
_WIDTH = 84  # of the dialog, which cuts off what is longer
_ACTIONS = ("fetch_assignment", "fetch_feedback", "submit_assignment")


def ensure_plain_dialogs() -> None:
    """Have the list of assignments give the reason of a refusal, and not the stack of calls before it.

    nbgrader has no hook there: what these methods of its server extension return is what the dialog shows.
    """
    from nbgrader.server_extensions.assignment_list.handlers import AssignmentList

    for name in _ACTIONS:
        act = getattr(AssignmentList, name)
        setattr(AssignmentList, name, plainly(getattr(act, "__wrapped__", act)))


def plainly(act: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return an action whose answer holds the exchange's reason alone; the traceback of a bug stays whole."""

    @wraps(act)
    def acted(*words: Any, **more: Any) -> dict[str, Any]:
        done = dict(act(*words, **more))
        _, refused, reason = str(done.get("value", "")).rpartition(_REFUSED)
        if not done.get("success") and refused:
            done["value"] = textwrap.fill(reason.strip(), _WIDTH)
        return done

    return acted
