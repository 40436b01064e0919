"""The types of a whole model: none is asked for in vain without a word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fpgaclass.core import InvalidInputError
from fpgaclass.firmware import FixedPoint, agreement, build, quantise, trace
from fpgaclass.firmware.build import prepare
from fpgaclass.firmware.checking.exact import exact_predict
from fpgaclass.firmware.quantisation.precisions import Precisions
from fpgaclass.firmware.trees.conifer import read_trees
from fpgaclass.firmware.trees.logic import Tree, Trees


def _by_layer(name: str, **types: str) -> dict[str, Any]:
    return {"LayerName": {name: {"Precision": types}}}


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


def test_types_of_the_model_by_what_they_are_for() -> None:
    """hls4ml reads weights of all layers from the model's types, too."""
    types = Precisions.of({"Model": {"Precision": {"default": "fixed<16,6>", "weight": "fixed<6,1>"}}})
    assert (types.weight("any").width, types.bias("any").width) == (6, 16)
    assert Precisions.of(None).result("any") == Precisions.of(FixedPoint(16, 6)).result("any")


def test_hls4ml_s_own_configuration_of_a_model_is_taken_as_it_is(
    float_model: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """What hls4ml fills in by itself must neither be refused nor warned about: nobody asked for it."""
    from hls4ml.utils import config_from_keras_model

    config = config_from_keras_model(float_model, granularity="name", default_precision="fixed<12,4>")
    assert set(config["LayerName"]) >= {"first", "folded_back", "second_relu"}
    given = quantise(float_model, config)
    assert "precision" not in capsys.readouterr().err
    plain = quantise(float_model, "fixed<12,4>")
    for one, other in zip(given.get_weights(), plain.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("precision", "said"),
    [
        (8, r"precision is 8, no fixed-point type. Next: write it like fixed<16,6>"),
        (["fixed<16,6>"], r"no fixed-point type"),
        ({"first": "fixed<8,2>"}, r"key 'first', which is not read. Next: give types by layer as"),
        ({"LayerNam": {}}, r"did you mean 'LayerName'\?"),
        ({"Model": "fixed<8,2>"}, r"Model of precision is 'fixed<8,2>'"),
        ({"LayerName": {"first": "fixed<8,2>"}}, r"LayerName 'first' of precision"),
        ({"LayerName": {"first": {"precision": "fixed<8,2>"}}}, r"did you mean 'Precision'\?"),
        (
            {"LayerName": {"first": {"weight": "fixed<8,2>"}}},
            r'not read there. Next: put it under "Precision"',
        ),
        ({"LayerType": {}}, r"granularity='name'"),
        ({"HLSConfig": {}}, r"pass what is under it"),
        (_by_layer("first", weights="fixed<8,2>"), r"'weights' for 'first'. Next: did you mean 'weight'\?"),
        (_by_layer("frist", weight="fixed<8,2>"), r"layer 'frist', which model 'plain' has not.*'first'\?"),
        (_by_layer("head", weight="fixed<8,2>"), r"layer 'head'.*Next: name one of"),
        (_by_layer("first", weight=8), r"8 is not a fixed-point type"),
    ],
)
def test_what_would_count_for_nothing_is_refused(float_model: Any, precision: Any, said: str) -> None:
    """A key with a typo leaves the default in its place, and nobody sees it in the results."""
    with pytest.raises(InvalidInputError, match=said):
        quantise(float_model, precision)


def test_types_of_folded_and_idle_layers_are_told(
    float_model: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """hls4ml rounds after each layer of its list; here some are within their neighbour."""
    names = ("folded_back", "second_relu", "folded_ahead", "first_linear")
    quantise(float_model, {"LayerName": {name: {"Precision": {"result": "fixed<8,3>"}} for name in names}})
    said = " ".join(capsys.readouterr().err.split())
    assert "precision: result of 'folded_back' counts for nothing: it is part of 'first', name that" in said
    assert "result of 'second_relu' counts for nothing: it is part of 'second'" in said
    assert "result of 'folded_ahead' counts for nothing: it is part of 'out'" in said
    assert "result of 'first_linear' counts for nothing: it does nothing in firmware" in said


def test_types_that_nothing_is_rounded_to_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A ReLU that stands alone has no weights and keeps the grid of its input; sums are exact."""
    import keras

    inputs = keras.Input((4,), name="hits")
    a = keras.layers.Dense(3, name="a")(inputs)
    joined = keras.layers.Add(name="sum")([a, keras.layers.Dense(3, name="b")(inputs)])
    positive = keras.layers.ReLU(name="positive")(joined)
    model = keras.Model(inputs, keras.layers.Dense(1, name="out")(positive))
    config = {
        "LayerName": {
            "hits": {"Precision": "fixed<10,4>"},
            "positive": {"Precision": {"result": "fixed<8,3>"}},
            "a": {"Precision": {"accum": "fixed<30,12>", "weight": "fixed<6,1>"}},
        }
    }
    quantised = quantise(model, config)
    said = " ".join(capsys.readouterr().err.split())
    assert "result of 'positive' counts for nothing: nothing of this layer is rounded to it" in said
    assert "not read: accum of 'a' (sums are exact" in said
    assert "'hits'" not in said, "the input may be called as the model calls it"
    taken = quantised.get_layer("a").iq.quantizer
    assert int(np.unique(np.asarray(taken.f))[0]) == 6


def test_a_precision_for_what_has_its_own_is_refused(quantised_model: Any, events: Any) -> None:
    """An HGQ2 model with precision='fixed<8,3>' would be built with its own types, and seem to have eight."""
    for call in (
        lambda: build(quantised_model, precision="fixed<8,3>"),
        lambda: prepare(quantised_model, {"Model": {"Precision": "fixed<8,3>"}}),
        lambda: trace(quantised_model, events, precision="fixed<16,6>"),
        lambda: agreement(
            quantised_model, build(quantised_model, name="small"), events, precision="fixed<16,6>"
        ),
    ):
        with pytest.raises(InvalidInputError, match=r"learnt their own precision.*leave precision out"):
            call()
    with pytest.raises(InvalidInputError, match="quantised already"):
        quantise(quantised_model)
    leaf = Tree((-1,), (0,), (-1,), (-1,), (3,))
    trees = Trees("forest", 2, FixedPoint(8, 4), FixedPoint(8, 4), ((leaf,),), (0,))
    assert read_trees(trees) is trees
    with pytest.raises(InvalidInputError, match="of fixed-point types already"):
        read_trees(trees, "fixed<8,3>")


def test_a_layer_may_be_called_input() -> None:
    """Many name their first layer so; its type is then its own, and the events' goes by the Input's name."""
    import keras

    inputs = keras.Input((4,), name="hits")
    model = keras.Model(inputs, keras.layers.Dense(2, name="input")(inputs))
    coarse = {"Precision": {"weight": "fixed<4,2>", "result": "fixed<9,5>"}}
    quantised = quantise(model, {"LayerName": {"input": coarse, "hits": {"Precision": "fixed<10,4>"}}})
    layer = quantised.get_layer("input")
    assert int(np.unique(np.asarray(layer.iq.quantizer.f))[0]) == 6
    assert int(np.unique(np.asarray(layer.oq.quantizer.f))[0]) == 4
    assert np.array_equal(np.asarray(layer.qkernel) * 4, np.round(np.asarray(layer.qkernel) * 4))
