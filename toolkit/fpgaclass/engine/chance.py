"""The random states of numpy and Python, which both processes of a notebook have in common.

A student's function may draw from them, and what the author's cells draw next follows on from there, as in
one kernel. It may not set them: a check that tries random cases would try those that the student chose, zeros
all of them, say. So what comes back is a state that drawing leads to, or it is left out.
"""

from __future__ import annotations

import pickle
import random
from typing import Any

import numpy as np

_WORDS = 624  # of the Mersenne twister's state; so many draws later each of them is new
_MOST_ROUNDS = 1000
_FARTHEST = 9.0  # from zero of a normal number that is made of 53 random bits


def random_states() -> bytes:
    """Return the states of this process."""
    return pickle.dumps((random.getstate(), np.random.get_state()))


def plain_states() -> list[Any]:
    """Return the states of this process as numbers and lists, for `follow`."""
    version, numbers, gauss = random.getstate()
    name, keys, position, has_gauss, cached = _numpys()
    return [version, list(numbers), gauss, str(name), keys.tolist(), position, has_gauss, cached]


def restore_states(states: bytes) -> None:
    """Take on states that `random_states` returned; they are trusted."""
    pythons, numpys = pickle.loads(states)
    random.setstate(pythons)
    np.random.set_state(numpys)


def follow(told: Any) -> bool:
    """Take on the states of a process that is not trusted, as far as drawing leads there from this one's.

    Args:
        told: what `plain_states` returned there, or anything.

    Returns:
        False if it tells of anything else, which is left out.
    """
    try:
        version, numbers, gauss, name, keys, position, has_gauss, cached = told
        pythons = (version, tuple(numbers), gauss)
        numpys = (name, np.array(keys, dtype=np.uint32), position, has_gauss, cached)
        drawn = [_follow_python(pythons), _follow_numpy(numpys)]
    except (TypeError, ValueError, OverflowError):
        return False
    return all(drawn)


def _follow_numpy(told: Any) -> bool:
    name, keys, least, _, _ = _numpys()
    if told[0] != name or keys.shape != told[1].shape or not _is_place(told[2]):
        return False
    ahead = np.random.RandomState()
    ahead.set_state((name, keys, _WORDS, 0, 0.0))
    for _ in range(_MOST_ROUNDS):
        if np.array_equal(keys, told[1]):
            has_gauss = int(bool(told[3]) and _is_normal(told[4]))
            if told[2] >= least:
                np.random.set_state((name, keys, told[2], has_gauss, told[4] if has_gauss else 0.0))
            return bool(told[2] >= least)
        ahead.bytes(4 * _WORDS)
        keys, least = ahead.get_state()[1], 0  # type: ignore[index]
    return False


def _follow_python(told: Any) -> bool:
    version, numbers, _ = random.getstate()
    words, least = numbers[:_WORDS], numbers[_WORDS]
    if told[0] != version or len(told[1]) != len(numbers) or not _is_place(told[1][_WORDS]):
        return False
    ahead = random.Random()
    ahead.setstate((version, (*words, _WORDS), None))
    for _ in range(_MOST_ROUNDS):
        if words == told[1][:_WORDS]:
            if told[1][_WORDS] >= least:
                gauss = told[2] if _is_normal(told[2]) else None
                random.setstate((version, (*words, told[1][_WORDS]), gauss))
            return bool(told[1][_WORDS] >= least)
        ahead.getrandbits(32 * _WORDS)
        words, least = ahead.getstate()[1][:_WORDS], 0
    return False


def _numpys() -> Any:
    return np.random.get_state()


def _is_place(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _WORDS


def _is_normal(value: Any) -> bool:
    return type(value) is float and abs(value) < _FARTHEST
