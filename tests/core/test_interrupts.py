"""A Ctrl-C that Python drops must end the work all the same."""

from __future__ import annotations

import signal
import sys
import threading
import weakref

import pytest

from fpgaclass.core import heeding_interrupts, stage, together


class _Thing:
    pass


def press_where_it_is_dropped() -> None:
    """Press Ctrl-C in the callback of a weak reference: Python prints the exception, and goes on."""
    thing = _Thing()
    _reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing


@pytest.fixture(autouse=True)
def _unprinted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)


def test_the_next_stage_is_not_begun() -> None:
    """Without a note of it the build goes on for its minutes, and the person presses again and again."""
    begun: list[str] = []

    @heeding_interrupts()
    def build() -> None:
        press_where_it_is_dropped()
        begun.append("the rest of this stage")
        with stage("the next"):
            begun.append("the next")

    with pytest.raises(KeyboardInterrupt):
        build()
    assert begun == ["the rest of this stage"]


@pytest.mark.parametrize("side_by_side", [True, False])
def test_jobs_side_by_side_and_the_end_heed_it(side_by_side: bool) -> None:
    """A dropped Ctrl-C may come before programs are started, or in the last stage."""

    @heeding_interrupts()
    def work() -> None:
        press_where_it_is_dropped()
        if side_by_side:
            together(lambda: pytest.fail("a job was begun"))

    with pytest.raises(KeyboardInterrupt):
        work()


def test_one_that_was_raised_is_not_raised_again() -> None:
    """A Ctrl-C ends one piece of work, and the handler is the one from before."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), heeding_interrupts():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with heeding_interrupts(), stage("another"):
        pass


def test_ignored_interrupts_and_other_threads_are_left_alone() -> None:
    """A program in the background ignores Ctrl-C, and Python lets only the main thread set handlers."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with heeding_interrupts():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    worked: list[int] = []

    def work() -> None:
        with heeding_interrupts():
            worked.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert worked == [1]
