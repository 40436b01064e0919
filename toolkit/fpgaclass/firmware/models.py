"""What can be built: which layers, which weights, and how a plain Keras model becomes a quantised one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import InvalidInputError, UnsupportedLayerError, digest_of
from fpgaclass.firmware.precision import FixedPoint

_PLAIN = ("Dense", "Activation", "ReLU", "Flatten", "Reshape", "BatchNormalization", "Dropout", "InputLayer")
_INSTEAD = {
    "LSTM": "a dense or convolutional network over a fixed window",
    "GRU": "a dense or convolutional network over a fixed window",
    "SimpleRNN": "a dense or convolutional network over a fixed window",
    "LayerNormalization": "hgq.layers.QBatchNormalization",
    "Embedding": "a one-hot input and hgq.layers.QDense",
    "Softmax": "the logits: argmax of the logits is argmax of softmax",
}


def is_quantised(model: Any) -> bool:
    """Tell whether a model is made of HGQ2 layers (as opposed to plain Keras ones)."""
    return any(type(layer).__module__.startswith("hgq.") for layer in model.layers)


def model_digest(model: Any) -> str:
    """Return the SHA-256 of a model's architecture and weights; training state does not count."""
    weights = [part for w in model.weights for part in (str(w.shape), np.asarray(w).tobytes())]
    config = json.loads(model.to_json())
    config.pop("compile_config", None)
    return digest_of(json.dumps(config, sort_keys=True), *weights)


def check_model(model: Any) -> None:
    """Refuse what cannot be built, before any work starts.

    Raises:
        InvalidInputError: not a built Keras model, several inputs or outputs, weights that are not finite.
        UnsupportedLayerError: a layer that cannot become logic; names the layer and what would do instead.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise InvalidInputError(
            f"a {type(model).__name__} is not a Keras model", next_step="pass an HGQ2 or Keras model"
        )
    if not model.built or not getattr(model, "inputs", None):
        raise InvalidInputError(
            f"model {model.name!r} has no input shape yet",
            next_step="begin it with keras.Input(shape), or call it once on data",
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InvalidInputError(
            f"model {model.name!r} has {len(model.inputs)} inputs and {len(model.outputs)} outputs",
            next_step="concatenate them: firmware has one of each",
        )
    quantised = is_quantised(model)
    for layer in model.layers:
        _check_layer(layer, quantised)
        for weight in layer.weights:
            bad = int((~np.isfinite(np.asarray(weight))).sum())
            if bad:
                raise InvalidInputError(
                    f"{bad} weights of layer {layer.name!r} ({weight.name}) are NaN or infinite",
                    next_step="train again with a lower learning rate, or mend them",
                )


def _check_layer(layer: Any, quantised: bool) -> None:
    kind = type(layer).__name__
    if quantised:
        from hgq._dais_tracer.layers import _registry

        known = kind in ("InputLayer", "Dropout") or type(layer) in _registry
    else:
        known = kind in _PLAIN
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    table = kind == "QUnaryFunctionLUT"
    if table and layer._allow_heterogeneous_table:
        raise UnsupportedLayerError(
            f"layer {layer.name!r} may have another table for each value, which hls4ml cannot write",
            next_step="make it with allow_heterogeneous_table=False",
        )
    if known and (table or activation in ("linear", "relu")):
        if layer.__dict__.get("_enable_iq") and layer.iq.quantizer.overflow_mode != "WRAP":
            _check_first(layer)
        return
    if known:
        raise UnsupportedLayerError(
            f"activation {activation!r} of layer {layer.name!r} cannot be built as part of the layer",
            next_step="use relu, or a hgq.layers.QUnaryFunctionLUT layer after it for a table",
        )
    instead = _INSTEAD.get(kind)
    if instead is None:
        instead = f"hgq.layers.Q{kind}" if not kind.startswith("Q") else "layers that hgq2 can trace"
    raise UnsupportedLayerError(
        f"layer {layer.name!r} ({kind}) cannot be built", next_step=f"use {instead} instead"
    )


def _check_first(layer: Any) -> None:
    fed_by = [node.input_tensors[0]._keras_history.operation for node in layer._inbound_nodes]
    if any(type(operation).__name__ == "InputLayer" for operation in fed_by):
        raise UnsupportedLayerError(
            f"the input quantiser of the first layer {layer.name!r} saturates",
            next_step="give it overflow_mode='WRAP', HGQ2's default for data; clip the inputs before",
        )


def exact_predict(model: Any, x: npt.ArrayLike, batch_size: int = 8192) -> npt.NDArray[np.float32]:
    """Evaluate an HGQ2 model in double precision: (n, \\*in_shape) -> (n, \\*out_shape).

    Fixed-point sums are exact in hardware. Keras' single precision is not once products and sums need more
    than 24 bits, as with 16-bit data and weights; then the model's own results are off by a last bit.
    """
    events = np.asarray(x, dtype=np.float64)
    with _in_double(model) as double:
        starts = range(0, max(1, len(events)), batch_size)
        values = [np.asarray(double(events[i : i + batch_size], training=False)) for i in starts]
    return np.concatenate(values).astype(np.float32)


def exact_layers(model: Any, x: npt.ArrayLike) -> dict[str, tuple[npt.NDArray[np.float32], int]]:
    """Evaluate every layer of an HGQ2 model in double precision.

    Returns:
        layer name -> its values (n, \\*shape), and in how many events its input quantiser met a value out of
        its range.
    """
    import keras

    events = np.asarray(x, dtype=np.float64)
    found: dict[str, tuple[npt.NDArray[np.float32], int]] = {}
    with _in_double(model) as double:
        layers = [layer for layer in double.layers if type(layer).__name__ != "InputLayer"]
        probe = keras.Model(double.input, [layer.output for layer in layers])
        outputs = probe(events, training=False)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        values = {double.inputs[0].name: events}
        values |= {layer.output.name: np.asarray(out) for layer, out in zip(layers, outputs, strict=True)}
        for layer in layers:
            overflows = _overflows(layer, values)
            found[layer.name] = (values[layer.output.name].astype(np.float32), overflows)
    return found


def _overflows(layer: Any, values: dict[str, npt.NDArray[Any]]) -> int:
    """Count the events in which a value at the layer's input is beyond its quantiser's range."""
    fed = layer.input if not isinstance(layer.input, (list, tuple)) else None
    if not getattr(layer, "_enable_iq", False) or fed is None or fed.name not in values:
        return 0
    given = values[fed.name]
    quantiser = layer.iq.quantizer
    low, high = (np.asarray(bound, dtype=np.float64) for bound in (quantiser.min, quantiser.max))
    # A value that no bit is kept of is pruned, not out of range.
    kept = np.asarray(quantiser.bits) > 0
    beyond = ((given < low) | (given > high + np.exp2(-np.asarray(quantiser.f, dtype=np.float64)))) & kept
    return int(beyond.reshape(len(given), -1).any(axis=1).sum())


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


def quantise(model: Any, precision: str = "fixed<16,6>", *, name: str | None = None) -> Any:
    """Turn a trained plain Keras model into an HGQ2 one with one fixed-point type for data and weights.

    This is post-training quantisation, as hls4ml's ``Precision`` does it: inputs, activations, weights and
    biases are rounded to ``precision``; sums are exact. Batch normalisation is folded into the dense layer
    before or after it. The model's input is truncated and wraps on overflow, as a bus does.

    Args:
        model: a trained model of Dense, ReLU, BatchNormalization, Flatten, Reshape and Dropout layers.
        precision: hls4ml's notation; what is left out is RND and SAT.

    Raises:
        UnsupportedLayerError: another layer is in the way.

    Returns:
        An HGQ2 model with the same inputs and outputs.
    """
    import keras
    from hgq.config import QuantizerConfig
    from hgq.layers import QDense

    check_model(model)
    kind = FixedPoint.parse(precision)

    def config(place: str, overflow: str, rounding: str = kind.rounding) -> Any:
        return QuantizerConfig(
            "kif",
            place,
            k0=kind.signed,
            i0=kind.integer - kind.signed,
            f0=kind.fraction,
            round_mode=rounding,
            overflow_mode=overflow,
            trainable=False,
        )

    plan = _dense_chain(model)
    inputs = x = keras.Input(model.input_shape[1:])
    for index, step in enumerate(plan):
        if isinstance(step, _Dense):
            last = index == len(plan) - 1
            layer = QDense(
                step.kernel.shape[1],
                activation=step.activation,
                name=step.name,
                iq_conf=config("datalane", "WRAP", "TRN")
                if index == 0
                else config("datalane", kind.overflow),
                kq_conf=config("weight", kind.overflow),
                bq_conf=config("bias", kind.overflow),
                oq_conf=config("datalane", kind.overflow) if last else None,
                enable_iq=True,
                enable_oq=last,
                enable_ebops=False,
            )
            x = layer(x)
            layer.kernel.assign(step.kernel)
            layer.bias.assign(step.bias)
        else:
            x = step(x)
    return keras.Model(inputs, x, name=name or f"{model.name}_quantised")


class _Dense:
    """A dense layer on its way to becoming an HGQ2 one."""

    def __init__(self, name: str, kernel: npt.NDArray[Any], bias: npt.NDArray[Any], activation: str) -> None:
        self.name, self.kernel, self.bias, self.activation = name, kernel, bias, activation


def _dense_chain(model: Any) -> list[Any]:
    """Flatten a sequential model into dense steps and shape layers.

    A batch normalisation is folded into the linear dense layer before it, else into the one after it.
    """
    plan: list[Any] = []
    ahead: tuple[npt.NDArray[Any], npt.NDArray[Any]] | None = None
    for layer in model.layers:
        kind = type(layer).__name__
        before = plan[-1] if plan and isinstance(plan[-1], _Dense) else None
        if kind in ("InputLayer", "Dropout"):
            continue
        if kind == "Dense":
            kernel = np.asarray(layer.kernel)
            bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1], np.float32)
            if ahead is not None:
                scale, shift = ahead
                kernel, bias, ahead = kernel * scale[:, None], bias + shift @ kernel, None
            plan.append(_Dense(layer.name, kernel, bias, layer.activation.__name__))
        elif kind == "BatchNormalization" and ahead is None:
            scale, shift = _batch_norm(layer)
            if before and before.activation == "linear":
                before.kernel, before.bias = before.kernel * scale, before.bias * scale + shift
            else:
                ahead = scale, shift
        elif kind in ("ReLU", "Activation") and before and before.activation == "linear" and ahead is None:
            before.activation = "relu" if kind == "ReLU" else layer.activation.__name__
        elif kind in ("Flatten", "Reshape") and ahead is None:
            plan.append(type(layer).from_config(layer.get_config()))
        else:
            raise UnsupportedLayerError(
                f"layer {layer.name!r} ({kind}) is where it cannot be folded into a Dense layer",
                next_step="put it right after a linear Dense layer, or build the model of hgq.layers",
            )
    if not plan or not isinstance(plan[-1], _Dense) or ahead is not None:
        raise UnsupportedLayerError(
            f"model {model.name!r} does not end in a Dense layer", next_step="build it of hgq.layers"
        )
    return plan


def _batch_norm(layer: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return (scale, shift) of a batch normalisation at inference: y = scale x + shift."""
    deviation = np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
    gamma = np.asarray(layer.gamma) if layer.scale else np.ones_like(deviation)
    beta = np.asarray(layer.beta) if layer.center else np.zeros_like(deviation)
    scale = gamma / deviation
    return scale, beta - np.asarray(layer.moving_mean) * scale
