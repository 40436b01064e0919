"""Models within models: a base under a head, a normaliser in front, are one network of their layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.core import UnsupportedLayerError
from fpgaclass.firmware import check_model, load_board, quantise
from fpgaclass.firmware.build import prepare
from fpgaclass.firmware.checking.exact import exact_predict
from fpgaclass.firmware.checking.floating import floating
from fpgaclass.firmware.checking.layers import compare_layers
from fpgaclass.firmware.checking.verify import compare, spread_events
from fpgaclass.firmware.emulation import compile_hls, emulate, write_hls
from fpgaclass.firmware.models.model import is_quantised, model_digest
from fpgaclass.firmware.models.nested import flat
from fpgaclass.firmware.network import trace_network


def _transferred() -> Any:
    """A plain model: a normaliser in front, a frozen base with a skip connection, a new head."""
    import keras

    K = keras.layers
    keras.utils.set_random_seed(3)
    front = keras.Sequential([keras.Input((4,)), K.Normalization(name="norm")], name="front")
    front.get_layer("norm").adapt(np.random.default_rng(0).normal(0.5, 2, (500, 4)))
    x = keras.Input((4,))
    h = K.Dense(4, activation="relu", name="hidden")(x)
    inner = keras.Sequential([keras.Input((4,)), K.Dense(4, name="deep"), K.ReLU()], name="inner")
    base = keras.Model(x, K.Add(name="skip")([h, inner(h)]), name="base")
    base.trainable = False
    return keras.Sequential(
        [keras.Input((4,)), front, base, K.Dense(3, name="hidden"), K.Softmax()], name="transferred"
    )


def _quantised() -> Any:
    """An HGQ2 model whose first half is a model of its own."""
    import keras
    from hgq.config import LayerConfigScope
    from hgq.layers import QDense

    keras.utils.set_random_seed(3)
    with LayerConfigScope(enable_ebops=False):
        base = keras.Sequential([keras.Input((4,)), QDense(5, activation="relu", name="first")], name="base")
        x = keras.Input((4,))
        return keras.Model(x, QDense(2, enable_oq=True, name="head")(base(x, training=False)), name="whole")


def test_the_layers_of_a_model_within_keep_their_names_and_weights() -> None:
    """What trace and report name must be what the user has called it; two of one name get their model's."""
    model = _transferred()
    whole = flat(model)
    names = [layer.name for layer in whole.layers][1:]
    assert names[:5] == ["norm", "base_hidden", "deep", whole.layers[4].name, "skip"]
    assert names[5] == "hidden"
    x = np.random.default_rng(1).normal(0, 2, (200, 4)).astype(np.float32)
    assert np.array_equal(np.asarray(model(x)), np.asarray(whole(x)))
    assert flat(whole) is whole
    (head,) = (layer for layer in model.layers if layer.name == "hidden")
    assert np.array_equal(whole.get_layer("hidden").kernel, head.kernel)


@pytest.mark.parametrize("plain", [True, False])
def test_a_model_within_is_exact(plain: bool, tmp_path: Path) -> None:
    """hls4ml and da4ml would not look into it: both are given its layers, and agree with the whole."""
    model = _transferred() if plain else _quantised()
    check_model(model)
    assert is_quantised(model) is not plain
    prepared = prepare(model)
    network = trace_network(prepared)
    rough = np.random.default_rng(2).normal(0, 2, (500, 4)).astype(np.float32)
    x = np.concatenate([spread_events(network.inputs, 500), rough])
    expected = exact_predict(prepared, x)
    assert compare("logic", expected, network.predict(x)).mismatches == 0
    assert not [one for one in compare_layers(prepared, prepared, x) if one.mismatches]
    write_hls(prepared, load_board("u250"), tmp_path)
    found = emulate(compile_hls(tmp_path), x, 4, network.outputs.shape)
    assert compare("hls4ml", expected, found).mismatches == 0
    given = floating(model).predict(rough)
    assert np.abs(given - expected[500:]).max() < (0.05 if plain else 1e-6)


def test_the_digest_is_that_of_the_layers() -> None:
    """A model taken apart by hand is the same network; so is a cell that is run again."""
    first, again = _quantised(), _quantised()
    assert model_digest(prepare(first)) == model_digest(prepare(again)) == model_digest(prepare(flat(first)))


def test_a_type_is_given_to_a_layer_of_the_base() -> None:
    """A precision by layer names what lies within, too."""
    types = {
        "Model": {"Precision": "fixed<16,6>"},
        "LayerName": {"deep": {"Precision": {"weight": "fixed<6,2>"}}},
    }
    made = quantise(_transferred(), types)
    steps = np.asarray(made.get_layer("deep").qkernel) * 2**4
    assert np.array_equal(steps, np.round(steps))


def test_what_cannot_be_taken_apart_is_refused_by_name() -> None:
    """Several ends, code of its own, a base that is used twice, a layer within that nothing can build."""
    import keras

    K = keras.layers
    x = keras.Input((4,))
    two = keras.Model(x, [K.Dense(2)(x), K.Dense(2)(x)], name="pair")

    class Own(keras.Model):  # type: ignore[misc]
        def call(self, given: Any) -> Any:
            return given

    once = keras.Sequential([keras.Input((4,)), K.Dense(4, name="shared")])
    recurrent = keras.Sequential([keras.Input((4,)), K.Reshape((2, 2)), K.LSTM(2, name="memory")])
    for model, said in (
        (keras.Model(x, K.Add()(two(x))), r"'pair' is a model with 1 inputs and 2 outputs.*one by one"),
        (keras.Model(x, Own(name="own")(K.Dense(4)(x))), r"'own' is a model that is Python code of its own"),
        (keras.Model(x, once(once(x))), r"'shared' \(Dense\) is used more than once"),
        (keras.Model(x, recurrent(x)), r"'memory' \(LSTM\) cannot be built"),
    ):
        with pytest.raises(UnsupportedLayerError, match=said):
            check_model(model)
