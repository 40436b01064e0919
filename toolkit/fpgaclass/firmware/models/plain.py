"""A trained plain Keras model as a list of steps, and what of such models cannot become one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fpgaclass.core import UnsupportedLayerError
from fpgaclass.firmware.models.folding import LINEAR, Key, Step, fold
from fpgaclass.firmware.models.instead import IN_KERAS
from fpgaclass.firmware.models.scaling import BEFORE, SCALINGS, check_scaling, scaling_of
from fpgaclass.firmware.models.supported import check_convolution, check_flatten, check_pooling

BOUNDED_TABLES = ("sigmoid", "tanh")
TABLES = (*BOUNDED_TABLES, "softsign", "elu", "selu", "gelu", "silu", "softplus", "hard_silu")
# Straight lines: name -> what is added first, the maximum of the ReLU after it, and of its result the scale
# and shift.
_STRAIGHT = {
    "relu6": (0.0, 6.0, 1.0, 0.0),
    "hard_sigmoid": (3.0, 6.0, 1 / 6, 0.0),
    "hard_tanh": (1.0, 2.0, 1.0, -1.0),
}
_ACTIVATION_FUNCTIONS = ("relu", "leaky_relu", "softmax", *_STRAIGHT, *TABLES)
_POOLS = tuple(
    f"{reach}{kind}Pooling{n}D" for reach in ("", "Global") for kind in ("Max", "Average") for n in (1, 2)
)
_MERGES = ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average", "Concatenate")
_AND = ", ".join(LINEAR)
_ACTIVATIONS = ("Activation", "ReLU", "LeakyReLU", "Softmax")
_NOTHING = (
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "ActivityRegularization", "Identity",
)  # fmt: skip
PLAIN = (
    *LINEAR, *_POOLS, *_MERGES, *_ACTIVATIONS, *_NOTHING, *SCALINGS, "BatchNormalization", "Flatten",
    "Reshape",
)  # fmt: skip


def check_plain_layer(layer: Any) -> None:
    """Refuse a layer of a plain Keras model that cannot be quantised.

    Raises:
        UnsupportedLayerError: names the layer, what is wrong with it and what would do instead.
    """
    import keras

    kind = type(layer).__name__
    if not isinstance(layer, keras.Layer):
        raise UnsupportedLayerError(
            f"the function {kind} between layers cannot be built",
            next_step=_instead_of_function(kind),
        )
    if kind not in (*PLAIN, "InputLayer"):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} ({kind}) cannot be built",
            next_step=f"use {IN_KERAS.get(kind, f'layers such as {_AND}, or hgq.layers')}",
        )
    if type(layer) is not getattr(keras.layers, kind):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} is a class of its own that is called {kind}",
            next_step=f"use keras.layers.{kind} itself",
        )
    if getattr(layer, "quantization_mode", None):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} was quantised by Keras ({layer.quantization_mode})",
            next_step="pass the model as it was before; its precision is an argument of build",
        )
    if kind == "Softmax" and layer.axis not in (-1, len(layer.input.shape) - 1):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} is a softmax along another axis than the last", next_step="use axis=-1"
        )
    if kind in (*LINEAR, "Activation"):
        name = _function(layer)
        if isinstance(layer.activation, keras.Layer):
            raise UnsupportedLayerError(
                f"the activation of layer {layer.name!r} is itself a layer ({name})",
                next_step=f"put it after {layer.name!r}, as a layer of its own",
            )
        if layer.activation is not getattr(keras.activations, name, None):
            raise UnsupportedLayerError(
                f"the activation of layer {layer.name!r} is a function of its own that is called {name!r}",
                next_step="use one of keras.activations; for the same function no training is needed: "
                "layer.activation = keras.activations.relu",
            )
        if name not in ("linear", *_ACTIVATION_FUNCTIONS):
            raise UnsupportedLayerError(
                f"activation {name!r} of layer {layer.name!r} has no table here",
                next_step=f"use one of {', '.join(_ACTIVATION_FUNCTIONS)}",
            )
    if kind in ("Conv1D", "Conv2D"):
        check_convolution(layer)
    if kind in _POOLS:
        check_pooling(layer)
    if kind == "Flatten":
        check_flatten(layer)
    if kind in SCALINGS:
        check_scaling(layer)
    if kind == "Average" and len(layer.input) > 2:
        raise UnsupportedLayerError(
            f"layer {layer.name!r} averages {len(layer.input)} tensors", next_step="average two at a time"
        )
    if kind == "BatchNormalization" and layer.axis not in (-1, len(layer.input.shape) - 1):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} normalises another axis than the last", next_step="use axis=-1"
        )


def _instead_of_function(kind: str) -> str:
    """Say which layer does what a function of ``keras.ops``, or an operator, does."""
    if kind == "GetItem":
        return "take the columns from the events with NumPy; or a Dense layer takes what it needs"
    name = {"Relu": "ReLU", "Sigmoid": "Activation('sigmoid')", "Tanh": "Activation('tanh')"}.get(kind, kind)
    if name.partition("(")[0] not in PLAIN:
        return "use layers"
    constant = kind in ("Add", "Subtract", "Multiply")
    return f"use keras.layers.{name}" + (
        " for two tensors, and for a constant keras.layers.Rescaling" if constant else ""
    )


def steps_of(model: Any) -> list[Step]:
    """Return what a model does, in order, folded: normalisations into weights, ReLU into its layer.

    Raises:
        UnsupportedLayerError: a Normalization or Rescaling is beside no layer that has weights.
    """
    taken = {layer.name for layer in model.layers}
    model = getattr(model, "_functional", None) or model
    steps: list[Step] = []
    alias: dict[Key, Key] = {}
    for _, level in sorted(model._nodes_by_depth.items(), reverse=True):
        for node in level:
            layer, kind = node.operation, type(node.operation).__name__
            if kind == "InputLayer":
                continue
            inputs = [alias.get(id(tensor), id(tensor)) for tensor in node.input_tensors]
            output = id(node.outputs[0])
            if kind in _NOTHING or (kind == "Activation" and _function(layer) == "linear"):
                alias[output] = inputs[0]
                continue
            steps += _steps(layer, kind, inputs, output, taken)
    result = alias.get(id(model.outputs[0]), id(model.outputs[0]))
    fold(steps, result)
    if all(step.kind in ("Flatten", "Reshape", "Concatenate") for step in steps):
        raise UnsupportedLayerError(
            f"model {model.name!r} computes nothing", next_step="add a layer that does, such as Dense"
        )
    for step in steps:
        if type(step.layer).__name__ in SCALINGS:
            raise UnsupportedLayerError(
                f"layer {step.name!r} ({type(step.layer).__name__}) is beside no layer whose weights could "
                "take it in",
                next_step=f"put it directly before or after a Dense or convolution; or {BEFORE}",
            )
    return steps


def free_name(name: str, taken: set[str]) -> str:
    """Return ``name``, or one like it that is not taken; it is taken then."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def idle_names(model: Any) -> set[str]:
    """Return the names of what does nothing at inference, as hls4ml's configuration may name it, too."""
    idle: set[str] = set()
    for layer in model.layers:
        kind = type(layer).__name__
        if kind in LINEAR and _function(layer) == "linear":
            idle.add(f"{layer.name}_linear")
        if kind in _NOTHING or (kind == "Activation" and _function(layer) == "linear"):
            idle.add(layer.name)
    return idle


def _steps(layer: Any, kind: str, inputs: list[Key], output: Key, taken: set[str]) -> list[Step]:
    step = Step(kind, layer.name, layer, inputs, output)
    after = "linear"
    if kind in LINEAR:
        step.kernel = np.asarray(layer.kernel, np.float64)
        channels = step.kernel.shape[-1]
        step.bias = np.asarray(layer.bias, np.float64) if layer.use_bias else np.zeros(channels)
        after = _function(layer)
    elif kind in ("BatchNormalization", *SCALINGS):
        scaling = scaling_of(layer)
        step.kind, step.kernel, step.bias = "Scale", scaling.scale, scaling.shift
    elif kind in _ACTIVATIONS:
        name = {"Activation": lambda: _function(layer), "ReLU": lambda: _relu(layer)}
        return _activation(step, name[kind]() if kind in name else kind, taken)
    if after == "linear":
        return [step]
    # A key of its own for the tensor between a layer and its activation.
    step.output = (output,)
    own = Step(kind, free_name(f"{layer.name}_{after}", taken), layer, [step.output], output)
    return [step, *_activation(own, after, taken)]


def _activation(step: Step, name: str, taken: set[str]) -> list[Step]:
    """Return the steps of an activation; the one after which it is called comes last."""
    known = {"relu": "ReLU", "softmax": "Softmax", "Softmax": "Softmax"}
    if name in _STRAIGHT:
        return _straight(step, *_STRAIGHT[name], taken)
    if name in ("leaky_relu", "LeakyReLU"):
        step.kind = "Slope"
    elif name == "capped":
        step.kind, step.maximum = "Capped", float(step.layer.max_value)
    elif name in known:
        step.kind = known[name]
    else:
        step.kind, step.activation = "Table", name
    return [step]


def _straight(
    step: Step, before: float, maximum: float, scale: float, shift: float, taken: set[str]
) -> list[Step]:
    """Return the steps of a function that is a straight line between two levels."""
    capped = replace(step, kind="Capped", maximum=maximum)
    if not before:
        return [capped]
    shifted, between = ("shifted", step.output), ("capped", step.output)
    first = replace(step, name=free_name(f"{step.name}_shifted", taken), output=shifted)
    capped = replace(capped, name=free_name(f"{step.name}_capped", taken), inputs=[shifted], output=between)
    last = replace(step, inputs=[between])
    for one, by, add in ((first, 1.0, before), (last, scale, shift)):
        one.kind, one.exact = "Scale", True
        one.kernel, one.bias = np.full(1, by), np.full(1, add)
    first.maximum = maximum
    return [first, capped, last]


def _relu(layer: Any) -> str:
    slope, maximum = layer.negative_slope, layer.max_value
    if layer.threshold or (maximum is not None and (slope or maximum <= 0)):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} is a ReLU with a threshold, or with a maximum and a slope",
            next_step="use ReLU(), ReLU(max_value=6) or LeakyReLU()",
        )
    return "capped" if maximum is not None else "leaky_relu" if slope else "relu"


def _function(layer: Any) -> str:
    return str(getattr(layer.activation, "__name__", type(layer.activation).__name__))
