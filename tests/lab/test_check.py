"""A check tells a student what is wrong, and is not fooled."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest

from fpgaclass.lab import CheckError, check


def _said(call: object, *args: object, **options: object) -> str:
    with pytest.raises(CheckError) as failed:
        call(*args, **options)  # type: ignore[operator]
    return str(failed.value)


def test_what_is_right_passes_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    """nbgrader reads a number as partial credit, and anything on stderr as zero."""
    results = [
        check.close("a", 1.04, 1, rtol=0.05),
        check.close("a", [1.0, 2.0], [1.01, 2.0], atol=0.02),
        check.close("a", np.float32(3), 3),
        check.equal("a", np.int16([-1, 2]), [-1, 2]),
        check.equal("a", "u250", "u250"),
        check.equal("a", True, True),
        check.shape("a", np.zeros((5, 27)), (None, 27)),
        check.below("a", 1, 1),
        check.above("a", 1, 1),
        check.between("a", 1, 0, 2),
        check.that(np.True_, "no"),
    ]
    assert results == [None] * len(results)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("got", "expected", "words"),
    [
        (-0.3, 0.3, "The sign is reversed"),
        (0.15, 0.3, "half of what is expected"),
        (0.6, 0.3, "twice what is expected"),
        (30.0, np.pi / 6, "Degrees where radians"),
        (np.pi / 6, 30.0, "Radians where degrees"),
        (0.0003, 0.3, "factor 1000 is missing"),
        ([1, -2], [1, 2], "some signs are not"),
        ([3, 2, 1], [1, 2, 3], "order is reversed"),
        ([5, 5, 5], [1, 2, 3], "All values are the same"),
        (None, 1, "Is a return missing"),
        (..., 1, "still '...'"),
        (lambda: 1, 1, "is a function"),
        ("abc", 1, "numbers are needed"),
        ([1, np.nan], [1, 2], "NaN or infinite"),
        ([[1, 2]], [1, 2], "axis of length 1"),
        (np.zeros((3, 2)), np.ones((2, 3)), "transposed"),
        ([1, 2, 9], [1, 2, 3], r"the worst, [2], is 9"),
    ],
)
def test_the_usual_slips_are_named(got: object, expected: object, words: str) -> None:
    """A student mends a named slip alone; "assertion failed" needs a tutor."""
    assert words in _said(check.close, "it", got, expected, rtol=0.02)


def test_a_tolerance_is_honoured_at_its_edge() -> None:
    """Neither side of the tolerance may be off by a rounding of ours."""
    check.close("a", 1.5, 1.0, atol=0.5)
    _said(check.close, "a", 1.5 + 1e-9, 1.0, atol=0.5)


def test_a_number_is_compared_with_every_element_of_an_array() -> None:
    """A missing element must not pass for a right one."""
    check.close("a", [1.0, 1.0], 1.0)
    assert "1 of 2" in _said(check.close, "a", [1.0, 2.0], 1.0)


def test_an_object_equal_to_everything_is_not_believed() -> None:
    """nbgrader and otter give it full marks."""

    class Anything:
        def __eq__(self, other: object) -> bool:
            return True

        def __ne__(self, other: object) -> bool:
            return False

        __hash__ = None  # type: ignore[assignment]

    for call in (check.close, check.equal):
        _said(call, "a", Anything(), 3)
        _said(call, "a", [Anything(), Anything()], [3, 4])


@pytest.mark.parametrize(
    ("got", "expected", "words"),
    [
        ([1, 2, 4], [1, 2, 3], "the first, [2], is 4 where 3 is expected"),
        ([1.0, 2.0], [1, 2], "whole numbers are needed"),
        ([1, 2], [1, 2, 3], "shape (2,), and (3)"),
        (4, 3, "is 4; expected 3"),
        (np.uint32([5]), np.uint32([0x5FFFF]), "is 0x00000005 where 0x0005ffff is expected"),
        ("u50", "u250", "is u50; expected u250"),
    ],
)
def test_exact_comparison_says_where(got: object, expected: object, words: str) -> None:
    """Words on a bus are the same or they are not."""
    assert words in _said(check.equal, "it", got, expected)


def test_limits_say_why() -> None:
    """A limit without its reason is a riddle."""
    said = _said(check.below, "sigma68", 0.2, 0.12, why="the lookup table reaches 0.118")
    assert said == "sigma68 is 0.2; it should be at most 0.12 (the lookup table reaches 0.118)."
    assert "at least 3 GeV" in _said(check.above, "pt", 2, 3, unit="GeV")
    assert "single number" in _said(check.between, "pt", [1, 2], 0, 3)


def test_a_notebook_shows_one_line() -> None:
    """The inside of a check is no help to a student."""
    assert CheckError("x is 3")._render_traceback_() == ["\x1b[0;31mNot yet\x1b[0m: x is 3"]
    assert issubclass(CheckError, AssertionError)


@pytest.mark.parametrize("name", ["check", "seeds"])
def test_the_examples_run(name: str) -> None:
    """An example that does not run teaches a mistake."""
    failed, tried = doctest.testmod(importlib.import_module(f"fpgaclass.lab.{name}"))
    assert tried
    assert not failed
