"""Fragments that two answers share, and nobody else had from the release.

Winnowing, as Schleimer, Wilkerson and Aiken describe it (SIGMOD 2003): of the hashes of all runs of `RUN`
words, the least of each `WINDOW` neighbours is kept. A passage of ``RUN + WINDOW - 1`` words that two share
is always found, wherever it stands.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from rich.table import Table

from fpgaclass.classroom.similarity.submissions import Answer, Part
from fpgaclass.classroom.similarity.words import numbers_of, words_of

RUN, WINDOW = 10, 4
LEAST_FRAGMENTS = 6
"""With fewer fragments of one's own there is too little to compare."""
_COMMON = 5  # what so many have, and half of the class, is how the task is solved

Fragments = dict[int, list[tuple[int, int, int]]]
"""Hash -> where it stands: (part, start, end)."""


@dataclass(frozen=True)
class Passage:
    """Text that one student shares with another.

    Attributes:
        part: which of the student's cells.
        start, end: where it stands in the cell's text.
    """

    part: int
    start: int
    end: int


@dataclass(frozen=True)
class Pair:
    """Two students whose answers share something.

    Attributes:
        first, second: the login names.
        similarity: shared fragments as a part of those of whoever has fewer, 0 to 1.
        shared: how many fragments they share.
        of: how many the one with fewer has.
        numbers: numbers that both wrote and hardly anybody else, nor the release: with parameters of one's
            own these should differ.
        passages: what they share, in the first one's cells and in the second one's.
    """

    first: str
    second: str
    similarity: float
    shared: int
    of: int
    numbers: tuple[str, ...]
    passages: tuple[tuple[Passage, ...], tuple[Passage, ...]]


@dataclass(frozen=True)
class SimilarityReport:
    """How much the answers to a lab resemble each other.

    Attributes:
        lab: the lab's name.
        pairs: the most similar first.
        answers: what was compared.
        too_short: who wrote too little to compare.
    """

    lab: str
    pairs: tuple[Pair, ...]
    answers: tuple[Answer, ...]
    too_short: tuple[str, ...]

    def table(self) -> Table:
        """Return the pairs as a table for a terminal."""
        title = f"{self.lab}: {len(self.pairs)} pairs of {len(self.answers)} answers"
        table = Table(title=title, title_justify="left", title_style="bold")
        for heading in ("students", "similarity", "shared fragments", "of", "same unusual numbers"):
            table.add_column(
                heading, justify="left" if heading[-1] == "s" and "sh" not in heading else "right"
            )
        for pair in self.pairs:
            names = f"{pair.first}, {pair.second}"
            table.add_row(
                names, f"{pair.similarity:.0%}", str(pair.shared), str(pair.of), ", ".join(pair.numbers)
            )
        return table

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON, without the answers' text."""
        return {"lab": self.lab, "too_short": self.too_short, "pairs": [asdict(pair) for pair in self.pairs]}


def compare(
    lab: str, answers: Sequence[Answer], released: Iterable[Part], *, least: float = 0.5
) -> SimilarityReport:
    """Compare the answers to a lab, each with each.

    Fragments of the release do not count, nor do those that half of the class has: some tasks have one
    obvious answer.

    Args:
        lab: the lab's name.
        answers: what the students wrote.
        released: the cells that were released.
        least: leave out pairs below this similarity.
    """
    released = tuple(released)
    given = {key for part in released for key, _, _ in _runs(part)}
    found = {answer.student: _fragments(answer, given) for answer in answers}
    having = Counter(key for fragments in found.values() for key in fragments)
    limit = max(_COMMON, len(answers) / 2)
    own = {
        student: {key: places for key, places in fragments.items() if having[key] <= limit}
        for student, fragments in found.items()
    }
    numbers = _rare_numbers(answers, released)
    long_enough = [a.student for a in answers if len(own[a.student]) >= LEAST_FRAGMENTS]
    pairs = [_pair(one, other, own, numbers) for one, other in combinations(long_enough, 2)]
    kept = sorted(
        (pair for pair in pairs if pair.shared and pair.similarity >= least),
        key=lambda pair: (-pair.similarity, -pair.shared, pair.first, pair.second),
    )
    short = tuple(answer.student for answer in answers if answer.student not in long_enough)
    return SimilarityReport(lab, tuple(kept), tuple(answers), short)


def _pair(one: str, other: str, own: Mapping[str, Fragments], numbers: Mapping[str, frozenset[str]]) -> Pair:
    both = own[one].keys() & own[other].keys()
    of = min(len(own[one]), len(own[other]))
    passages = tuple(_passages(own[name], both) for name in (one, other))
    same = tuple(sorted(numbers[one] & numbers[other]))
    return Pair(one, other, len(both) / of, len(both), of, same, (passages[0], passages[1]))


def _passages(fragments: Fragments, keys: Iterable[int]) -> tuple[Passage, ...]:
    """Return where some fragments stand, those that touch as one."""
    merged: list[Passage] = []
    for part, start, end in sorted(place for key in keys for place in fragments[key]):
        last = merged[-1] if merged else None
        if last and last.part == part and start <= last.end + 1:
            merged[-1] = Passage(part, last.start, max(last.end, end))
        else:
            merged.append(Passage(part, start, end))
    return tuple(merged)


def _fragments(answer: Answer, given: set[int]) -> Fragments:
    found: Fragments = {}
    for n, part in enumerate(answer.parts):
        runs = [run for run in _runs(part) if run[0] not in given]
        windows = max(1, len(runs) - WINDOW + 1) if runs else 0
        for place in range(windows):
            key, start, end = min(runs[place : place + WINDOW])
            places = found.setdefault(key, [])
            if not places or places[-1] != (n, start, end):  # windows go on, and never back
                places.append((n, start, end))
    return found


def _runs(part: Part) -> list[tuple[int, int, int]]:
    """Return (hash, start, end) of all runs of words in a cell; a cell of fewer words has none."""
    words = words_of(part.kind, part.source)
    found = []
    for n in range(len(words) - RUN + 1):
        run = words[n : n + RUN]
        text = "\n".join(word.symbol for word in run)
        key = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
        found.append((key, run[0].start, run[-1].end))
    return found


def _rare_numbers(answers: Sequence[Answer], released: Sequence[Part]) -> dict[str, frozenset[str]]:
    """Return the numbers that a student wrote, and at most two others, and the release did not."""
    given = frozenset(number for part in released for number in numbers_of(part.source))
    own = {
        answer.student: frozenset(
            number for part in answer.parts if part.kind == "code" for number in numbers_of(part.source)
        )
        - given
        for answer in answers
    }
    having = Counter(number for numbers in own.values() for number in numbers)
    return {
        student: frozenset(number for number in numbers if having[number] <= 3)
        for student, numbers in own.items()
    }
