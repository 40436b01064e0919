"""A quantised model in double precision: what every stage of a build is compared with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.firmware.trees.logic import Trees


@dataclass(frozen=True)
class LayerValues:
    """A layer's results on some events.

    Attributes:
        layer: its name.
        values: (n, \\*shape), float32.
        overflows: in how many events a value at the layer's input was beyond its fixed-point type.
    """

    layer: str
    values: npt.NDArray[np.float32]
    overflows: int


def exact_predict(model: Any, x: npt.ArrayLike, batch_size: int = 8192) -> npt.NDArray[np.float32]:
    """Evaluate an HGQ2 model in double precision, trees in whole numbers: (n, \\*in) -> (n, \\*out).

    Fixed-point sums are exact in hardware. Keras' single precision is not once products and sums need more
    than 24 bits, as with 16-bit data and weights; then the model's own results are off by a last bit.
    """
    if isinstance(model, Trees):
        return model.predict(x)
    events = np.asarray(x, dtype=np.float64)
    # A convolution holds each pixel's neighbourhood in doubles: bound that, not the events.
    batch_size = max(1, min(batch_size, 2_000_000 // max(1, int(np.prod(events.shape[1:])))))
    with _in_double(model) as double:
        starts = range(0, max(1, len(events)), batch_size)
        values = [np.asarray(double(events[i : i + batch_size], training=False)) for i in starts]
    return np.concatenate(values).astype(np.float32)


def exact_layers(model: Any, x: npt.ArrayLike) -> list[LayerValues]:
    """Evaluate every layer of an HGQ2 model in double precision, in the order in which they compute."""
    import keras

    events = np.asarray(x, dtype=np.float64)
    with _in_double(model) as double:
        nodes = [node for _, level in sorted(double._nodes_by_depth.items(), reverse=True) for node in level]
        nodes = [node for node in nodes if type(node.operation).__name__ != "InputLayer"]
        probe = keras.Model(double.inputs[0], [node.outputs[0] for node in nodes])
        found = probe(events, training=False)
        # Of one output Keras gives the tensor itself.
        outputs = [np.asarray(out) for out in (found if isinstance(found, list) else [found])]
        values = {id(double.inputs[0]): events}
        values |= {id(node.outputs[0]): out for node, out in zip(nodes, outputs, strict=True)}
        return [
            LayerValues(
                node.operation.name,
                values[id(node.outputs[0])].astype(np.float32),
                _overflows(node, [values[id(tensor)] for tensor in node.input_tensors]),
            )
            for node in nodes
        ]


def _overflows(node: Any, given: list[npt.NDArray[Any]]) -> int:
    """Count the events in which a value at the layer's input is beyond its quantiser's range."""
    layer = node.operation
    if type(layer).__name__ == "Quantizer":
        quantisers = [layer]
    elif layer.__dict__.get("_enable_iq"):
        quantisers = list(getattr(layer.iq, "quantizers", (layer.iq,)))
    else:
        return 0
    beyond = np.zeros(len(given[0]), bool)
    for values, quantiser in zip(given, (one.quantizer for one in quantisers), strict=True):
        low, high = (np.asarray(bound, dtype=np.float64) for bound in (quantiser.min, quantiser.max))
        # A value that no bit is kept of is pruned, not out of range.
        kept = np.asarray(quantiser.bits) > 0
        step = np.exp2(-np.asarray(quantiser.f, dtype=np.float64))
        half = 0.5 if quantiser.round_mode.startswith("RND") else 0.0
        cut = np.floor(values / step + half) * step
        beyond |= (((cut < low) | (cut > high)) & kept).reshape(len(values), -1).any(axis=1)
    return int(beyond.sum())


@contextlib.contextmanager
def _in_double(model: Any) -> Iterator[Any]:
    """Give a copy of a model that computes in double precision."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        double = type(model).from_config(_with_dtype(model.get_config(), "float64"))
        double.set_weights(model.get_weights())
        yield double
    finally:
        keras.config.set_dtype_policy(before)


def _with_dtype(config: Any, dtype: str) -> Any:
    if isinstance(config, dict):
        return {key: _with_dtype(value, dtype) for key, value in config.items()}
    if isinstance(config, list):
        return [_with_dtype(value, dtype) for value in config]
    return dtype if config == "float32" else config
