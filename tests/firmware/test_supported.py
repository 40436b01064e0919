"""What is refused, before work starts: the layer, what is wrong with it and what would do instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fpgaclass.core import FirmwareError, InvalidInputError, UnsupportedLayerError
from fpgaclass.firmware import check_model
from fpgaclass.firmware.models.supported import pooled_counts, to_places


def _chain(shape: tuple[int, ...], *layers: Any) -> Any:
    import keras

    inputs = x = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def _mean_of_three(layers: Any) -> Any:
    import keras

    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Average(name="x")([layers.Dense(3)(inputs) for _ in range(3)]))


def _cases() -> dict[str, tuple[Callable[[Any, Any], Any], str]]:
    """Name -> (what makes a model of keras.layers K and hgq.layers Q, what the error says)."""
    return {
        "dilated": (
            lambda _K, Q: _chain((9, 2), Q.QConv1D(2, 3, dilation_rate=2, name="x")),
            r"is dilated.*larger",
        ),
        "groups": (
            lambda _K, Q: _chain((5, 5, 2), Q.QConv2D(4, 2, groups=2, name="x")),
            r"has groups.*all channels",
        ),
        "ninths": (lambda _K, Q: _chain((6, 6, 1), Q.QAvgPool2D(3, name="x")), r"divides by 9.*pool_size=2"),
        "padded max": (
            lambda _K, Q: _chain((5, 5, 1), Q.QMaxPool2D(2, padding="same", name="x")),
            r"padded border.*padding='valid'",
        ),
        "global 2d": (
            lambda _K, Q: _chain((4, 4, 2), Q.QGlobalAveragePooling2D(name="x")),
            r"\(QGlobalAveragePooling2D\) cannot.*QAveragePooling2D\(pool_size=\(4, 4\)\)",
        ),
        "third": (
            lambda K, Q: _chain((4,), Q.QDense(3), K.LeakyReLU(0.3, name="x")),
            r"slope 0.3, which no fixed-point number is.*0.25",
        ),
        "cap": (
            lambda K, Q: _chain((4,), Q.QDense(3), K.ReLU(0.7, name="x")),
            r"has max_value 0.7, which no fixed-point.*max_value=0.7001953125",
        ),
        "cap and slope": (
            lambda K, Q: _chain((4,), Q.QDense(3), K.ReLU(6.0, 0.25, name="x")),
            r"has a maximum and a slope.*use one of them",
        ),
        "prelu": (lambda K, Q: _chain((4,), Q.QDense(3), K.PReLU(name="x")), r"\(PReLU\) cannot.*LeakyReLU"),
        "activation": (
            lambda _K, Q: _chain((4,), Q.QDense(3, activation="tanh", name="x")),
            r"activation 'tanh' built in.*QUnaryFunctionLUT",
        ),
        "table of rows": (
            lambda _K, Q: _chain(
                (4, 2), Q.QDense(3), Q.QUnaryFunctionLUT("tanh", allow_heterogeneous_table=False, name="x")
            ),
            r"values in rows.*Flatten",
        ),
        "tables of each": (
            lambda _K, Q: _chain(
                (4,), Q.QDense(3), Q.QUnaryFunctionLUT("tanh", allow_heterogeneous_table=True, name="x")
            ),
            r"another table for each value.*allow_heterogeneous_table=False",
        ),
        "noise": (
            lambda K, Q: _chain((4,), Q.QDense(3), K.GaussianNoise(0.1, name="x")),
            r"\(GaussianNoise\).*Dropout",
        ),
        "plain among": (
            lambda K, Q: _chain((4,), Q.QDense(3), K.Dense(2, name="x")),
            r"\(Dense\).*hgq.layers.QDense",
        ),
        "recurrent": (
            lambda K, Q: _chain((4, 2), Q.QDense(3), K.LSTM(2, name="x")),
            r"\(LSTM\).*fixed window",
        ),
        "no type": (
            lambda K, Q: _chain((4, 4, 1), K.MaxPooling2D(2, name="x"), K.Flatten(), Q.QDense(2)),
            r"takes the model's input as it is.*HGQ2 layer",
        ),
        "of Keras: permuted": (
            lambda K, _Q: _chain((4, 2), K.Permute((2, 1), name="x"), K.Flatten()),
            r"\(Permute\)",
        ),
        "of Keras: ninths": (
            lambda K, _Q: _chain((6, 6, 1), K.AveragePooling2D(3, name="x")),
            r"divides by 9",
        ),
        "of Keras: channels": (
            lambda K, _Q: _chain((1, 6, 6), K.MaxPooling2D(2, data_format="channels_first", name="x")),
            r"channels first.*channels_last",
        ),
        "global 2d of ninths": (
            lambda _K, Q: _chain((3, 3, 2), Q.QGlobalAveragePooling2D(name="x")),
            r"QMaxPooling2D\(pool_size=\(3, 3\)\) and Flatten: of 9 values",
        ),
        "identity": (
            lambda K, Q: _chain((4,), Q.QDense(3), K.Identity(name="x")),
            r"\(Identity\).*changes nothing at inference",
        ),
        "normalised": (
            lambda K, Q: _chain((4,), K.Rescaling(0.5, name="x"), Q.QDense(3)),
            r"\(Rescaling\).*QBatchNormalization; or NumPy",
        ),
        "of Keras: global ninths": (
            lambda K, _Q: _chain((3, 3, 2), K.GlobalAveragePooling2D(name="x")),
            r"divides by 9.*GlobalMaxPooling2D, or Flatten",
        ),
        "of Keras: mean of three": (
            lambda K, _Q: _mean_of_three(K),
            r"averages 3 tensors.*two at a time",
        ),
        "of Keras: distributed": (
            lambda K, _Q: _chain((4, 2), K.TimeDistributed(K.Dense(2), name="x")),
            r"\(TimeDistributed\).*use Dense itself",
        ),
        "of Keras: elu": (
            lambda K, _Q: _chain((4,), K.Dense(2), K.ELU(name="x")),
            r"\(ELU\).*Activation\('elu'\)",
        ),
        "of Keras: flat, channels first": (
            lambda K, _Q: _chain((4, 2), K.Flatten(data_format="channels_first", name="x"), K.Dense(2)),
            r"channels first, and moves values.*channels_last",
        ),
        "flat, channels first": (
            lambda K, Q: _chain((4, 2), Q.QDense(3), K.Flatten(data_format="channels_first", name="x")),
            r"channels first, and moves values.*channels_last",
        ),
        "of Keras: exponential": (
            lambda K, _Q: _chain((4,), K.Dense(2, activation="exponential", name="x")),
            r"'exponential' of layer 'x' has no table.*sigmoid",
        ),
    }


@pytest.mark.parametrize("case", _cases())
def test_what_cannot_be_built_is_named_with_what_would_do(case: str) -> None:
    """Each was seen to fail, or to differ, in one of the tools; found after a build it would cost minutes."""
    import hgq.layers
    import keras

    make, says = _cases()[case]
    with pytest.raises(UnsupportedLayerError, match=says) as refused:
        check_model(make(keras.layers, hgq.layers))
    assert "'x'" in str(refused.value), "the layer is named"


def test_joins_that_a_tool_gets_wrong_are_refused() -> None:
    """hls4ml joins two tensors, along the last axis, of one shape; operators make no layer at all."""
    import keras
    from hgq.layers import QAdd, QDense

    inputs = keras.Input((4,))
    a, b, c = (QDense(3)(inputs) for _ in range(3))
    with pytest.raises(UnsupportedLayerError, match=r"joins 3 tensors.*two at a time"):
        check_model(keras.Model(inputs, QAdd()([a, b, c])))
    with pytest.raises(UnsupportedLayerError, match=r"function Add between layers.*hgq.layers.QAdd"):
        check_model(keras.Model(inputs, a + b))
    rows = keras.Input((4, 2))
    with pytest.raises(UnsupportedLayerError, match=r"another axis than the last.*axis=-1"):
        check_model(keras.Model(rows, keras.layers.Concatenate(axis=1)([QDense(2)(rows), QDense(2)(rows)])))


def test_two_roundings_in_a_row_are_refused() -> None:
    """hls4ml fuses them to one, which is another number in some events."""
    import keras
    from hgq.config import QuantizerConfig
    from hgq.layers import QDense
    from hgq.quantizer import Quantizer

    def one_type(fraction: int) -> Any:
        return QuantizerConfig(
            "kif", "datalane", i0=2, f0=fraction, homogeneous_axis=None, heterogeneous_axis=()
        )

    def model(first: int, second: int) -> Any:
        return _chain(
            (4,), QDense(3), Quantizer(one_type(first)), QDense(2, iq_conf=one_type(second), name="x")
        )

    with pytest.raises(UnsupportedLayerError, match=r"'x' \(QDense\) rounds what was rounded more finely"):
        check_model(model(6, 3))
    check_model(model(3, 6))
    assert keras is not None


def test_python_of_one_s_own() -> None:
    """It cannot be looked into; said as what to do, not as a traceback of a tool's."""
    import keras

    class Own(keras.Model):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(InvalidInputError, match=r"Python code of its own \(Own\).*keras.Sequential"):
        check_model(Own())
    with pytest.raises(InvalidInputError, match=r"any size: \(None, 2\).*whole numbers"):
        check_model(_chain((None, 2), keras.layers.Conv1D(3, 2)))


@pytest.mark.parametrize(
    ("size", "pool", "strides", "padding", "counts"),
    [
        (6, 2, 2, "valid", {4}),
        (6, 3, 3, "valid", {9}),
        (5, 2, 2, "same", {4, 2, 1}),
        (6, 2, 2, "same", {4}),
        (4, 3, 1, "same", {4, 6, 9}),
    ],
)
def test_how_many_values_are_averaged(
    size: int, pool: int, strides: int, padding: str, counts: set[int]
) -> None:
    """Only a power of two is a shift; a padded border averages over fewer, as Keras does."""
    import keras
    import numpy as np

    layer = keras.layers.AveragePooling2D(pool, strides, padding=padding)
    model = _chain((size, size, 1), layer)
    assert pooled_counts(layer) == counts
    # Of a single one, each window gives one over its count.
    peaks = [model(np.eye(size * size)[i].reshape(1, size, size, 1)) for i in range(size * size)]
    seen = {round(1 / float(v)) for peak in peaks for v in np.unique(np.asarray(peak)) if v > 0}
    assert seen == counts


def test_slopes_become_what_a_multiplier_holds() -> None:
    """Ten binary places: a slope of 0.3 is off by less than half a thousandth."""
    assert to_places(0.25) == 0.25
    assert abs(to_places(0.3) - 0.3) < 2**-11
    assert (to_places(0.3) * 1024).is_integer()


def test_a_model_that_computes_nothing_or_has_several_ends_is_refused() -> None:
    """Said of the model as it was given, not of a layer that was made for it."""
    import keras

    K = keras.layers
    one, two = keras.Input((3,)), keras.Input((3,))
    for model, said in (
        (_chain((4, 2), K.Flatten(), K.Dropout(0.1)), r"computes nothing.*such as Dense"),
        (keras.Model([one, two], K.Dense(1)(K.Concatenate()([one, two]))), r"has 2 inputs.*in a row"),
        (keras.Model(one, [K.Dense(1)(one), K.Dense(2)(one)]), r"has 2 outputs.*Concatenate\(\)"),
        ("model.keras", r"a str is not a Keras model. Next: read it: keras.models.load_model"),
    ):
        with pytest.raises(FirmwareError if "computes" in said else InvalidInputError, match=said):
            check_model(model)
