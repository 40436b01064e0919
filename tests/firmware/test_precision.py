"""Fixed-point types, and hls4ml's configuration of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fpgaclass.core import InvalidInputError
from fpgaclass.firmware import FixedPoint, quantise
from fpgaclass.firmware.exact import exact_predict
from fpgaclass.firmware.precision import Precisions, covering


@pytest.mark.parametrize("text", ["fixed<16>", "float", "fixed<40,6>", "fixed<16,6,UP>"])
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


def test_hls4ml_s_configuration_is_read(float_model: Any, events: Any) -> None:
    """Who has a configuration for hls4ml must not write it again: types by layer, 'auto' as the default."""
    config = {
        "Model": {"Precision": {"default": "fixed<18,6>"}, "ReuseFactor": 1},
        "LayerName": {
            "first": {"Precision": {"weight": "fixed<4,2>", "bias": "auto", "result": "fixed<18,6>"}},
            "out": {"Precision": "fixed<12,4>", "ReuseFactor": 4},
            "second": {"ReuseFactor": 2},
        },
    }
    types = Precisions.of(config)
    assert (types.weight("first").width, types.bias("first").width) == (4, 18)
    assert (types.weight("out").width, types.result("second").width) == (12, 18)
    coarse, fine = quantise(float_model, config), quantise(float_model, "fixed<18,6>")
    kernels = [np.unique(np.asarray(model.get_layer("first").qkernel)) for model in (coarse, fine)]
    assert all((kernels[0] * 4).round() == kernels[0] * 4)
    assert len(kernels[1]) > len(kernels[0])
    assert not np.array_equal(exact_predict(coarse, events), exact_predict(fine, events))


def test_weights_beyond_their_type_are_told(float_model: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Saturated weights are another network; the layer and how many, before anyone wonders at the results."""
    quantise(float_model, "fixed<8,-2>")
    said = " ".join(capsys.readouterr().err.split())
    assert "layer first: " in said
    assert "weights are beyond fixed<8,-2,RND,SAT> and saturate" in said
