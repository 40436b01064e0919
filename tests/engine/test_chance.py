"""Random numbers that both processes of a notebook draw: what a student's function may do to them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from fpgaclass.engine.chance import follow, plain_states, random_states, restore_states

Change = Callable[[list[Any]], None]


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = random_states()
    yield
    restore_states(before)


def _after(draw: Callable[[], object]) -> list[Any]:
    """Return what another process would tell that draws so, from here."""
    before = random_states()
    draw()
    told = plain_states()
    restore_states(before)
    return told


@pytest.mark.parametrize("many", [0, 1, 623, 624, 1000, 100_000])
def test_what_was_drawn_is_followed(many: int) -> None:
    """A network is initialised by the student's function, and what the author draws next is what it was."""
    np.random.seed(4)
    random.seed(4)

    def draw() -> None:
        np.random.rand(many)
        for _ in range(many):
            random.random()
        np.random.randn()
        random.gauss(0, 1)

    told = _after(draw)
    assert follow(told)
    assert plain_states() == told


def _zeros(told: list[Any]) -> None:
    told[1][:624] = [1] + [0] * 623
    told[4] = [0] * 624


def _seeded(told: list[Any]) -> None:
    told[:] = _after(lambda: (np.random.seed(1), random.seed(1)))


def _beyond(told: list[Any]) -> None:
    """Numbers from this process's memory would be next."""
    told[5] = told[1][624] = 100_000


def _back(told: list[Any]) -> None:
    told[5] = told[1][624] = 1


@pytest.mark.parametrize("change", [_zeros, _seeded, _beyond, _back, list.clear])
def test_what_was_set_is_left_out(change: Change) -> None:
    """Whoever chooses the state chooses the random cases of the checks that follow."""
    np.random.seed(4)
    random.seed(4)
    np.random.rand(5)
    random.random()
    before = random_states()
    told = plain_states()
    change(told)
    assert not follow(told)
    assert random_states() == before


def test_normal_numbers_kept_for_later_are_normal_numbers() -> None:
    """One is kept beside the state, and could be anything."""
    told = plain_states()
    told[2], told[6], told[7] = float("nan"), 1, 1e300
    follow(told)
    assert abs(np.random.randn()) < 9
    assert abs(random.gauss(0, 1)) < 9
