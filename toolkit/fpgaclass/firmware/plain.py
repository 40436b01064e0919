"""A trained plain Keras model as a list of steps, with batch normalisation and ReLU folded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import UnsupportedLayerError
from fpgaclass.firmware.supported import check_convolution, check_pooling

BOUNDED_TABLES = ("sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "softsign")
TABLES = (*BOUNDED_TABLES, "elu", "selu", "gelu", "silu", "swish", "softplus", "relu6")
_LINEAR = ("Dense", "Conv1D", "Conv2D")
_POOLS = tuple(
    f"{reach}{kind}Pooling{n}D" for reach in ("", "Global") for kind in ("Max", "Average") for n in (1, 2)
)
_MERGES = ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average", "Concatenate")
_ACTIVATIONS = ("Activation", "ReLU", "LeakyReLU", "Softmax")
_NOTHING = (
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "ActivityRegularization",
)  # fmt: skip
PLAIN = (*_LINEAR, *_POOLS, *_MERGES, *_ACTIVATIONS, *_NOTHING, "BatchNormalization", "Flatten", "Reshape")


@dataclass
class Step:
    """One thing that the network does, on its way to becoming an HGQ2 layer.

    Attributes:
        kind: a Keras layer's class name, or ``"Table"``, ``"Slope"`` or ``"Scale"``.
        name: the layer it comes from.
        layer: that layer.
        inputs: keys of the tensors that it takes.
        output: key of the tensor that it gives.
        kernel: weights of Dense and convolutions, or the scale of a batch normalisation.
        bias: what is added, per output channel.
        activation: ``"linear"`` or ``"relu"`` for a linear layer; of a ``"Table"``, the function.
    """

    kind: str
    name: str
    layer: Any
    inputs: list[int]
    output: int
    kernel: npt.NDArray[Any] = field(default_factory=lambda: np.ones(1))
    bias: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(1))
    activation: str = "linear"

    @property
    def linear(self) -> bool:
        """Whether it multiplies by a kernel and has no activation yet."""
        return self.kind in _LINEAR and self.activation == "linear"


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
            next_step=f"use keras.layers.{kind}, of tensors" if kind in _MERGES else "use layers",
        )
    if kind in ("Functional", "Sequential"):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} is a model within the model", next_step="use its layers one by one"
        )
    if kind not in (*PLAIN, "InputLayer"):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} ({kind}) cannot be built",
            next_step=_INSTEAD.get(kind, f"use layers such as {', '.join(_LINEAR)}, or hgq.layers"),
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
    if kind in (*_LINEAR, "Activation"):
        name = _function(layer)
        if isinstance(layer.activation, keras.Layer):
            raise UnsupportedLayerError(
                f"the activation of layer {layer.name!r} is itself a layer ({name})",
                next_step=f"put it after {layer.name!r}, as a layer of its own",
            )
        if layer.activation is not getattr(keras.activations, name, None):
            raise UnsupportedLayerError(
                f"the activation of layer {layer.name!r} is a function of its own that is called {name!r}",
                next_step="use one of keras.activations",
            )
        if name not in ("linear", "relu", "leaky_relu", "softmax", *TABLES):
            raise UnsupportedLayerError(
                f"activation {name!r} of layer {layer.name!r} has no table here",
                next_step=f"use relu, leaky_relu, softmax, or one of {', '.join(TABLES)}",
            )
    if kind in ("Conv1D", "Conv2D"):
        check_convolution(layer)
    if kind in _POOLS:
        check_pooling(layer)
    if kind == "BatchNormalization" and layer.axis not in (-1, len(layer.input.shape) - 1):
        raise UnsupportedLayerError(
            f"layer {layer.name!r} normalises another axis than the last", next_step="use axis=-1"
        )


def steps_of(model: Any) -> list[Step]:
    """Return what a model does, in order, folded: batch normalisation into weights, ReLU into its layer."""
    if type(model).__name__ == "Sequential":
        model = model._functional
    steps: list[Step] = []
    alias: dict[int, int] = {}
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
            steps += _steps(layer, kind, inputs, output)
    result = alias.get(id(model.outputs[0]), id(model.outputs[0]))
    _fold(steps, result)
    return steps


def _steps(layer: Any, kind: str, inputs: list[int], output: int) -> list[Step]:
    step = Step(kind, layer.name, layer, inputs, output)
    after = "linear"
    if kind in _LINEAR:
        step.kernel = np.asarray(layer.kernel, np.float64)
        channels = step.kernel.shape[-1]
        step.bias = np.asarray(layer.bias, np.float64) if layer.use_bias else np.zeros(channels)
        after = _function(layer)
    elif kind == "BatchNormalization":
        step.kind = "Scale"
        step.kernel, step.bias = _batch_norm(layer)
    elif kind in _ACTIVATIONS:
        name = {"Activation": lambda: _function(layer), "ReLU": lambda: _relu(layer)}
        return [_activation(step, name[kind]() if kind in name else kind)]
    if after == "linear":
        return [step]
    # A key of its own for the tensor between a layer and its activation.
    step.output = -output
    return [step, _activation(Step(kind, f"{layer.name}_{after}", layer, [-output], output), after)]


def _activation(step: Step, name: str) -> Step:
    known = {"relu": "ReLU", "softmax": "Softmax", "Softmax": "Softmax"}
    if name in ("leaky_relu", "LeakyReLU"):
        step.kind = "Slope"
    elif name in known:
        step.kind = known[name]
    else:
        step.kind, step.activation = "Table", name
    return step


def _relu(layer: Any) -> str:
    if layer.threshold == 0 and layer.negative_slope == 0 and layer.max_value in (None, 6.0):
        return "relu" if layer.max_value is None else "relu6"
    if layer.threshold == 0 and layer.max_value is None:
        return "leaky_relu"
    raise UnsupportedLayerError(
        f"layer {layer.name!r} is a ReLU with a threshold or maximum",
        next_step="use ReLU(), ReLU(max_value=6) or LeakyReLU()",
    )


def _fold(steps: list[Step], result: int) -> None:
    """Fold in place, as long as there is something to fold."""
    while True:
        uses = [key for step in steps for key in step.inputs] + [result]
        single = {step.output: step for step in steps if uses.count(step.output) == 1}
        taken = {key: step for step in steps for key in step.inputs}
        for step in steps:
            before = single.get(step.inputs[0]) if len(step.inputs) == 1 else None
            after = taken.get(step.output) if step.output in single else None
            if before is not None and before.linear and step.kind in ("Scale", "ReLU"):
                if step.kind == "ReLU":
                    before.activation = "relu"
                else:
                    before.kernel = before.kernel * step.kernel
                    before.bias = before.bias * step.kernel + step.bias
                before.output = step.output
                steps.remove(step)
                break
            if step.kind == "Scale" and after is not None and _takes_scale(after):
                all_but_last = tuple(range(after.kernel.ndim - 1))
                after.bias = after.bias + (after.kernel * step.bias[:, None]).sum(axis=all_but_last)
                after.kernel = after.kernel * step.kernel[:, None]
                after.inputs = step.inputs
                steps.remove(step)
                break
        else:
            return


def _takes_scale(step: Step) -> bool:
    """Whether its inputs' scale and shift can go into its weights: not past a padded border."""
    return step.kind == "Dense" or (step.kind in _LINEAR and step.layer.padding == "valid")


def _batch_norm(layer: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return (scale, shift) of a batch normalisation at inference: y = scale x + shift."""
    deviation = np.sqrt(np.asarray(layer.moving_variance, np.float64) + layer.epsilon)
    gamma = np.asarray(layer.gamma, np.float64) if layer.scale else np.ones_like(deviation)
    beta = np.asarray(layer.beta, np.float64) if layer.center else np.zeros_like(deviation)
    scale = gamma / deviation
    return scale, beta - np.asarray(layer.moving_mean, np.float64) * scale


def _function(layer: Any) -> str:
    return str(getattr(layer.activation, "__name__", type(layer.activation).__name__))


_WINDOW = "use a dense or convolutional network over a fixed window"
_INSTEAD = {
    "LSTM": _WINDOW,
    "GRU": _WINDOW,
    "SimpleRNN": _WINDOW,
    "LayerNormalization": "use BatchNormalization",
    "Embedding": "use a one-hot input and Dense",
    "PReLU": "use LeakyReLU with one slope for all",
    "DepthwiseConv2D": "use Conv2D",
    "SeparableConv2D": "use two Conv2D",
    "ZeroPadding1D": "use padding='same' in the convolution",
    "ZeroPadding2D": "use padding='same' in the convolution",
    "Permute": "use weights or inputs in the order that is wanted",
}
