"""Grading in three phases: what is right, wrong and missing gets what it deserves."""

from __future__ import annotations

from typing import Any


def test_right_wrong_and_blank(folder: Any) -> None:
    """The whole point: full marks, fewer marks, none; and a person marks what only a person can."""
    folder.submit("ada")
    folder.submit("emmy", square="def square(x):\n    return 2 * x")
    folder.submit("hedy", square=None, order=None)
    done = folder.mark(jobs=2)
    assert {name: one.status for name, one in done.items()} == dict.fromkeys(
        ("ada", "emmy", "hedy"), "graded"
    )
    ada = folder.read("ada")
    assert ada.points == {
        "check_square": 2,
        "check_square_sign": 1,
        "check_order": 2,
        "check_order_hidden": 1,
        "answer_why": 0,
    }
    assert ada.waiting == ()
    assert ada.comments["answer_why"] == "No response."
    assert folder.read("emmy").points["check_square"] == 0
    assert folder.read("emmy").points["check_order"] == 2
    assert folder.read("hedy").total == 0


def test_unchanged_submissions_are_left_alone(folder: Any) -> None:
    """An instructor who grades each evening must not wait for those of last week."""
    folder.submit("ada")
    folder.submit("emmy")
    assert folder.mark()["ada"].status == "graded"
    assert {one.status for one in folder.mark().values()} == {"unchanged"}
    folder.submit("ada", square="def square(x):\n    return 0")
    done = folder.mark()
    assert (done["ada"].status, done["emmy"].status) == ("graded", "unchanged")
    assert folder.read("ada").points["check_square"] == 0
