"""Normalization and Rescaling: part of the weights beside them, if the types hold what they were made for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fpgaclass.core import UnsupportedLayerError
from fpgaclass.firmware import check_model, quantise
from fpgaclass.firmware.checking.exact import exact_predict

Layers = Callable[[Any], list[Any]]


def _model(shape: tuple[int, ...], layers: Layers) -> Any:
    import keras

    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input(shape), *layers(keras.layers)])


def _types(taken: str, **weights: str) -> dict[str, Any]:
    """Fine types for all but the input and the weights named."""
    layers = {name: {"Precision": {"weight": kind}} for name, kind in weights.items()}
    return {
        "Model": {"Precision": "fixed<24,8>"},
        "LayerName": {"input": {"Precision": taken}, **layers},
    }


_MEAN, _VARIANCE = (3.0, -20.0, 0.5, 100.0), (4.0, 100.0, 0.01, 2500.0)
_PIXELS, _HITS = np.arange(0, 256), np.arange(-128, 128) / 32


@pytest.mark.parametrize(
    ("shape", "layers", "values", "precision"),
    [
        pytest.param(
            (4,),
            lambda K: [K.Normalization(mean=_MEAN, variance=_VARIANCE), K.Dense(3, name="d"), K.ReLU()],
            _HITS,
            _types("fixed<12,6>", d="fixed<24,6>"),
            id="each its own",
        ),
        pytest.param(
            (4,),
            lambda K: [K.Normalization(axis=None, mean=3.0, variance=4.0), K.Dense(3, name="d")],
            _HITS,
            _types("fixed<12,6>"),
            id="one for all",
        ),
        pytest.param(
            (5, 5, 2),
            lambda K: [K.Rescaling(1 / 255), K.Conv2D(2, 3, padding="same", name="d"), K.Flatten()],
            _PIXELS,
            _types("ufixed<8,8>", d="fixed<24,-2>"),
            id="past a padded border, without a shift",
        ),
        pytest.param(
            (5, 5, 2),
            lambda K: [K.Rescaling(1 / 127.5, offset=-1), K.Conv2D(2, 3, name="d"), K.Flatten()],
            _PIXELS,
            _types("ufixed<8,8>", d="fixed<24,-2>"),
            id="pixels from -1 to 1",
        ),
        pytest.param(
            (3, 3, 2),
            lambda K: [K.Rescaling([1 / 255, 1 / 64]), K.Flatten(), K.Dense(2, name="d")],
            _PIXELS,
            _types("ufixed<8,8>", d="fixed<24,-2>"),
            id="past Flatten",
        ),
        pytest.param(
            (4,),
            lambda K: [K.Rescaling(0.5, 1.0), K.Rescaling(1 / 8, -2.0), K.Dense(3, name="d")],
            _HITS,
            _types("fixed<12,6>", d="fixed<24,3>"),
            id="two in a row",
        ),
        pytest.param(
            (4,),
            lambda K: [K.Dense(3), K.Normalization(mean=2.0, variance=9.0, invert=True, axis=None)],
            _HITS,
            _types("fixed<12,6>"),
            id="back to GeV at the end",
        ),
    ],
)
def test_a_scaling_within_the_weights_is_the_same_network(
    shape: tuple[int, ...], layers: Layers, values: Any, precision: Any
) -> None:
    """With many bits nothing but rounding is left of the difference; a wrong sign or axis is of order one."""
    model = _model(shape, layers)
    check_model(model)
    quantised = quantise(model, precision)
    assert not {"normalization", "rescaling"} & {layer.name.split("_")[0] for layer in quantised.layers}
    x = np.random.default_rng(1).choice(values, (300, *shape)).astype(np.float32)
    expected = model.predict(x, verbose=0)
    assert np.ptp(expected) > 0.5
    assert np.abs(exact_predict(quantised, x) - expected).max() < 0.01


def test_a_normalisation_before_two_branches_is_in_both() -> None:
    """Its scale is of order ten: left out of one branch it would be seen."""
    import keras

    keras.utils.set_random_seed(3)
    inputs = keras.Input((4,))
    scaled = keras.layers.Normalization(mean=[1.0] * 4, variance=[0.01] * 4)(inputs)
    branches = [keras.layers.Dense(2)(scaled), keras.layers.Dense(2, activation="relu")(scaled)]
    model = keras.Model(inputs, keras.layers.Concatenate()(branches))
    x = np.random.default_rng(1).choice(_HITS / 4, (300, 4)).astype(np.float32)
    found = exact_predict(quantise(model, _types("fixed<12,4>")), x)
    assert np.abs(found - model.predict(x, verbose=0)).max() < 0.01


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        (
            lambda K: [K.Rescaling(1 / 255, name="pixels"), K.Dense(3, name="d", bias_initializer="ones")],
            '"input": {"Precision": "fixed<11,9>"}, "d": {"Precision": {"weight": "fixed<',
        ),
        (
            lambda K: [K.Normalization(mean=_MEAN, variance=_VARIANCE, name="pixels"), K.Dense(3, name="d")],
            '"input": {"Precision": "fixed<23,10>"}, "d": {"Precision": {"weight": "fixed<',
        ),
    ],
)
def test_types_that_would_cut_the_network_off_are_refused_with_those_that_do(
    layers: Layers, wanted: str
) -> None:
    """Pixels of 0 to 255 in fixed<16,6> wrap, and weights over 255 are zero: a network that says nothing."""
    model = _model((4,), layers)
    with pytest.raises(UnsupportedLayerError, match="'pixels' takes numbers such as") as refused:
        quantise(model, "fixed<16,6>")
    step = str(refused.value.next_step)
    assert wanted in step
    proposed = eval(step[step.index("{") : step.rindex("}") + 1])  # as a reader copies it
    x = np.random.default_rng(1).normal(_MEAN, np.sqrt(_VARIANCE), (300, 4)).astype(np.float32)
    x = np.abs(x) if "fixed<11,9>" in wanted else x
    quantised = quantise(model, proposed)
    assert np.abs(exact_predict(quantised, x) - model.predict(x, verbose=0)).max() < 0.05


def test_a_scaling_that_changes_little_needs_nothing_said() -> None:
    """Features of about one are the common case; nobody should have to give types for them."""
    mean, variance = [0.1, -0.2, 0.0, 3.0], [1.2, 0.1, 1.0, 9.0]
    quantise(_model((4,), lambda K: [K.Normalization(mean=mean, variance=variance), K.Dense(2)]))


@pytest.mark.parametrize(
    ("shape", "layers", "says"),
    [
        (
            (4,),
            lambda K: [K.Rescaling(0.5, name="x"), K.Activation("tanh"), K.Dense(2)],
            r"'x' \(Rescaling\) is beside no layer.*NumPy",
        ),
        (
            (5, 5, 1),
            lambda K: [K.Rescaling(0.5, 1.0, name="x"), K.Conv2D(2, 3, padding="same")],
            "beside no layer whose weights",
        ),
        (
            (4, 2),
            lambda K: [K.Normalization(axis=1, mean=[1.0] * 4, variance=[2.0] * 4, name="x"), K.Dense(2)],
            r"'x' \(Normalization\) scales along another axis",
        ),
        ((4,), lambda K: [K.Rescaling(0.0, name="x"), K.Dense(2)], "'x' .* scales by zero"),
    ],
)
def test_a_scaling_that_no_weights_can_take_is_refused_beforehand(
    shape: tuple[int, ...], layers: Layers, says: str
) -> None:
    """Said by check_model already, with the layer and what would do."""
    with pytest.raises(UnsupportedLayerError, match=says):
        check_model(_model(shape, layers))


def test_layers_that_do_nothing_at_inference_are_nothing() -> None:
    """Identity and the noises of training must neither cost logic nor be refused."""
    model = _model(
        (4,),
        lambda K: [K.Identity(), K.Dense(3, name="d"), K.Dropout(0.5), K.GaussianNoise(1.0), K.Identity()],
    )
    assert [layer.name for layer in quantise(model).layers if layer.weights] == ["d"]
