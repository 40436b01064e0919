"""Which layers can become logic, and what to use in place of one that cannot.

A layer is supported when da4ml's RTL, hls4ml's C++ and the model itself give the same bits for it. What is
refused here was seen to fail, or to differ, in one of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from fpgaclass.core import UnsupportedLayerError
from fpgaclass.firmware.models.instead import IN_HGQ2
from fpgaclass.firmware.models.quantisers import quantiser_faults

PLACES = 10  # binary ones, of the numbers that an activation has of its own
_DENSE = ("QDense", "QBatchNormDense", "QEinsumDense", "QEinsumDenseBatchnorm")
_CONVOLUTIONS = ("QConv1D", "QConv2D")
_POOLS = tuple(f"{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2))
_GLOBAL = ("GlobalMaxPooling1D", "GlobalAveragePooling1D")
_MERGES = ("QAdd", "QSubtract", "QMultiply", "QMaximum", "QMinimum", "QAveragePow2", "Add", "Concatenate")
_FREE = ("InputLayer", "Dropout", "Flatten", "Reshape", "Quantizer")
_ELSE = ("QBatchNormalization", "QUnaryFunctionLUT", "QSoftmax", "ReLU", "LeakyReLU", "Activation")
SUPPORTED = (
    *_DENSE, *_CONVOLUTIONS, *_POOLS, *(f"Q{name}" for name in (*_POOLS, *_GLOBAL)), *_GLOBAL, *_MERGES,
    *_FREE, *_ELSE,
)  # fmt: skip


def check_quantised_layer(layer: Any) -> None:
    """Refuse a layer of an HGQ2 model that cannot be built.

    Raises:
        UnsupportedLayerError: names the layer, what is wrong with it and what would do instead.
    """
    import keras

    kind = type(layer).__name__
    if not isinstance(layer, keras.Layer):
        raise UnsupportedLayerError(
            f"the function {kind} between layers cannot be built",
            next_step=f"use a layer: hgq.layers.Q{kind}" if f"Q{kind}" in SUPPORTED else "use layers alone",
        )
    if kind not in SUPPORTED:
        raise UnsupportedLayerError(
            f"layer {layer.name!r} ({kind}) cannot be built", next_step=f"use {_instead(layer, kind)}"
        )
    if type(layer).__module__.partition(".")[0] not in ("hgq", "keras"):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} is a class of its own that is called {kind}",
            next_step=f"use {kind} of hgq.layers or keras.layers itself",
        )
    _refuse(layer, _faults(layer, kind.removeprefix("Q")))


def check_convolution(layer: Any) -> None:
    """Refuse a convolution, of either kind, that hls4ml's or da4ml's code differs for.

    Raises:
        UnsupportedLayerError: names the layer, what is wrong with it and what would do instead.
    """
    _refuse(layer, _convolution_faults(layer))


def check_pooling(layer: Any) -> None:
    """Refuse a pooling layer, of either kind, that divides by what no shift does, or pads.

    Raises:
        UnsupportedLayerError: names the layer, what is wrong with it and what would do instead.
    """
    _refuse(layer, _pooling_faults(layer))


def check_flatten(layer: Any) -> None:
    """Refuse a Flatten, of either kind, that does not keep the order of the values.

    Raises:
        UnsupportedLayerError: names the layer, what is wrong with it and what would do instead.
    """
    _refuse(layer, _flatten_faults(layer))


def power_of_two(count: float) -> bool:
    """Tell whether a division by ``count`` is a shift."""
    return count > 0 and math.log2(count).is_integer()


def pooled_counts(layer: Any) -> set[int]:
    """Return how many values a pooling layer takes together: one count, or several at a padded border."""
    shape = layer.input.shape[1:-1]
    if type(layer).__name__.removeprefix("Q").startswith("Global"):
        return {math.prod(shape)}
    counts = {1}
    for size, pool, stride in zip(shape, layer.pool_size, layer.strides, strict=True):
        if layer.padding == "valid":
            windows = {pool}
        else:
            outputs = -(-size // stride)
            before = max(0, (outputs - 1) * stride + pool - size) // 2
            starts = [i * stride - before for i in range(outputs)]
            windows = {min(start + pool, size) - max(start, 0) for start in starts}
        counts = {count * window for count in counts for window in windows}
    return counts


def to_places(number: float, places: int = PLACES) -> float:
    """Round a slope or maximum to binary places: what logic of fixed-point numbers can hold."""
    return float(round(number * 2.0**places) / 2.0**places)


def _refuse(layer: Any, faults: Iterator[tuple[str, str]]) -> None:
    for what, instead in faults:
        raise UnsupportedLayerError(
            f"layer {layer.name!r} ({type(layer).__name__}) {what}", next_step=instead
        )


def _faults(layer: Any, kind: str) -> Iterator[tuple[str, str]]:
    """Yield (what is wrong, what would do instead)."""
    import keras

    activation = getattr(layer, "activation", None)
    if kind not in ("UnaryFunctionLUT", "Softmax") and activation is not None:
        name = getattr(activation, "__name__", str(activation))
        if name in ("linear", "relu") and activation is not getattr(keras.activations, name):
            yield f"has an activation of its own that is called {name!r}", "use one of keras.activations"
        if kind == "Activation" and name != "relu":
            yield f"is {name!r}", "use hgq.layers.QUnaryFunctionLUT, or nothing in place of 'linear'"
        elif name not in ("linear", "relu"):
            yield f"has activation {name!r} built in", "put hgq.layers.QUnaryFunctionLUT after it for a table"
    if kind in ("UnaryFunctionLUT", "Softmax") and layer._allow_heterogeneous_table:
        yield (
            "may have another table for each value, which hls4ml cannot write",
            "make it with allow_heterogeneous_table=False",
        )
    if kind == "UnaryFunctionLUT" and activation is not getattr(keras.activations, _called(activation), None):
        yield (
            f"has a function of its own ({_called(activation)}), which no file holds",
            "use one of keras.activations, by its name",
        )
    if kind in ("Conv1D", "Conv2D"):
        yield from _convolution_faults(layer)
    if kind == "Flatten":
        yield from _flatten_faults(layer)
    if kind in (*_POOLS, *_GLOBAL):
        yield from _pooling_faults(layer)
    if kind == "BatchNormalization" and layer.axis not in (-1, len(layer.input.shape) - 1):
        yield "normalises another axis than the last", "use axis=-1"
    if f"Q{kind}" in _MERGES or kind in _MERGES:
        inputs = layer.input
        if len(inputs) != 2:
            yield f"joins {len(inputs)} tensors, hls4ml's C++ two", "join them two at a time"
        elif kind == "Concatenate" and layer.axis not in (-1, len(inputs[0].shape) - 1):
            yield "joins along another axis than the last", "use axis=-1"
        elif kind != "Concatenate" and inputs[0].shape != inputs[1].shape:
            yield "joins tensors of different shapes", "bring them to one shape first"
    if kind in ("ReLU", "LeakyReLU"):
        yield from _relu_faults(layer)
    if kind == "UnaryFunctionLUT" and len(layer.input.shape) > 2:
        yield "has values in rows, which hls4ml cannot write", "put keras.layers.Flatten before it"
    yield from quantiser_faults(layer)


def _convolution_faults(layer: Any) -> Iterator[tuple[str, str]]:
    if layer.data_format != "channels_last":
        yield "has its channels first", "use data_format='channels_last'"
    if layer.padding not in ("valid", "same"):
        yield f"has padding {layer.padding!r}", "use padding='same' or 'valid'"
    if any(step != 1 for step in layer.dilation_rate):
        yield "is dilated, which hls4ml's bit-exact types are not for", "use a larger kernel, or strides"
    if layer.groups != 1:
        yield (
            "has groups, which hls4ml's bit-exact types are not for",
            "use one convolution over all channels",
        )


def _pooling_faults(layer: Any) -> Iterator[tuple[str, str]]:
    kind = type(layer).__name__
    if layer.data_format != "channels_last":
        yield "has its channels first", "use data_format='channels_last'"
    counts = pooled_counts(layer)
    if "Max" in kind and len(counts) > 1:
        yield "pools over a padded border, where hls4ml's C++ differs", "use padding='valid'"
    odd = [count for count in counts if not power_of_two(count)]
    if "Average" in kind and odd:
        whole = "Global" in kind
        yield (
            f"divides by {max(odd)}, which no shift does",
            f"use {kind.replace('Average', 'Max')}, or Flatten and a dense layer; or bring what it takes to "
            "2, 4, 8, ... values in all"
            if whole
            else "average over 2, 4, 8, ... values, such as pool_size=2",
        )


def _flatten_faults(layer: Any) -> Iterator[tuple[str, str]]:
    if layer.data_format != "channels_last" and len(layer.input.shape) > 2:
        yield "takes the channels first, and moves values about", "use data_format='channels_last'"


def _called(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _relu_faults(layer: Any) -> Iterator[tuple[str, str]]:
    slope, maximum = float(layer.negative_slope), getattr(layer, "max_value", None)
    threshold = getattr(layer, "threshold", 0)
    if threshold and slope:
        yield "has a threshold and a slope", "use one of them"
    if maximum is not None and (threshold or slope):
        yield f"has a maximum and a {'threshold' if threshold else 'slope'}", "use one of them"
    if maximum is not None and not 0 < maximum == to_places(maximum):
        yield (
            f"has max_value {maximum:g}, which no fixed-point number above zero is",
            f"use max_value={max(to_places(maximum), 2.0**-PLACES)}",
        )
    if slope != to_places(slope):
        yield (
            f"has slope {slope:g}, which no fixed-point number is",
            f"use negative_slope={2.0 ** round(math.log2(slope)):g}, or {to_places(slope)}",
        )


def _instead(layer: Any, kind: str) -> str:
    if kind.removeprefix("Q").startswith("Global") and kind.endswith("2D"):
        return _whole_image(layer, kind.removeprefix("Q").removeprefix("Global"))
    if kind in IN_HGQ2:
        return IN_HGQ2[kind]
    if f"Q{kind}" in SUPPORTED:
        return f"hgq.layers.Q{kind}"
    if f"Q{kind}ing" in SUPPORTED:
        return f"hgq.layers.Q{kind}ing"
    return "layers of hgq.layers such as QDense, QConv2D, QMaxPooling2D and QAdd"


def _whole_image(layer: Any, pool: str) -> str:
    """Say how to pool a whole image in a way that hls4ml takes."""
    size = tuple(layer.input.shape[1:-1])
    count = math.prod(size)
    if "Average" in pool and not power_of_two(count):
        return (
            f"hgq.layers.QMaxPooling2D(pool_size={size}) and Flatten: of {count} values no shift is the mean"
        )
    return (
        f"hgq.layers.Q{pool}(pool_size={size}), which is the whole image, and keras.layers.Flatten after it"
    )
