"""Fixed-point types in hls4ml's notation."""

from __future__ import annotations

from typing import Any

import pytest

from fpgaclass.core import InvalidInputError
from fpgaclass.firmware import FixedPoint, quantise
from fpgaclass.firmware.quantisation.precision import covering


@pytest.mark.parametrize("text", ["fixed<16>", "float", "fixed<40,6>", "fixed<16,6,UP>", "fixed<16,99999>"])
def test_a_precision_that_cannot_be_built_is_refused(text: str) -> None:
    """A typo in a type is an error of the user's, said in hls4ml's notation."""
    with pytest.raises(InvalidInputError):
        FixedPoint.parse(text)


def test_a_type_is_read_as_hls4ml_writes_it() -> None:
    """hls4ml's own projects spell the modes with AP_; both are the same type."""
    short, long = (FixedPoint.parse(text) for text in ("fixed<8,3,RND,SAT>", "ap_fixed<8,3,AP_RND,AP_SAT>"))
    assert short == long


def test_ranges() -> None:
    """The ends of a type decide what saturates."""
    assert (FixedPoint.parse("fixed<8,3>").low, FixedPoint.parse("fixed<8,3>").high) == (-4.0, 4 - 2**-5)
    assert (FixedPoint.parse("ufixed<4,0>").low, FixedPoint.parse("ufixed<4,0>").high) == (0.0, 1 - 2**-4)
    both = covering([FixedPoint.parse("ufixed<4,4>"), FixedPoint.parse("fixed<8,2>")])
    assert (both.low, both.high) == (-16.0, 16 - 2**-6)


def test_weights_beyond_their_type_are_told(float_model: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Saturated weights are another network; the layer and how many, before anyone wonders at the results."""
    quantise(float_model, "fixed<8,-2>")
    said = " ".join(capsys.readouterr().err.split())
    assert "layer first: " in said
    assert "weights are beyond fixed<8,-2,RND,SAT> and saturate" in said
