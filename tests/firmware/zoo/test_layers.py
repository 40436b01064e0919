"""Every layer that is said to be supported, in several shapes: exact wherever it goes.

The weights are drawn, not trained, and the events go far beyond what the types hold: wrapping, saturating and
rounding must be the same everywhere, not only where training leads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.firmware import load_board
from fpgaclass.firmware.build import prepare
from fpgaclass.firmware.checking.exact import exact_predict
from fpgaclass.firmware.checking.layers import compare_layers
from fpgaclass.firmware.checking.verify import compare, spread_events
from fpgaclass.firmware.emulation import compile_hls, emulate, write_hls
from fpgaclass.firmware.models.model import canonical
from fpgaclass.firmware.network import Network, trace_network

Make = Callable[[], Any]
QUANTISED: dict[str, Make] = {}
PLAIN: dict[str, Make] = {}


def _chain(shape: tuple[int, ...], *makers: Callable[[], Any]) -> Any:
    import keras

    inputs = x = keras.Input(shape)
    for make in makers:
        x = make()(x)
    return keras.Model(inputs, x)


def _q(kind: str, *args: Any, **options: Any) -> Callable[[], Any]:
    """Make a layer of hgq's when it is needed: nothing heavy is loaded to collect the tests."""

    def make() -> Any:
        import hgq.layers

        return getattr(hgq.layers, f"Q{kind}")(*args, **options)

    return make


def _k(kind: str, *args: Any, **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        import keras

        return getattr(keras.layers, kind)(*args, **options)

    return make


def _table(function: str) -> Callable[[], Any]:
    def make() -> Any:
        from hgq.config import QuantizerConfig
        from hgq.layers import QUnaryFunctionLUT

        one = {"homogeneous_axis": None, "heterogeneous_axis": ()}
        taken = QuantizerConfig("kif", "datalane", i0=2, f0=3, **one)
        given = QuantizerConfig("kif", "table", i0=1, f0=5, **one)
        return QUnaryFunctionLUT(function, iq_conf=taken, oq_conf=given, allow_heterogeneous_table=False)

    return make


def _quantiser() -> Any:
    from hgq.config import QuantizerConfig
    from hgq.quantizer import Quantizer

    return Quantizer(QuantizerConfig("kif", "datalane", i0=2, f0=2, overflow_mode="WRAP"))


_END = _q("Dense", 2, enable_oq=True)
_FLAT = _k("Flatten")


def _split(shape: tuple[int, ...], first: Any, second: Any, join: Any, *after: Any) -> Any:
    """Two layers in a row, and a layer that joins what each of them gives."""
    import keras

    inputs = keras.Input(shape)
    a = first()(inputs)
    x = join()([a, second()(a)])
    for make in after:
        x = make()(x)
    return keras.Model(inputs, x)


def _past_everything(join: Any, *after: Any) -> Any:
    """The model's own input joined with what a layer makes of it."""
    import keras

    inputs = keras.Input((4,))
    x = join()([_q("Dense", 4, activation="relu")()(inputs), inputs])
    for make in after:
        x = make()(x)
    return keras.Model(inputs, x)


for n, shape in ((1, (7, 2)), (2, (5, 6, 1)), (2, (4, 4, 2))):
    rows = "x".join(map(str, shape))
    conv = f"Conv{n}D"
    QUANTISED[f"conv{n}d {rows} valid"] = partial(
        _chain, shape, _q(conv, 2, 3, activation="relu"), _FLAT, _END
    )
    QUANTISED[f"conv{n}d {rows} same, strides"] = partial(
        _chain, shape, _q(conv, 3, 2, strides=2, padding="same"), _FLAT, _END
    )
    QUANTISED[f"conv{n}d {rows} last"] = partial(_chain, shape, _q(conv, 2, 2, enable_oq=True))
    for pool in ("Max", "Average"):
        QUANTISED[f"{pool} pooling {n}d {rows}"] = partial(
            _chain, shape, _q(conv, 2, 1), _q(f"{pool}Pooling{n}D", 2), _FLAT, _END
        )
        QUANTISED[f"{pool} pooling {n}d {rows}, of Keras, overlapping"] = partial(
            _chain,
            shape,
            _q(conv, 2, 1, activation="relu"),
            _k(f"{pool}Pooling{n}D", 2, strides=1),
            _FLAT,
            _END,
        )
    QUANTISED[f"batch norm {rows}"] = partial(
        _chain, shape, _q(conv, 2, 2), _q("BatchNormalization"), _k("ReLU"), _FLAT, _END
    )
for length in (4, 8):
    for pool in ("Max", "Average"):
        QUANTISED[f"global {pool} pooling of {length}"] = partial(
            _chain, (length, 2), _q("Conv1D", 3, 1), _q(f"Global{pool}Pooling1D"), _END
        )
QUANTISED["average pooling, padded"] = partial(
    _chain, (5, 5, 1), _q("Conv2D", 2, 1), _q("AveragePooling2D", 2, padding="same"), _FLAT, _END
)
QUANTISED["batch norm first"] = partial(
    _chain, (5,), _q("BatchNormalization"), _q("Dense", 3, activation="relu"), _END
)
QUANTISED["batch norm with dense"] = partial(_chain, (5,), _q("BatchNormDense", 4, activation="relu"), _END)
QUANTISED["relu as a layer"] = partial(_chain, (5,), _q("Dense", 4), _k("ReLU"), _END)
QUANTISED["relu as an activation"] = partial(_chain, (5,), _q("Dense", 4), _k("Activation", "relu"), _END)
QUANTISED["relu with a threshold"] = partial(_chain, (5,), _q("Dense", 4), _k("ReLU", threshold=0.5), _END)
for maximum in (6.0, 1.375, 257 / 1024, 1000.0):
    QUANTISED[f"relu with a maximum {maximum:g}"] = partial(
        _chain, (5,), _q("Dense", 4), _k("ReLU", max_value=maximum), _END
    )
QUANTISED["relu with a maximum, of images"] = partial(
    _chain, (4, 4, 1), _q("Conv2D", 2, 2), _k("ReLU", max_value=2.5), _FLAT, _END
)
for slope in (0.25, 13 / 128):
    QUANTISED[f"leaky relu {slope}"] = partial(_chain, (5,), _q("Dense", 4), _k("LeakyReLU", slope), _END)
for function in ("sigmoid", "tanh", "elu"):
    QUANTISED[f"table of {function}"] = partial(_chain, (5,), _q("Dense", 4), _table(function), _END)
QUANTISED["table last"] = partial(_chain, (5,), _q("Dense", 2), _table("sigmoid"))
QUANTISED["softmax"] = partial(_chain, (5,), _q("Dense", 4), _q("Softmax"))
QUANTISED["softmax of rows"] = partial(_chain, (3, 2), _q("Dense", 3), _q("Softmax"), _FLAT, _END)
for kind in ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "AveragePow2"):
    QUANTISED[f"skip, {kind}"] = partial(
        _split, (5,), _q("Dense", 3, activation="relu"), _q("Dense", 3), _q(kind), _END
    )
QUANTISED["skip, Add of Keras"] = partial(_split, (5,), _q("Dense", 3), _q("Dense", 3), _k("Add"), _END)
QUANTISED["skip, Add of images"] = partial(
    _split, (4, 4, 1), _q("Conv2D", 2, 3, padding="same", activation="relu"),
    _q("Conv2D", 2, 3, padding="same"), _q("Add"), _k("ReLU"), _FLAT, _END,
)  # fmt: skip
QUANTISED["concatenation"] = partial(_split, (5,), _q("Dense", 4), _q("Dense", 2), _k("Concatenate"), _END)
QUANTISED["concatenation of images"] = partial(
    _split, (4, 4, 1), _q("Conv2D", 1, 3, padding="same"), _q("Conv2D", 2, 3, padding="same"),
    _k("Concatenate"), _FLAT, _END,
)  # fmt: skip
QUANTISED["the input again, added"] = partial(_past_everything, _q("Add"), _END)
QUANTISED["the input again, concatenated"] = partial(_past_everything, _k("Concatenate"), _END)
QUANTISED["reshape"] = partial(_chain, (8,), _k("Reshape", (4, 2)), _q("Conv1D", 2, 2), _FLAT, _END)
QUANTISED["dense on rows"] = partial(
    _chain, (4, 2), _q("Dense", 3, activation="relu"), _k("Dropout", 0.1), _FLAT, _END
)
QUANTISED["einsum dense"] = partial(
    _chain, (4, 2), _q("EinsumDense", "bij,jk->bik", (4, 3), bias_axes="k", activation="relu"), _FLAT, _END
)
QUANTISED["a quantiser first"] = partial(
    _chain, (5,), lambda: _quantiser(), _q("Dense", 3, activation="relu"), _END
)

_DENSE = _k("Dense", 3)
_STRAIGHT = ("relu6", "hard_sigmoid", "hard_tanh")
_CURVED = ("softsign", "silu", "hard_silu", "elu", "selu", "gelu", "softplus")
for function in ("sigmoid", "tanh", "leaky_relu", "softmax", *_STRAIGHT, *_CURVED):
    PLAIN[f"{function} after dense"] = partial(
        _chain, (5,), _k("Dense", 3, activation=function), _k("Dense", 2)
    )
for function in _STRAIGHT:
    PLAIN[f"{function} last"] = partial(_chain, (5,), _DENSE, _k("Activation", function))
PLAIN["hard_tanh first"] = partial(_chain, (5,), _k("Activation", "hard_tanh"), _DENSE)
PLAIN["relu with a maximum, of images"] = partial(
    _chain, (4, 4, 1), _k("Conv2D", 2, 2), _k("ReLU", max_value=0.7), _FLAT, _k("Dense", 2)
)
PLAIN["hard_sigmoid of images"] = partial(
    _chain, (4, 4, 1), _k("Conv2D", 2, 2, activation="hard_sigmoid"), _FLAT, _k("Dense", 2)
)
PLAIN["table first"] = partial(_chain, (5,), _k("Activation", "tanh"), _DENSE)
PLAIN["table of rows"] = partial(
    _chain, (6, 2), _k("Conv1D", 2, 3, activation="tanh"), _k("GlobalAveragePooling1D")
)
PLAIN["softmax last"] = partial(_chain, (5,), _k("Dense", 4, activation="relu"), _DENSE, _k("Softmax"))
PLAIN["relu last"] = partial(_chain, (5,), _DENSE, _k("BatchNormalization"), _k("ReLU"))
PLAIN["batch norm first and last"] = partial(
    _chain, (5,), _k("BatchNormalization"), _k("Dense", 4, activation="relu"), _k("BatchNormalization")
)
PLAIN["normalised"] = partial(
    _chain, (5,), _k("Normalization", mean=[0.5] * 5, variance=[0.5, 1.0, 2.0, 1.5, 3.0]), _k("Dense", 4),
    _k("ReLU"), _k("Identity"), _k("Dense", 2), _k("Rescaling", 0.5, offset=1.0),
)  # fmt: skip
PLAIN["a layer called input"] = partial(_chain, (5,), _k("Dense", 3, name="input"), _k("ReLU"))
PLAIN["leaky relu last"] = partial(_chain, (5,), _DENSE, _k("LeakyReLU", 0.3))
PLAIN["image, two convolutions"] = partial(
    _chain, (8, 8, 1), _k("Conv2D", 2, 3, activation="relu"), _k("MaxPooling2D", 2), _k("Conv2D", 2, 2),
    _k("BatchNormalization"), _k("ReLU"), _FLAT, _k("Dense", 2),
)  # fmt: skip
PLAIN["image, padded, batch norm first"] = partial(
    _chain, (4, 4, 1), _k("BatchNormalization"), _k("Conv2D", 2, 3, padding="same"), _k("LeakyReLU", 0.1),
    _k("AveragePooling2D", 2), _FLAT, _k("Dense", 2),
)  # fmt: skip
for pool in ("Max", "Average"):
    PLAIN[f"global {pool} pooling of an image"] = partial(
        _chain, (4, 4, 1), _k("Conv2D", 2, 1, activation="relu"), _k(f"Global{pool}Pooling2D"), _k("Dense", 2)
    )
PLAIN["pooling first"] = partial(_chain, (4, 4, 1), _k("AveragePooling2D", 2), _FLAT, _k("Dense", 2))
PLAIN["reshape, dropout"] = partial(
    _chain, (8,), _k("Reshape", (4, 2)), _k("GaussianNoise", 0.1), _k("Conv1D", 2, 2), _k("Dropout", 0.1),
    _FLAT, _k("Dense", 1),
)  # fmt: skip
PLAIN["residual block"] = partial(
    _split, (4, 4, 1), _k("Conv2D", 2, 3, padding="same", activation="relu"),
    _k("Conv2D", 2, 3, padding="same"), _k("Add"), _k("ReLU"), _FLAT, _k("Dense", 1),
)  # fmt: skip
for kind in ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average", "Concatenate"):
    PLAIN[f"{kind}, last"] = partial(_split, (5,), _k("Dense", 3, activation="relu"), _DENSE, _k(kind))


def _three(kind: str) -> Any:
    import keras

    inputs = keras.Input((3,))
    a = keras.layers.Dense(3, activation="relu")(inputs)
    joined = getattr(keras.layers, kind)()([a, keras.layers.Dense(3)(a), inputs])
    return keras.Model(inputs, keras.layers.Dense(1)(joined))


PLAIN["three added"] = partial(_three, "Add")
PLAIN["three concatenated"] = partial(_three, "Concatenate")
ALL = {**QUANTISED, **PLAIN}


def _made(name: str) -> Any:
    """A model with drawn weights, narrow types, and statistics for its normalisations."""
    import keras
    from hgq.config import LayerConfigScope, QuantizerConfigScope

    keras.utils.set_random_seed(5)
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM", b0=5, i0=1),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP", i0=2, f0=3),
        LayerConfigScope(enable_ebops=False),
    ):
        model = ALL[name]()
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if "moving" in weight.path or weight.path.endswith("gamma"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif weight.path.endswith(("/bias", "/beta")) and len(weight.shape) == 1:
            weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


def _prepared(name: str) -> Any:
    """The model as it is built: HGQ2's own types, or ten bits after training."""
    return prepare(_made(name), "fixed<10,4>" if name in PLAIN else None)


def _traced(name: str) -> tuple[Any, Network, Any, Any]:
    """The model as it is built, its network, events, and its own results on them."""
    model = _prepared(name)
    network = trace_network(model)
    rng = np.random.default_rng(2)
    rough = rng.normal(0, 3, (500, *network.inputs.shape)).astype(np.float32)
    events = np.concatenate([spread_events(network.inputs, 500), rough])
    expected = exact_predict(model, events)
    assert len(np.unique(expected)) > 3, "a constant would agree with anything"
    return model, network, events, expected


@pytest.mark.parametrize("name", ALL)
def test_the_logic_of_every_layer_is_exact(name: str) -> None:
    """What da4ml makes of a layer is the model, on and off the grid, in range and beyond."""
    _, network, events, expected = _traced(name)
    assert compare("logic", expected, network.predict(events)).mismatches == 0


@pytest.mark.parametrize(
    "name",
    [
        "average pooling, padded",
        "relu as a layer",
        "table of tanh",
        "skip, Add of images",
        "concatenation",
        "the input again, concatenated",
        "image, padded, batch norm first",
    ],
)
def test_the_cpp_of_hls4ml_is_exact(name: str, tmp_path: Path) -> None:
    """One of each kind here, all of them in the proof: each has hls4ml's C++ compiled."""
    _check_cpp(name, tmp_path)


@pytest.mark.proof
@pytest.mark.parametrize("name", ALL)
def test_the_cpp_of_hls4ml_is_exact_for_every_layer(name: str, tmp_path: Path) -> None:
    """Two code generators that share nothing but the model, and a model in double precision: all one."""
    _check_cpp(name, tmp_path)


def _check_cpp(name: str, folder: Path) -> None:
    model, network, events, expected = _traced(name)
    write_hls(model, load_board("u250"), folder)
    found = emulate(compile_hls(folder), events, len(network.inputs.fields), network.outputs.shape)
    assert compare("hls4ml", expected, found).mismatches == 0


@pytest.mark.parametrize("name", PLAIN)
def test_quantisation_keeps_what_a_network_computes(name: str) -> None:
    """Folding and tables must not change the function: with many bits the difference is small."""
    model = _made(name)
    x = np.random.default_rng(3).uniform(-1, 1, (300, *model.input_shape[1:])).astype(np.float32)
    difference = np.abs(exact_predict(prepare(model, "fixed<24,6>"), x) - model.predict(x, verbose=0))
    # A table has 1024 entries over [-8, 8), or over [-32, 32) where the function is not flat beyond 8: half
    # a step of its input is 2**-7 or 2**-5. The tables of softmax have 10 and 11 fraction bits.
    tables = any(name.startswith(word) for word in ("table", "sigmoid", "tanh"))
    coarse = any(name.startswith(word) for word in (*_CURVED, "table first"))
    assert difference.max() < (0.25 if coarse else 0.05 if tables or "softmax" in name else 0.002)


@pytest.mark.parametrize(
    "name",
    [
        "conv1d 7x2 valid",
        "batch norm 4x4x2",
        "skip, Add of images",
        "concatenation",
        "image, two convolutions",
        "softmax of rows",
        "softmax after dense",
    ],
)
def test_a_planted_difference_in_the_middle_is_found(name: str) -> None:
    """One bias of one layer is off by what no rounding hides: that layer is named, none before it."""
    model = _prepared(name)
    other = canonical(model)
    weighted = [layer for layer in other.layers if hasattr(layer, "kernel") or hasattr(layer, "bn_beta")]
    layer = weighted[len(weighted) // 2 - (len(weighted) == 1)]
    bias = layer.bn_beta if hasattr(layer, "bn_beta") else layer.bias
    bias.assign(bias - 0.75 * np.sign(np.asarray(bias) + 1e-9))
    x = np.random.default_rng(6).uniform(-2, 2, (200, *model.input_shape[1:])).astype(np.float32)
    found = [one for one in compare_layers(model, other, x) if one.mismatches]
    assert found[0].layer == layer.name
    assert found[0].mismatches > 100
