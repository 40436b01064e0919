"""Who copied is found, renamed or not; who solved the task the obvious way is not accused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fpgaclass.classroom.similarity import compare, read_answers, similarity_page
from fpgaclass.classroom.similarity.submissions import Answer, Part, released_parts
from fpgaclass.classroom.similarity.words import words_of

SETUP = """import numpy as np
seed = 7
hits = np.random.default_rng(seed).normal(size=(1000, 4))
print(hits.shape)"""
GIVEN = '''def bending(hits):
    """Return the bending of each track, in rad."""
    # YOUR CODE HERE
    raise NotImplementedError()
'''
ADA = '''def bending(hits):
    """Return the bending of each track, in rad."""
    scale = 0.31415
    total = np.zeros(len(hits))
    for station in range(3):
        step = hits[:, station + 1] - hits[:, station]
        total += np.where(step > np.pi, step - 2 * np.pi, step) * scale
    return total / 3
'''
RENAMED = '''def bending(hits):
    """Return the bending of each track, in rad."""
    # my own idea
    k = 0.27183
    result = np.zeros(len(hits))
    for n in range(3):
        d = hits[:, n + 1] - hits[:, n]
        result += np.where(d > np.pi, d - 2 * np.pi, d) * k
    return result / 3
'''
OWN = '''def bending(hits):
    """Return the bending of each track, in rad."""
    differences = np.diff(hits, axis=1)
    wrapped = (differences + np.pi) % (2 * np.pi) - np.pi
    weights = np.array([0.5, 0.3, 0.2])
    return (wrapped @ weights).clip(-1, 1)
'''


def _cell(name: str, source: str, kind: str = "code") -> dict[str, Any]:
    grading = {"nbgrader": {"grade_id": name, "solution": True}} if name else {}
    return {"cell_type": kind, "metadata": grading, "source": source}


def _lab(answer: str = GIVEN, setup: str = SETUP) -> dict[str, bytes]:
    notebook = {"cells": [_cell("", setup), _cell("task_bending", answer)], "nbformat": 4}
    return {"01_lab.ipynb": json.dumps(notebook).encode(), "timestamp.txt": b"now"}


def _report(submitted: dict[str, dict[str, bytes]], least: float = 0.5) -> Any:
    released = _lab()
    return compare("01_lab", read_answers(released, submitted), released_parts(released), least=least)


def test_a_renamed_copy_is_found_and_an_own_answer_is_not() -> None:
    """New names, new comments and one's own parameters take a minute, and make no difference."""
    report = _report({"ada": _lab(ADA), "emmy": _lab(RENAMED), "lise": _lab(OWN)})
    (pair,) = report.pairs
    assert (pair.first, pair.second) == ("ada", "emmy")
    assert pair.similarity > 0.95
    assert pair.numbers == (), "each has a parameter of their own"


def test_what_was_released_is_nobodys() -> None:
    """A released cell that both left in, or changed one number of, is no copy."""
    changed = SETUP.replace("seed = 7", "seed = 8")
    report = _report({"ada": _lab(OWN, changed), "emmy": _lab(ADA, changed), "lise": _lab()}, least=0.0)
    assert report.pairs == ()
    assert report.too_short == ("lise",)


def test_the_obvious_answer_is_no_copy() -> None:
    """When the task has one answer, everybody gives it; a class of ten must not be ten suspects."""
    everybody = {f"s{n}": _lab(ADA) for n in range(10)}
    assert _report(everybody).pairs == ()
    assert len(_report({name: everybody[name] for name in ("s1", "s2")}).pairs) == 1


def test_the_same_odd_numbers_are_told() -> None:
    """With parameters of one's own, somebody else's result is somebody else's."""
    copied = OWN + "resolution = 0.21873\n"
    report = _report({"ada": _lab(ADA + "best = 0.21873\n"), "emmy": _lab(copied)}, least=0.0)
    assert all("0.21873" in pair.numbers for pair in report.pairs)
    report = _report({"ada": _lab(ADA + "best = 0.21873\n"), "emmy": _lab(RENAMED + "best = 0.21873\n")})
    assert report.pairs[0].numbers == ("0.21873",)


def test_written_answers_are_compared_by_their_words() -> None:
    """An essay is copied as easily as code."""
    text = "The force is perpendicular to the velocity, so the field turns only the momentum across it. "
    text += "What goes along the field stays as it was, and the track is a helix."
    lab = {"a.ipynb": json.dumps({"cells": [_cell("why", "Why?", "markdown")]}).encode()}
    answers = [
        {"a.ipynb": json.dumps({"cells": [_cell("why", t, "markdown")]}).encode()}
        for t in (text, text.upper())
    ]
    found = read_answers(lab, dict(zip(("ada", "emmy"), answers, strict=True)))
    assert compare("a", found, released_parts(lab)).pairs[0].similarity == 1


@pytest.mark.parametrize("source", ["", "def f(:\n '''", "%%bash\nls", "\x00", "x" * 100_000, "'" * 5000])
def test_nothing_a_student_writes_stops_it(source: str) -> None:
    """One broken notebook must not hide the rest of the class."""
    words = words_of("code", source)
    assert all(0 <= word.start < word.end <= len(source) for word in words)
    broken = {"01_lab.ipynb": b"{", "other.ipynb": b"[]"}
    report = _report({"ada": _lab(ADA), "emmy": _lab(RENAMED), "mallory": _lab(source), "nobody": broken})
    assert [(pair.first, pair.second) for pair in report.pairs] == [("ada", "emmy")]


@pytest.mark.parametrize("source", ["\t\n" * 200_000, "x " * 30_000], ids=["nothing", "one word"])
def test_what_is_made_to_take_for_ever_does_not(source: str) -> None:
    """A time that grows with the square of the length would be hours for each of these."""
    answers = [Answer(name, (Part("task", "code", source),)) for name in ("ada", "emmy")]
    assert compare("lab", answers, ()).lab == "lab"


def test_of_fifty_megabytes_a_part_is_compared() -> None:
    """Nobody writes more than that into a cell."""
    cells = [_cell(f"task_{n}", "x = 1\n" * 10_000) for n in range(50)]
    (found,) = read_answers({}, {"ada": {"a.ipynb": json.dumps({"cells": cells}).encode()}})
    assert {len(part.source) for part in found.parts} == {20_000}
    assert len(found.parts) == 10


def test_the_page_shows_both_and_runs_nothing() -> None:
    """It opens on the instructor's machine, and what is in it was written by students."""
    hostile = ADA + "# </pre><script>alert(1)</script>\n"
    page = similarity_page(_report({"ada": _lab(hostile), "emmy": _lab(RENAMED)}))
    assert "<script" not in page
    assert page.count("<mark>") >= 2
    assert "ada and emmy" in page
    assert "task_bending" in page
    assert "No two answers" in similarity_page(_report({}))
