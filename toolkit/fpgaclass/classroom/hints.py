"""The commands that the class tells people to type: spelled as they would have to type them themselves."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextvars import ContextVar

_spoken: ContextVar[tuple[str, tuple[str, ...]]] = ContextVar("_spoken", default=("fpgaclass", ()))


def speak_as(program: str, options: Sequence[str] = ()) -> None:
    """Remember how the program was called, so that `command` can say it again.

    Args:
        program: what was typed, such as ``./fpgaclass`` in a clone.
        options: those that each further command on the same class needs: ``--course`` and ``--state``.
    """
    _spoken.set((program, tuple(options)))


def command(verb: str, *words: str) -> str:
    """Return a command line that works when it is copied.

    Example:
        >>> command("grade", "01_muon_momentum")
        'fpgaclass grade 01_muon_momentum'
    """
    program, options = _spoken.get()
    return shlex.join([program, verb, *words, *options])
