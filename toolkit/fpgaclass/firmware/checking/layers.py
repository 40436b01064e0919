"""Two views of a network, layer by layer: what the model computes, and what its logic does."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.firmware.board import load_board
from fpgaclass.firmware.checking.exact import LayerValues, exact_layers, exact_predict
from fpgaclass.firmware.emulation import compile_hls, emulate, write_hls
from fpgaclass.firmware.models.model import load_built
from fpgaclass.firmware.network import trace_layers
from fpgaclass.firmware.trees.logic import Trees


@dataclass(frozen=True)
class LayerTrace:
    """One layer on the events given.

    Attributes:
        layer: its name.
        shape: of one event's values.
        low: smallest value.
        high: largest value.
        mismatches: events in which the logic differs from the model in any value of this layer.
        first: index of the first of them, or None.
        overflows: events in which a value at this layer's input was beyond its fixed-point type.
    """

    layer: str
    shape: tuple[int, ...]
    low: float
    high: float
    mismatches: int
    first: int | None
    overflows: int


def compare_layers(model: Any, built: Any, x: npt.NDArray[np.float32]) -> tuple[LayerTrace, ...]:
    """Compare each layer of a quantised model with the logic made of ``built``, the same network, on events.

    ``built`` is the model itself, to see that its logic is right; or the model that a firmware was made of.
    """
    if isinstance(model, Trees):
        expected = [LayerValues(name, tree.predict(x), model.beyond(x)) for name, tree in model.parts.items()]
        found = {name: np.asarray(tree.logic.predict(x)) for name, tree in built.parts.items()}
    else:
        expected, found = exact_layers(model, x), trace_layers(built, x)
    layers = []
    for one, values in zip(expected, found.values(), strict=False):
        flat = one.values.reshape(len(x), -1)
        values = values.reshape(len(x), -1)
        differs = (flat != values).any(axis=1) if values.shape == flat.shape else np.ones(len(x), bool)
        first = int(differs.argmax()) if differs.any() else None
        low, high = float(flat.min()), float(flat.max())
        shape = one.values.shape[1:]
        layers.append(LayerTrace(one.layer, shape, low, high, int(differs.sum()), first, one.overflows))
    return tuple(layers)


def locate(model: Any, folder: Path, stage: str, x: npt.NDArray[np.float32]) -> str:
    """Say in which layer a stage of the firmware in ``folder`` first differs from a model, on events.

    The model's layers are compared with the logic of the model that the firmware was made of. If they agree
    and ``stage`` is hls4ml's, models that end earlier are given to hls4ml, until the layer is found.
    """
    different = next((one for one in compare_layers(model, load_built(folder), x) if one.mismatches), None)
    if different is not None:
        return f"layer {different.layer!r} is the first whose logic differs"
    if "hls4ml" in stage and not isinstance(model, Trees):
        layer = first_wrong_layer(model, lambda part: _emulated(part, x), x)
        if layer is not None:
            return f"layer {layer!r} is the first that hls4ml's C++ computes differently"
    return "every layer's logic is right: the difference came after it"


def first_wrong_layer(
    model: Any, run: Callable[[Any], npt.NDArray[Any]], x: npt.NDArray[np.float32]
) -> str | None:
    """Return the first layer up to which ``run`` does not give a model's own results; by halving.

    Args:
        model: a quantised model.
        run: what is suspected: takes a model that ends at some layer, gives its results on ``x``.
        x: events (n, \\*shape).
    """
    import keras

    layers = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]

    def right(index: int) -> bool:
        part = keras.Model(model.inputs[0], layers[index].output, name="part")
        return np.array_equal(exact_predict(part, x).reshape(len(x), -1), run(part).reshape(len(x), -1))

    low, high = 0, len(layers) - 1
    if right(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if right(middle) else (low, middle)
    return str(layers[low].name)


def _emulated(model: Any, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with tempfile.TemporaryDirectory() as folder:
        write_hls(model, load_board("u250"), Path(folder))  # its C++ is the same for every board
        library = compile_hls(Path(folder))
        size = int(np.prod(model.input_shape[1:]))
        return emulate(library, x, size, tuple(model.output_shape[1:]))
