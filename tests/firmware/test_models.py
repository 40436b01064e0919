"""What is refused before work starts, and what post-training quantisation does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.core import BuildError, InvalidInputError, UnsupportedLayerError
from fpgaclass.firmware import check_model, quantise
from fpgaclass.firmware.build import prepare
from fpgaclass.firmware.checking.exact import exact_predict
from fpgaclass.firmware.checking.floating import floating
from fpgaclass.firmware.for_hls4ml import cpp_names
from fpgaclass.firmware.models.model import canonical, is_quantised, model_digest, save_model
from fpgaclass.firmware.network import trace_network
from fpgaclass.firmware.stages import check_logic


def test_quantisation_keeps_the_function(float_model: Any, events: Any) -> None:
    """Folding batch normalisation backwards and ahead must not change what the network computes."""
    quantised = quantise(float_model, "fixed<18,6>")
    assert is_quantised(quantised)
    assert not is_quantised(float_model)
    difference = np.abs(exact_predict(quantised, events) - float_model.predict(events, verbose=0))
    # 12 fraction bits, about ten roundings on the way: 10 * 2**-13, and weights of order one.
    assert difference.max() < 0.005


def test_too_few_bits_show(float_model: Any, events: Any) -> None:
    """If the precision were ignored, 6 bits would be as good as 18."""
    coarse = exact_predict(quantise(float_model, "fixed<6,3>"), events)
    assert np.abs(coarse - float_model.predict(events, verbose=0)).max() > 0.05


def test_unsupported_layers_are_named_with_what_would_do(float_model: Any) -> None:
    """Twenty minutes of synthesis before "unsupported" would be a wasted class."""
    import keras

    recurrent = keras.Sequential([keras.Input((4, 2)), keras.layers.LSTM(3, name="memory")])
    with pytest.raises(UnsupportedLayerError, match=r"'memory' \(LSTM\).*Next: use a dense"):
        check_model(recurrent)
    wavy = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="exponential", name="wave")])
    with pytest.raises(UnsupportedLayerError, match=r"'exponential' of layer 'wave'"):
        check_model(wavy)
    check_model(float_model)


def test_a_saturating_input_quantiser_is_refused() -> None:
    """A bus drops high bits; a model that was trained to saturate there would differ on the card."""
    import keras
    from hgq.config import QuantizerConfig
    from hgq.layers import QDense

    clipped = QuantizerConfig("kif", "datalane", overflow_mode="SAT")
    model = keras.Sequential([keras.Input((4,)), QDense(1, name="first", iq_conf=clipped)])
    with pytest.raises(UnsupportedLayerError, match=r"first layer 'first' saturates"):
        check_model(model)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("form", ["lists", "dictionaries", "both"])
def test_a_list_of_one_input_is_that_input(form: str, plain: bool) -> None:
    """``keras.Model(inputs=[x], outputs=[y])`` is how half of the world writes it."""
    import keras
    from hgq.layers import QDense

    x = keras.Input((4,), name="x")
    y = (keras.layers.Dense if plain else QDense)(2, name="only")(x)
    ends: dict[str, Any] = {
        "lists": ([x], [y]), "dictionaries": ({"x": x}, {"out": y}), "both": ([x], {"out": y}),
    }  # fmt: skip
    usual, given = keras.Model(x, y), keras.Model(*ends[form])
    events = np.random.default_rng(2).normal(0, 1, (50, 4)).astype(np.float32)
    one, other = prepare(usual), prepare(given)
    assert np.array_equal(exact_predict(one, events), exact_predict(other, events))
    assert model_digest(one) == model_digest(other)
    assert np.array_equal(floating(usual).predict(events), floating(given).predict(events))


@pytest.mark.parametrize("plain", [True, False])
def test_a_model_of_a_file_is_the_model(tmp_path: Path, plain: bool) -> None:
    """Keras leaves nodes of earlier builds in the layers of a Sequential model that it loads."""
    import keras
    from hgq.layers import QDense

    layer = keras.layers.Dense if plain else QDense
    model = keras.Sequential([keras.Input((4,)), layer(4, activation="relu"), layer(3), layer(2)])
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    check_model(loaded)
    one, other = ((quantise(m) if plain else canonical(m)) for m in (model, loaded))
    assert model_digest(one) == model_digest(other)
    x = np.random.default_rng(1).normal(size=(50, 4))
    assert np.array_equal(exact_predict(one, x), exact_predict(other, x))


def test_a_layer_in_two_places_is_refused() -> None:
    """A precision and a table belong to one place; only HGQ2's dense layer is known to be shared well."""
    import keras
    from hgq.layers import QAdd, QBatchNormalization, QDense

    inputs = keras.Input((4,))
    twice = keras.layers.Dense(4, name="twice")
    with pytest.raises(UnsupportedLayerError, match=r"'twice' \(Dense\) is used more than once"):
        check_model(keras.Model(inputs, twice(twice(inputs))))
    norm, dense = QBatchNormalization(name="norm"), QDense(4)
    with pytest.raises(UnsupportedLayerError, match=r"'norm' \(QBatchNormalization\) is used more than once"):
        check_model(keras.Model(inputs, norm(norm(QDense(4)(inputs)))))
    check_model(keras.Model(inputs, QAdd()([dense(inputs), dense(dense(inputs))])))


def test_what_only_has_the_name_of_a_layer_is_refused() -> None:
    """Built as what they are called, all of these would compute something else without a word."""
    import keras

    layers, inputs = keras.layers, keras.Input((4,))

    class Dense(layers.Dense):
        def call(self, x: Any) -> Any:
            return super().call(x) * 2.0

    def relu(x: Any) -> Any:
        return keras.ops.clip(x, 0.0, 0.5)

    after = layers.Dense(4)(inputs)
    compressed = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="small")])
    compressed.get_layer("small").quantize("int8")
    across = layers.Flatten()(layers.Softmax(axis=1, name="across")(layers.Reshape((2, 2))(after)))
    for model, message in (
        (
            keras.Model(inputs, after * 2.0),
            r"function Multiply between layers.*use keras.layers.Multiply",
        ),
        (keras.Model(inputs, 1.0 - after), "function Subtract between layers"),
        (keras.Model(inputs, Dense(2, name="twofold")(inputs)), r"'twofold' is a class of its own"),
        (keras.Model(inputs, layers.Dense(2, activation=relu)(inputs)), r"function of its own .* 'relu'"),
        (keras.Model(inputs, layers.Dense(2, activation=layers.LeakyReLU())(inputs)), "itself a layer"),
        (keras.Model(inputs, layers.Dense(2)(across)), "'across' is a softmax along another axis"),
        (compressed, r"'small' was quantised by Keras \(int8\)"),
    ):
        with pytest.raises(UnsupportedLayerError, match=message):
            check_model(model)


def test_bad_weights_and_models_without_a_shape_are_refused(float_model: Any) -> None:
    """NaN weights compile to plausible hardware; they come from diverged training and must not get there."""
    import keras

    broken = keras.models.clone_model(float_model)
    weights = float_model.get_weights()
    weights[0] = weights[0] * np.nan
    broken.set_weights(weights)
    with pytest.raises(InvalidInputError, match=r"weights of layer 'first' \(kernel\) are NaN"):
        check_model(broken)
    with pytest.raises(InvalidInputError, match="no input shape yet"):
        check_model(keras.Sequential([keras.layers.Dense(3)]))
    with pytest.raises(InvalidInputError, match="a dict is not a Keras model"):
        check_model({})


def test_the_digest_is_of_architecture_and_weights(float_model: Any) -> None:
    """A build is cached by it: equal models share one, a single changed weight does not."""
    import keras

    twin = keras.models.clone_model(float_model)
    twin.set_weights(float_model.get_weights())
    assert model_digest(twin) == model_digest(float_model)
    twin.compile("sgd", "mae")
    assert model_digest(twin) == model_digest(float_model), "how it was trained does not count"
    weights = twin.get_weights()
    weights[0][0, 0] += 1e-3
    twin.set_weights(weights)
    assert model_digest(twin) != model_digest(float_model)


def _quantised_twin() -> Any:
    """The same code each time, as in a cell that is run again: Keras numbers the layers on."""
    import keras
    from hgq.layers import QAdd, QDense, QSoftmax

    keras.utils.set_random_seed(9)
    inputs = keras.Input((4,))
    a = QDense(4, activation="relu")(inputs)
    b = keras.layers.Activation("relu")(QDense(4)(a))
    return keras.Model(inputs, QSoftmax()(QDense(3, name="mine")(QAdd()([a, b]))))


def test_a_cell_that_is_run_again_gives_the_same_digest_and_names() -> None:
    """Automatic names count up through a session; a cache that saw them would build again each time."""
    import keras

    first, again = _quantised_twin(), _quantised_twin()
    assert [layer.name for layer in first.layers] != [layer.name for layer in again.layers]
    assert model_digest(first) == model_digest(again)
    one, other = canonical(first), canonical(again)
    assert [layer.name for layer in one.layers] == [layer.name for layer in other.layers]
    assert "mine" in [layer.name for layer in one.layers], "a name that the user gave stays"
    assert model_digest(one) == model_digest(other) == model_digest(canonical(other))
    x = np.random.default_rng(0).normal(size=(50, 4))
    assert np.array_equal(exact_predict(first, x), exact_predict(one, x))
    renamed = keras.models.clone_model(
        again,
        clone_function=lambda layer: type(layer).from_config(
            {**layer.get_config(), "name": f"my_{layer.name}"}
        ),
    )
    assert model_digest(renamed) != model_digest(again), "names of the user's own are part of a report"


def test_a_model_class_of_one_s_own_is_its_layers_or_refused() -> None:
    """Many derive from Sequential for a train_step; a call of one's own computes what no layer shows."""
    import keras

    class Trainer(keras.Sequential):  # type: ignore[misc]
        pass

    class Twice(keras.Sequential):  # type: ignore[misc]
        def call(self, *given: Any, **options: Any) -> Any:
            return super().call(*given, **options) * 2.0

    check_model(Trainer([keras.Input((4,)), keras.layers.Dense(2)]))
    with pytest.raises(InvalidInputError, match=r"code of its own \(Twice.call\).*layers alone"):
        check_model(Twice([keras.Input((4,)), keras.layers.Dense(2)]))


def test_layers_may_be_called_as_ours_would_be() -> None:
    """What is made between a dense layer and its tanh has a name, and somebody has used it before."""
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 2)),
            layers.Dense(3, activation="tanh", name="first"),
            layers.Dense(3, activation="relu", name="first_tanh"),
            layers.Flatten(name="first_tanh_flat"),
            layers.Dense(2, name="first_tanh__flat"),
        ]
    )
    x = np.random.default_rng(0).normal(size=(50, 4, 2)).astype(np.float32)
    assert np.abs(np.asarray(model(x)) - exact_predict(prepare(model), x)).max() < 0.05


def test_names_of_layers_become_names_of_cpp() -> None:
    """A compiler refuses a name that begins with a digit, and two layers that are called alike."""
    names = cpp_names(["1st", "a b", "a_b", "a-b", "int", "x" * 300, "layer_1st"])
    assert len(set(names.values())) == len(names)
    assert all(name.isidentifier() and len(name) < 120 for name in names.values())
    assert names["int"] != "int"


def test_logic_that_differs_is_refused_before_the_long_stages(tmp_path: Path) -> None:
    """da4ml saturates numbers of 34 bits wrongly; synthesis and Verilator need not run to see it."""
    import keras

    model = prepare(keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization()]), "fixed<22,8>")
    network = trace_network(model)
    save_model(model, tmp_path)
    with pytest.raises(
        BuildError, match=r"RTL interpreter differs.*Next: use fewer bits: numbers of 34 bits"
    ):
        check_logic(model, network, tmp_path)
