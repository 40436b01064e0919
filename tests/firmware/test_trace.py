"""Layer by layer."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from fpgaclass.core import InvalidInputError
from fpgaclass.firmware import trace
from fpgaclass.firmware.exact import exact_layers


def test_all_layers_agree_and_nothing_overflows_on_training_data(quantised_model: Any, events: Any) -> None:
    """The ranges were taken from these data; an overflow here would be an error of the count."""
    found = trace(quantised_model, events)
    assert [layer.layer for layer in found.layers] == ["first", "second", "out"]
    assert found.first_difference is None
    assert not any(layer.overflows for layer in found.layers)


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


def test_the_first_layer_and_event_that_differ_are_named(
    quantised_model: Any, events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it could not find a difference it would be no instrument: corrupt one value of one layer."""

    def corrupted(model: Any, x: Any) -> Any:
        layers = exact_layers(model, x)
        next(one for one in layers if one.layer == "second").values[5, 0] += 0.25
        return layers

    monkeypatch.setattr(sys.modules["fpgaclass.firmware.trace"], "exact_layers", corrupted)
    different = trace(quantised_model, events[:100]).first_difference
    assert different is not None
    assert (different.layer, different.mismatches, different.first) == ("second", 1, 5)


def test_plain_models_and_wrong_shapes(float_model: Any, events: Any) -> None:
    """As ``build`` takes plain Keras, so does its instrument."""
    assert trace(float_model, events, precision="fixed<10,4>").first_difference is None
    with pytest.raises(InvalidInputError, match=r"shape \(8000, 3\), not \(n, 6\)"):
        trace(float_model, events[:, :3])
