"""One card, one process: who wants a card that another process has waits for it, or is told who has it.

``FPGACLASS_CARD_LOCKS`` names a folder of this machine that all who share its cards can write to; without it
nothing is locked, since a virtual card lives in its own process. ``FPGACLASS_CARD_WAIT`` is how many seconds
to wait in the queue: 0 fails at once, unset waits for as long as it takes.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from fpgaclass.card.sharing.tickets import FOLDER_VARIABLE, CardQueue, Holder
from fpgaclass.core import CardError, InvalidInputError, say

WAIT_VARIABLE = "FPGACLASS_CARD_WAIT"
_POLL_S = 0.1

_held: dict[str, CardQueue] = {}
_guards: dict[str, threading.RLock] = {}


def lock_folder() -> Path | None:
    """Return the folder of the queues, or None where cards are not shared."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else None


def hold(card: str, wait_s: float | None = None) -> bool:
    """Hold a card until this process ends or lets go; nothing happens where cards are not shared.

    Args:
        card: its tag.
        wait_s: seconds to wait in the queue; None for what ``FPGACLASS_CARD_WAIT`` says.

    Returns:
        Whether it was taken now, rather than held already or not shared.

    Raises:
        CardError: it did not become free in that time; says who holds it.
    """
    folder = lock_folder()
    if folder is None:
        return False
    limit = _limit() if wait_s is None else wait_s
    with _guards.setdefault(card, threading.RLock()):
        if card in _held:
            return False
        queue = CardQueue(folder, card)
        queue.join()
        try:
            _wait(queue, card, limit)
        except BaseException as error:
            queue.leave()
            if isinstance(error, OSError):
                what = f"the queue for {card} is gone: {error.strerror}"
                raise CardError(what, where=str(folder), next_step="open the overlay again") from error
            raise
        _held[card] = queue
    return True


def let_go(card: str) -> None:
    """Let the next in the queue have the card."""
    with _guards.setdefault(card, threading.RLock()):
        queue = _held.pop(card, None)
        if queue is not None:
            queue.leave()


def queue_of(card: str) -> list[Holder]:
    """Return who holds a card, first, and who waits for it, in order."""
    folder = lock_folder()
    if folder is None or not folder.is_dir():
        return []
    try:
        return [holder for _, holder in _held.get(card, CardQueue(folder, card)).living()]
    except OSError as error:
        what = f"the queue for {card} cannot be read: {error.strerror}"
        raise CardError(what, where=str(folder)) from error


def _wait(queue: CardQueue, card: str, limit: float | None) -> None:
    started, shown = time.monotonic(), 0
    while ahead := queue.ahead():
        waited = time.monotonic() - started
        if limit is not None and waited >= limit:
            after = f", after {waited:.0f} s in the queue" if limit else ""
            raise CardError(
                f"{card} is held by {ahead[0]}{after}",
                next_step=f"wait until it is free, or set {WAIT_VARIABLE} to the seconds to wait",
            )
        if len(ahead) != shown:
            shown = len(ahead)
            say(f"{card} is held by {ahead[0]}; you are number {shown} in the queue")
        time.sleep(_POLL_S)


def _limit() -> float | None:
    text = os.environ.get(WAIT_VARIABLE, "")
    try:
        limit = float(text) if text else None
    except ValueError:
        limit = -1.0
    if limit is not None and not 0 <= limit < float("inf"):
        raise InvalidInputError(f"{WAIT_VARIABLE} is {text!r}, not a number of seconds")
    return limit


def _after_fork() -> None:
    _guards.clear()  # a thread that is not in the child may have held one
    for queue in _held.values():
        queue.forget()
    _held.clear()


os.register_at_fork(after_in_child=_after_fork)
