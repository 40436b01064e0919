"""Notebooks that were mutated at random: no crash of the batch, no lost submission, no mark above honest."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

KEYS = (
    "source",
    "metadata",
    "cell_type",
    "id",
    "outputs",
    "execution_count",
    "nbgrader",
    "grade_id",
    "points",
)
ODD: tuple[Any, ...] = (
    None,
    0,
    -1,
    1e308,
    True,
    "",
    "\ud800",
    "x" * 5000,
    [],
    {},
    [[[]]],
    {"a": {"b": []}},
    "check_square",
    "task_square",
    "def square(x):\n    return 9",
    "print('check_square: passed')",
    "raise SystemExit",
    "get_ipython().user_ns.clear()",
    "import os; os.close(3); os.close(4); os.close(5)",
    "%%javascript\nalert(1)",
    "!exit 3",
    "await something",
    "\x00",
    "code",
    "markdown",
)


def _spots(part: Any) -> list[tuple[Any, Any]]:
    """Return each (container, key) of a notebook."""
    pairs = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    found = []
    for key, value in list(pairs):
        found.append((part, key))
        found += _spots(value)
    return found


def _mutate(text: str, draw: random.Random) -> str:
    notebook = json.loads(text)
    for _ in range(draw.randint(1, 6)):
        cells, spots = notebook.get("cells"), _spots(notebook)
        if not spots:
            break
        container, key = draw.choice(spots)
        move = draw.randrange(7)
        if move == 0:
            container[key] = draw.choice(ODD)
        elif move == 1 and isinstance(container, dict):
            container.pop(key)
        elif move == 2 and isinstance(container, list):
            container.insert(key, json.loads(json.dumps(draw.choice(container))))
        elif move == 3 and isinstance(cells, list):
            draw.shuffle(cells)
        elif move == 4 and isinstance(cells, list) and cells:
            cells.pop(draw.randrange(len(cells)))
        elif move == 5 and isinstance(container, dict):
            container[draw.choice(KEYS)] = draw.choice(ODD)
        elif isinstance(container[key], str) and container[key]:
            at = draw.randrange(len(container[key]))
            container[key] = container[key][:at] + draw.choice("\n(:'\"x=# ") + container[key][at + 1 :]
    text = json.dumps(notebook)
    if draw.random() < 0.1:
        at = draw.randrange(len(text))
        text = text[:at] + text[at + draw.randint(1, 40) :]
    return text


def _mutated(folder: Any, many: int, seed: int) -> None:
    draw = random.Random(seed)
    blank: dict[str, float] = {}
    for n in range(many):
        right = n % 2 == 0
        square = "def square(x):\n    return x * x" if right else "def square(x):\n    return 0"
        change: Callable[[str], str] = lambda text: _mutate(text, draw)  # noqa: E731
        name = f"m{n:03}"
        folder.submit(name, square=square, text=change)
        blank[name] = 6 if right else 2
    folder.submit("honest")
    done = folder.mark(jobs=2, cell_seconds=20)
    assert set(done) == {*blank, "honest"}, "none was lost"
    assert {one.status for one in done.values()} <= {"graded", "failed"}
    assert folder.read("honest").total == 6
    graded = [name for name, one in done.items() if one.status == "graded" and name != "honest"]
    assert len(graded) > many / 2
    above = {name: folder.read(name).points for name in graded if folder.read(name).total > blank[name]}
    assert not above
    assert all(done[name].note for name in blank if done[name].status == "failed")


def test_twenty_five_mutated_notebooks(folder: Any) -> None:
    """What editors, merges and mischief do to a notebook's JSON."""
    _mutated(folder, 25, seed=1)


@pytest.mark.proof
def test_two_hundred_mutated_notebooks(folder: Any) -> None:
    """The same, two hundred times."""
    _mutated(folder, 200, seed=2)
