"""Activations after training: straight lines to the bit, tables as fine as is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fpgaclass.core import InvalidInputError
from fpgaclass.firmware import check_model, quantise
from fpgaclass.firmware.build import prepare
from fpgaclass.firmware.checking.exact import exact_predict
from fpgaclass.firmware.network import trace_network


def _one(activation: Any) -> Any:
    """A model that passes its two inputs on to an activation, as a name or as a layer."""
    import keras

    layer = keras.layers.Activation(activation) if isinstance(activation, str) else activation
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="first"), layer])
    model.get_layer("first").kernel.assign(np.eye(2))
    return model


# Every value of the input's type, and what lies on the steps of an activation among them.
GRID = (np.arange(-(2**13), 2**13) / 2**8).astype(np.float32)
EVENTS = np.stack([GRID, GRID[::-1]], axis=1)


@pytest.mark.parametrize("function", ["relu6", "hard_tanh", "hard_sigmoid"])
def test_straight_lines_are_computed_and_not_looked_up(function: str) -> None:
    """A table of 1024 entries is off by 1/32; a comparison and a sum are off by nothing."""
    import keras

    model = _one(function)
    found = exact_predict(prepare(model, "fixed<14,6>"), EVENTS)
    wanted = np.asarray(getattr(keras.activations, function)(EVENTS.astype(np.float64)))
    # A sixth is no fixed-point number: hard_sigmoid is within 3/4 of a step, and exact at its ends.
    assert np.abs(found - wanted).max() <= (0.75 * 2**-8 if function == "hard_sigmoid" else 0)
    assert found.min() == wanted.min()
    assert found.max() == wanted.max()


def test_a_maximum_that_is_on_no_grid_is_rounded_to_the_layer_s() -> None:
    """0.7 has no end in binary; the largest result is the step that is nearest to it."""
    import keras

    model = prepare(_one(keras.layers.ReLU(max_value=0.7)), "fixed<14,6>")
    found = exact_predict(model, EVENTS)
    assert found.max() == round(0.7 * 2**8) / 2**8
    assert np.array_equal(found, trace_network(model).predict(EVENTS))


def test_a_maximum_beyond_the_type_changes_nothing() -> None:
    """Six is not within fixed<8,3>: the type saturates first."""
    plain, capped = (prepare(_one(function), "fixed<8,3>") for function in ("relu", "relu6"))
    assert np.array_equal(exact_predict(plain, EVENTS), exact_predict(capped, EVENTS))


def test_a_table_is_as_large_as_is_asked_for() -> None:
    """hls4ml's TableSize: four times the entries, a quarter of the steps, and so of the distance."""
    import keras

    model = _one("softplus")
    wanted = np.asarray(keras.activations.softplus(EVENTS.astype(np.float64)))
    away = []
    for size in (256, 1024, 4096):
        types = {"Model": {"Precision": "fixed<16,6>", "TableSize": size}}
        away.append(np.abs(exact_predict(quantise(model, types), EVENTS) - wanted).max())
    assert away[0] > 3 * away[1] > 9 * away[2]


def test_tables_that_are_none_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A size that no address has, one of a layer that is not there, and one of a layer without a table."""
    model = _one("tanh")

    def named(name: str, size: Any) -> Any:
        return {"Model": {"Precision": "fixed<16,6>"}, "LayerName": {name: {"TableSize": size}}}

    with pytest.raises(InvalidInputError, match=r"a table of 1000 entries for 'first'.*power of two up to"):
        quantise(model, named("first", 1000))
    with pytest.raises(InvalidInputError, match=r"a layer 'frist', which .* has not.*'first'"):
        quantise(model, named("frist", 512))
    quantise(model, named("first", 512))
    assert "TableSize of 'first' counts for nothing" in capsys.readouterr().err
    quantise(model, named(model.layers[-1].name, 512))
    assert "counts for nothing" not in capsys.readouterr().err


def test_a_relu_of_three_lines_is_refused() -> None:
    """A jump at a threshold, and a slope below zero beside a maximum, are no single comparison."""
    import keras

    for options in ({"threshold": 1.0}, {"max_value": 6.0, "negative_slope": 0.25}, {"max_value": 0.0}):
        with pytest.raises(Exception, match=r"is a ReLU with a threshold, or with a maximum and a slope"):
            check_model(_one(keras.layers.ReLU(**options)))
