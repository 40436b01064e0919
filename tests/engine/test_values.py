"""What crosses from the student's process: plain values as they are, and nothing that runs."""

from __future__ import annotations

import datetime
from collections import Counter, OrderedDict, namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgaclass.engine.values import Decoder, Encoder
from fpgaclass.engine.wire import WireError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=20,
)


def _there(value: Any) -> Any:
    import json

    encoder = Encoder(lambda _: 0)
    tree = json.loads(json.dumps(encoder.encode(value)))
    return Decoder(encoder.buffers, lambda tree: ("remote", tree["n"])).decode(tree)


@given(PLAIN)
def test_plain_values_arrive_as_they_were(value: Any) -> None:
    """A check that compares exactly must not fail by the transport."""
    arrived = _there(value)
    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        1 + 2j,
        range(1, 9, 2),
        Fraction(1, 3),
        Decimal("0.1"),
        datetime.datetime(2026, 1, 2, 3, 4),
        datetime.timedelta(days=1, seconds=2),
        {1, 2},
        frozenset("ab"),
        OrderedDict(a=1),
        Counter("aab"),
        np.float32(0.1),
        np.datetime64("2026-01-01"),
    ],
)
def test_other_plain_kinds_arrive(value: Any) -> None:
    """What an exercise is likely to return."""
    arrived = _there(value)
    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize("dtype", ["f4", ">i8", "?", "c16", "U3", "M8[s]"])
def test_arrays_arrive_with_type_and_shape(dtype: str) -> None:
    """Also those that are not contiguous; and what arrives can be changed."""
    array = np.arange(12).astype(dtype).reshape(3, 4)[:, ::2]
    arrived = _there(array)
    assert arrived.dtype == array.dtype
    assert (arrived == array).all()
    arrived[0, 0] = arrived[1, 1]


def test_objects_of_ones_own_stay_where_they_are() -> None:
    """A class of the student's never comes into the clean process; a subclass of a number is a number."""

    class Sly(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Own:
        pass

    assert _there(Own()) == ("remote", "Own")
    assert type(_there(Sly(3))) is int
    assert _there([Own()]) == [("remote", "Own")]
    point = namedtuple("Point", "x y")(1, 2)
    assert _there(point).x == 1
    assert _there(point) == (1, 2)


@pytest.mark.parametrize(
    "tree",
    [
        {"t": "pickle", "v": "x"},
        {"t": "__class__"},
        {"t": "array", "d": "O", "s": [1], "b": 0},
        {"t": "array", "d": "f8", "s": [10**12], "b": 0},
        {"t": "array", "d": "f8", "s": [-1], "b": 5},
        {"t": "namedtuple", "n": "x; import os", "f": ["a"], "v": [1]},
        {"t": "dict", "v": [[{"t": "list", "v": []}, 1]]},
        {"t": "datetime", "v": "never"},
        {"v": 1},
        {"t": ["list"]},
        [1, 2],
    ],
)
def test_what_is_no_value_is_refused(tree: Any) -> None:
    """Everything that comes may have been made by hand."""
    with pytest.raises(WireError):
        Decoder([b"12345678"], lambda tree: None).decode(tree)  # noqa: ARG005


def test_models_with_code_in_them_are_refused() -> None:
    """A Lambda layer is Python code, and a layer's name ends up in generated C++."""
    from fpgaclass.engine.models import _refuse_strangers

    fine = {"module": "keras", "class_name": "Sequential", "config": {"name": "net", "layers": []}}
    _refuse_strangers(fine)
    for odd in (
        {"module": "keras.layers", "class_name": "Lambda", "config": {}},
        {"module": "os", "class_name": "system", "config": {}},
        {"module": "builtins", "class_name": "exec", "config": {}},
        {"module": "keras.layers", "class_name": "Dense", "config": {"name": 'x"; } int main(){'}},
    ):
        with pytest.raises(WireError):
            _refuse_strangers(fine | {"config": {"layers": [odd]}})
