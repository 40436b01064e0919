"""The layout of events in a card's buffer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaclass.core import InvalidInputError
from fpgaclass.firmware import Field, WordFormat
from fpgaclass.firmware.words import word_bits_for

fields = st.builds(Field, st.integers(0, 1), st.integers(-2, 6), st.integers(0, 8)).filter(
    lambda f: f.width > 0
)


@given(st.lists(fields, min_size=1, max_size=40), st.integers(0, 2**32 - 1))
def test_values_on_the_grid_come_back_exactly(formats: list[Field], seed: int) -> None:
    """Packing is exact integer arithmetic: negatives and unsigned full-scale values included."""
    layout = WordFormat(tuple(formats), word_bits_for(formats), (len(formats),))
    rng = np.random.default_rng(seed)
    low = np.array([-(1 << (f.width - 1)) if f.sign else 0 for f in formats])
    high = np.array([1 << (f.width - f.sign) for f in formats])
    x = rng.integers(low, high, (50, len(formats))) * np.exp2([-f.fraction for f in formats])
    assert np.array_equal(layout.decode(layout.encode(x)), x.astype(np.float32))
    assert layout.out_of_range(x) == 0


@pytest.mark.parametrize(
    ("values", "bits", "slot"), [(27, 16, 64), (1, 16, 2), (5, 16, 16), (27, 8, 32), (784, 8, 832)]
)
def test_a_slot_never_straddles_a_beat(values: int, bits: int, slot: int) -> None:
    """The kernel has no barrel shifter: a slot divides a beat, or is a whole number of beats."""
    layout = WordFormat((Field(1, 3, bits - 4),) * values, bits, (values,))
    assert layout.slot_bytes == slot
    assert 64 % layout.slot_bytes == 0 or layout.slot_bytes % 64 == 0
    assert layout.encode(np.zeros((3, values))).shape == (3, layout.slot_words)


def test_what_is_out_of_range_wraps_and_is_counted() -> None:
    """The hardware drops high bits; a student must be able to see in how many events."""
    layout = WordFormat((Field(1, 3, 4),), 8, (1,))
    x = np.array([[7.9375], [8.0], [-8.0], [-8.0625], [1e6]])
    assert layout.out_of_range(x) == 3
    assert layout.decode(layout.encode(x))[1, 0] == -8.0


def test_events_are_taken_as_the_model_takes_them() -> None:
    """A model casts to float32; a float64 just below a step of the grid is at that step for it."""
    layout = WordFormat((Field(1, 3, 12),), 16, (1,))
    x = np.array([[1.0 - 1e-12]])
    assert layout.decode(layout.encode(x))[0, 0] == np.float32(x)[0, 0] == 1.0


@pytest.mark.parametrize("value", [1e10, -1e10, 1e20, -3.4e38])
def test_far_too_large_values_wrap_as_whole_numbers_do(value: float) -> None:
    """1e20 marks what is missing in many a data set; its low bits are known, and they are zeros."""
    layout = WordFormat((Field(1, 3, 4),), 8, (1,))
    exact = (int(np.float32(value)) * 16 + 128) % 256 - 128
    assert layout.decode(layout.encode([[value]]))[0, 0] == exact / 16
    assert layout.bounded([[value]])[0, 0] % 16 == exact / 16 % 16


def test_no_events_are_no_events() -> None:
    """An empty selection is not an error."""
    layout = WordFormat((Field(1, 3, 4),) * 4, 8, (2, 2))
    none = np.zeros((0, 2, 2))
    assert layout.encode(none).shape == (0, 4)
    assert layout.decode(layout.encode(none)).shape == (0, 2, 2)
    assert layout.out_of_range(none) == 0


def test_a_wrong_shape_or_a_nan_is_refused() -> None:
    """A silent broadcast or cast would give plausible nonsense on the card."""
    layout = WordFormat((Field(1, 3, 4),) * 4, 8, (4,))
    with pytest.raises(InvalidInputError, match=r"shape \(2, 3\), not \(n, 4\)"):
        layout.encode(np.zeros((2, 3)))
    for odd in ([[1, 2], [3]], [["a", "b", "c", "d"]]):
        with pytest.raises(InvalidInputError, match="no array of numbers"):
            layout.encode(odd)
    with pytest.raises(InvalidInputError, match="1 events hold NaN"):
        layout.encode([[0, 0, 0, np.nan]])
    with pytest.raises(InvalidInputError, match="words have shape"):
        layout.decode(np.zeros((2, 3), np.int8))


def test_a_value_wider_than_a_word_is_refused() -> None:
    """No bus word holds 40 bits; better said at the build than seen as wrong results."""
    with pytest.raises(InvalidInputError, match="needs 40 bits"):
        word_bits_for([Field(1, 20, 19)])
