"""Events as people hand them over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fpgaclass.core import InvalidInputError
from fpgaclass.firmware import Field, WordFormat
from fpgaclass.firmware.events import checked_events


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (np.ones((3, 4)) * 1j, "of type complex128"),
        (np.full((3, 4), "1.5"), "of type <U3.*np.asarray"),
        (np.full((3, 4), None), "of type object"),
        ([[1, 2], [3]], "no array of numbers"),
        (np.zeros((3, 4), "datetime64[s]"), "of type datetime64"),
        (np.ma.masked_greater(np.ones((3, 4)), 0), "12 values are masked"),
        (np.zeros((3, 5)), r"shape \(3, 5\), not \(n, 4\)"),
        (np.zeros(4), r"a single event as x\[None\]"),
        (1.0, r"shape \(\), not \(n, 4\)"),
        ([], r"shape \(0,\), not"),
        (np.zeros((0, 4)), "no events.*at least one"),
        (np.array([[0, 0, 0, 0], [0, np.inf, 0, 0], [np.nan] * 4]), "2 events hold NaN .* first event 1"),
        (np.full((1, 4), 1e300), "1 events hold NaN or infinity"),
    ],
)
def test_what_would_be_changed_without_a_word_is_refused(events: Any, said: str) -> None:
    """NumPy drops an imaginary part, reads text as numbers and fills masks, all without an error."""
    with pytest.raises(InvalidInputError, match=said):
        checked_events(events, (4,), at_least=1)


@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "int64", "uint8", "bool"])
def test_any_real_numbers_are_taken_as_a_model_takes_them(kind: str) -> None:
    """Detector counts are integers, flags are booleans; a model casts them to float32."""
    events = checked_events(np.array([[0, 1, 1, 0]], kind), (4,))
    assert events.dtype == np.float32
    assert events.tolist() == [[0, 1, 1, 0]]
    assert checked_events([[1, 2, 3, 4]], (4,)).tolist() == [[1, 2, 3, 4]]


def test_a_tensor_with_a_gradient_is_no_traceback() -> None:
    """A network of torch's gives such events, and torch raises another error than NumPy does."""

    class Tensor:
        def __array__(self, *_given: Any, **_options: Any) -> Any:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    with pytest.raises(InvalidInputError, match=r"requires grad.*Next: pass an array"):
        checked_events(Tensor(), (4,))  # type: ignore[arg-type]


def test_words_that_would_lose_bits_are_refused() -> None:
    """Floats cut to integers, or large words to small ones, decode to plausible nonsense."""
    layout = WordFormat((Field(1, 3, 4),) * 4, 8, (4,))
    for words, said in (
        (np.full((2, 4), 1.5), "of type float64, not int8"),
        (np.full((2, 4), 300), "of type int64, not int8"),
        (np.full((2, 4), 200, np.uint8), "of type uint8, not int8"),
        (np.full((2, 4), np.nan), "of type float64"),
        (np.full((2, 4), "1"), "of type <U1"),
    ):
        with pytest.raises(InvalidInputError, match=said):
            layout.decode(words)
    assert (layout.decode(np.full((2, 4), -16)) == -1).all(), "no bit is lost"
    floats = WordFormat((Field(1, 3, 4),), 8, (1,), floats=True)
    assert floats.decode([[1.5], [2]]).tolist() == [[1.5], [2.0]]
    with pytest.raises(InvalidInputError, match="not float32"):
        floats.decode([["a"]])


def test_events_that_no_memory_holds_are_said_to_be_too_many() -> None:
    """A view costs nothing until somebody looks at it."""
    with pytest.raises(InvalidInputError, match=r"100,000,000,000 events take 2,400 GB.*in parts"):
        checked_events(np.broadcast_to(np.float64(0), (10**11, 6)), (6,))
