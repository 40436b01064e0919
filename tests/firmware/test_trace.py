"""Layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from fpgaclass.cli.app import app
from fpgaclass.core import BuildError, InvalidInputError
from fpgaclass.firmware import FixedPoint, build, trace
from fpgaclass.firmware.checking.exact import exact_predict
from fpgaclass.firmware.checking.layers import compare_layers, first_wrong_layer, locate
from fpgaclass.firmware.checking.verify import verify
from fpgaclass.firmware.models.model import canonical
from fpgaclass.firmware.trees.logic import Tree, Trees


def _wrong_in(model: Any, layer: str) -> Any:
    """A copy of a model with one weight of one layer changed."""
    other = canonical(model)
    weights = other.get_layer(layer)
    target = weights.bias if hasattr(weights, "bias") else weights.bn_beta
    target.assign(target + np.eye(1, target.shape[0])[0] * 0.5)
    return other


def test_all_layers_agree_and_nothing_overflows_on_training_data(quantised_model: Any, events: Any) -> None:
    """The ranges were taken from these data; an overflow here would be an error of the count."""
    found = trace(quantised_model, events)
    assert [layer.layer for layer in found.layers] == ["first", "second", "out"]
    assert found.first_difference is None
    assert not any(layer.overflows for layer in found.layers)
    assert str(found).endswith("8,000 events: every layer's logic agrees with the model")


def test_overflows_are_counted_per_layer_and_warned(
    quantised_model: Any, events: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A detector that sends values beyond training is the commonest way for a trigger to go wrong."""
    beyond = np.abs(events).max(axis=1) * 2.2 >= 4.0  # the events were clipped at 3.9, kept to |x| < 4
    found = trace(quantised_model, events * 2.2)
    first = found.layers[0]
    assert 0 < first.overflows <= beyond.sum()
    assert found.first_difference is None, "wrapping is what both do"
    said = capsys.readouterr().err
    assert f"layer first: {first.overflows:,} of 8,000 events" in said


def test_a_planted_difference_is_found_in_its_layer(quantised_model: Any, events: Any) -> None:
    """If it could not find a difference it would be no instrument: change one bias in the middle."""
    layers = compare_layers(quantised_model, _wrong_in(quantised_model, "second"), events[:1000])
    assert [bool(one.mismatches) for one in layers] == [False, True, True]
    values = [exact_predict(model, events[:1000]) for model in (quantised_model, canonical(quantised_model))]
    assert np.array_equal(*values), "the copy itself changes nothing"


def test_the_first_event_is_the_first(quantised_model: Any, events: Any) -> None:
    """The number is what a user looks up; an off-by-one would send them to an innocent event."""
    alone = [
        compare_layers(quantised_model, _wrong_in(quantised_model, "first"), events[i : i + 1])
        for i in range(5)
    ]
    wrong = [bool(one[0].mismatches) for one in alone]
    together = compare_layers(quantised_model, _wrong_in(quantised_model, "first"), events[:5])[0]
    assert (together.mismatches, together.first) == (sum(wrong), wrong.index(True))


def test_a_stage_that_differs_is_told_with_its_layer(
    quantised_model: Any, events: Any, tmp_path: Path
) -> None:
    """An error that names the layer spares a student the bisection by hand."""
    other = _wrong_in(quantised_model, "second")
    other.save(tmp_path / "model.keras")
    x = events[:50]
    with pytest.raises(
        BuildError, match=r"kernel differs .* first in event \d+; layer 'second' is the first"
    ):
        verify(
            exact_predict(quantised_model, x),
            {"kernel": lambda: exact_predict(other, x)},
            tmp_path,
            lambda stage, event: locate(quantised_model, tmp_path, stage, x[event : event + 1]),
        )


def test_halving_finds_the_layer_of_a_tool_that_is_wrong(quantised_model: Any, events: Any) -> None:
    """A compiler of models shows only results: models that end earlier tell where it goes wrong."""
    x, runs = events[:50], []

    def tool(part: Any) -> Any:
        runs.append(part.layers[-1].name)
        wrong = 0.25 if any(layer.name == "second" for layer in part.layers) else 0.0
        return exact_predict(part, x) + wrong

    assert first_wrong_layer(quantised_model, tool, x) == "second"
    assert len(runs) <= 3
    assert first_wrong_layer(quantised_model, lambda part: exact_predict(part, x), x) is None


def test_a_firmware_of_another_version_is_told_from_the_model(
    quantised_model: Any, events: Any, tmp_path: Path
) -> None:
    """Trained on since the build: the first layer that changed is named, in Python and in a terminal."""
    firmware = build(quantised_model, board="u250", name="small")
    assert trace(quantised_model, events[:500], firmware=firmware).first_difference is None
    changed = _wrong_in(quantised_model, "second")
    different = trace(changed, events[:500], firmware=firmware).first_difference
    assert different is not None
    assert different.layer == "second"
    model, file = tmp_path / "changed.keras", tmp_path / "events.npy"
    changed.save(model)
    np.save(file, events[:500])
    words = ["firmware", "trace", str(model), str(file)]
    assert CliRunner().invoke(app, words).exit_code == 0
    done = CliRunner().invoke(app, [*words, "--firmware", str(firmware.folder)])
    assert done.exit_code == 1
    assert "layer 'second' is the first that differs" in done.stdout


def test_plain_models_and_wrong_shapes(float_model: Any, events: Any) -> None:
    """As ``build`` takes plain Keras, so does its instrument."""
    assert trace(float_model, events, precision="fixed<10,4>").first_difference is None
    with pytest.raises(InvalidInputError, match=r"shape \(8000, 3\), not \(n, 6\)"):
        trace(float_model, events[:, :3])
    with pytest.raises(InvalidInputError, match="1 events hold NaN"):
        trace(float_model, np.where(np.arange(8000)[:, None] == 7, np.nan, events))


def test_a_network_of_one_layer_is_traced() -> None:
    """Of a single output Keras gives a tensor, of several a list."""
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="only")])
    found = trace(model, np.ones((5, 3)))
    assert [(one.layer, one.shape, one.mismatches) for one in found.layers] == [("only", (2,), 0)]


def test_a_firmware_of_another_shape_or_none_is_refused(quantised_model: Any, events: Any) -> None:
    """A path in place of the firmware, or the firmware of another network."""
    import keras

    firmware = build(quantised_model, board="u250", name="small")
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(InvalidInputError, match=r"the model takes \(3,\), the firmware \(6,\)"):
        trace(other, np.ones((5, 3)), firmware=firmware)
    with pytest.raises(InvalidInputError, match="a str is no firmware"):
        trace(quantised_model, events, firmware="small")  # type: ignore[arg-type]


def test_networks_of_other_layers_are_not_paired(quantised_model: Any, events: Any) -> None:
    """A layer more, and every later one would be compared with its neighbour."""
    import hgq.layers
    import keras

    firmware = build(quantised_model, name="small")
    longer = keras.Model(quantised_model.inputs, hgq.layers.QDense(1)(quantised_model.outputs[0]))
    longer([np.zeros((1, 6), np.float32)])
    with pytest.raises(InvalidInputError, match=r"QDense; the firmware's network is .*same layers"):
        trace(longer, events, firmware=firmware)
    leaf = Tree((-1,), (0,), (-1,), (-1,), (3,))
    trees = Trees("forest", 6, FixedPoint(8, 4), FixedPoint(8, 4), ((leaf,),), (0,))
    with pytest.raises(InvalidInputError, match=r"the model is an ensemble of 1 trees"):
        trace(trees, events, firmware=firmware)
