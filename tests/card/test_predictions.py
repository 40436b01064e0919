"""What a kernel answered, kept small: two runs are told apart by the event."""

from __future__ import annotations

import base64
import dataclasses
import zlib

import numpy as np
import pytest

from fpgaclass.card.measuring.predictions import KEPT, Predictions
from fpgaclass.core import InvalidInputError

SENT = np.arange(3 * 5000, dtype=np.int16).reshape(5000, 3)
RESULTS = np.arange(5000, dtype=np.int16).reshape(5000, 1)


def _changed(at: int) -> Predictions:
    results = RESULTS.copy()
    results[at] += 1
    return Predictions.of(SENT, results)


def test_equal_runs_have_no_difference() -> None:
    """All events count, not only those whose words are kept."""
    assert Predictions.of(SENT, RESULTS).first_difference(Predictions.of(SENT, RESULTS)) is None


@pytest.mark.parametrize(
    ("at", "found"), [(0, 0), (17, 17), (KEPT - 1, KEPT - 1), (KEPT, KEPT), (4999, KEPT)]
)
def test_the_first_difference_is_named(at: int, found: int) -> None:
    """One flipped bit in one of thousands of events must be seen; past the kept ones, as "not before"."""
    assert Predictions.of(SENT, RESULTS).first_difference(_changed(at)) == found


def test_runs_of_other_lengths_share_their_first_events() -> None:
    """A slow site stops at smaller batches; what both ran can still be compared."""
    short = Predictions.of(SENT[:100], RESULTS[:100])
    assert Predictions.of(SENT, RESULTS).first_difference(short) is None
    assert short.first_difference(_changed(40)) == 40


def test_other_events_are_not_compared() -> None:
    """Predictions for different events differ, and mean nothing."""
    with pytest.raises(InvalidInputError, match="same events"):
        Predictions.of(SENT, RESULTS).first_difference(Predictions.of(SENT + 1, RESULTS))
    with pytest.raises(InvalidInputError, match="words"):
        Predictions.of(SENT, RESULTS).first_difference(Predictions.of(SENT, RESULTS.astype(np.int32)))


@pytest.mark.parametrize("first", ["", "???", "QUJD", base64.b64encode(zlib.compress(b"\0" * 1000)).decode()])
def test_damaged_words_are_refused(first: str) -> None:
    """They come from files of others."""
    with pytest.raises(InvalidInputError):
        dataclasses.replace(Predictions.of(SENT, RESULTS), first=first).kept()


def test_a_bomb_is_not_unpacked() -> None:
    """A megabyte of zeros packs into a kilobyte, a gigabyte into a megabyte."""
    bomb = base64.b64encode(zlib.compress(b"\0" * (1 << 27))).decode()
    with pytest.raises(InvalidInputError):
        dataclasses.replace(Predictions.of(SENT, RESULTS), first=bomb).kept()
