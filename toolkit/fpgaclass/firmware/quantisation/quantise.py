"""Quantisation after training: a plain Keras model becomes an HGQ2 one of given fixed-point types."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fpgaclass.core import InvalidInputError, warn
from fpgaclass.firmware.models.folding import Key, Step
from fpgaclass.firmware.models.model import check_model, is_quantised
from fpgaclass.firmware.models.nested import flat
from fpgaclass.firmware.models.plain import BOUNDED_TABLES, free_name, idle_names, steps_of
from fpgaclass.firmware.models.supported import PLACES, to_places
from fpgaclass.firmware.quantisation.hgq_types import hgq_type, softmax_types, table_input
from fpgaclass.firmware.quantisation.precision import FixedPoint, covering
from fpgaclass.firmware.quantisation.precisions import Precision, Precisions
from fpgaclass.firmware.quantisation.scaled import check_scaled

_ENTRANCE = "input"
_FINER = 3  # bits of a sixth beyond the results': six of them are one then, rounded
_MERGES = ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average")


def quantise(model: Any, precision: Precision = None, *, name: str | None = None) -> Any:
    """Turn a trained plain Keras model into an HGQ2 one with fixed-point types for data and weights.

    This is post-training quantisation, as hls4ml's ``Precision`` does it: inputs, activations, weights and
    biases are rounded to ``precision``; sums are exact. Batch normalisation is folded into the layer before
    or after it where that changes nothing; so are Normalization and Rescaling, if the types can hold what
    they were made for. Sigmoid, tanh and their like become tables, of 1024 entries if no ``TableSize`` is
    given; what is made of straight lines, such as relu6 and hard_sigmoid, is computed. The model's input is
    truncated and wraps on overflow, as a bus does. Weights beyond their type are warned about, and types that
    count for nothing.

    Args:
        model: a trained model of Keras layers; ``check_model`` says which.
        precision: a type in hls4ml's notation, or hls4ml's configuration as ``config_from_keras_model``
            gives it, with types by layer (``"input"`` is the model's input); what a type leaves out is RND
            and SAT. None is ``fixed<16,6>``.

    Raises:
        InvalidInputError: the model is quantised already, or the precision names a layer that is not there.
        UnsupportedLayerError: a layer is in the way; says what would do instead.

    Returns:
        An HGQ2 model with the same inputs and outputs.
    """
    import keras

    check_model(model)
    if is_quantised(model):
        raise InvalidInputError(
            f"model {model.name!r} is made of HGQ2's layers, and so quantised already",
            next_step="build it as it is",
        )
    if name is not None and (not isinstance(name, str) or not name or "/" in name):
        raise InvalidInputError(f"{name!r} is no name of a model", next_step="use letters and digits")
    model = flat(model)
    types = Precisions.of(precision)
    steps = steps_of(model)
    given = model.inputs[0]
    entrance = given._keras_history.operation.name
    own = any(step.name == _ENTRANCE for step in steps)  # a layer of the user's is called so
    entrance = entrance if own or entrance in types.layers else _ENTRANCE
    why = _in_vain(model, steps)
    names = {_ENTRANCE, entrance, *(step.name for step in steps), *why}
    types.refuse_unknown(names, f"model {model.name!r}")
    check_scaled(steps, types, entrance)
    inputs = keras.Input(given.shape[1:])
    network = _Network(types, id(given), inputs, types.result(entrance))
    network.names |= {step.name for step in steps}
    for step in steps:
        network.add(step, last=step is steps[-1])
    types.warn_of_unused(why)
    return keras.Model(inputs, network.tensors[steps[-1].output], name=name or f"{model.name}_quantised")


def _in_vain(model: Any, steps: list[Step]) -> dict[str, str]:
    """Return what a type counts for nothing for: the name of a layer -> why, and what to name instead."""
    why = dict.fromkeys(idle_names(model), "it does nothing in firmware")
    why |= {name: f"it is part of {step.name!r}, name that" for step in steps for name in step.folded}
    return why


class _Network:
    """The HGQ2 network as it grows: its tensors, and the type that each is rounded to where it is read."""

    def __init__(self, types: Precisions, key: Key, inputs: Any, taken: FixedPoint) -> None:
        self.types = types
        self.tensors = {key: inputs}
        self.kinds = {key: taken}
        self.raw = {key}
        self.rounded = 0
        self.names: set[str] = set()

    def add(self, step: Step, last: bool) -> None:
        """Append one step; the last one's result is rounded too."""
        moved = step.kind in ("Flatten", "Reshape")
        # What is on a grid already must not be rounded again to another: hls4ml would do it in one go.
        keeps = moved or step.kind in ("Concatenate", "ReLU", "Capped")
        held = covering([self.kinds[key] for key in step.inputs])
        kind = held if keeps and not last else self._result(step, held)
        values = [self.tensors[key] for key in step.inputs]
        ends = {"enable_oq": True, "oq_conf": hgq_type(kind, "datalane")} if last else {"enable_oq": False}
        result, rounded = self._layer(step, values, kind, ends)
        if last and not rounded:
            from hgq.quantizer import Quantizer

            result = Quantizer(hgq_type(kind, "datalane"), name=self._free(f"{step.name}_rounded"))(result)
        self.tensors[step.output] = result
        if moved and step.inputs[0] in self.raw:
            self.raw.add(step.output)
        self.kinds[step.output] = held if keeps else kind

    def _layer(
        self, step: Step, values: list[Any], kind: FixedPoint, ends: dict[str, Any]
    ) -> tuple[Any, bool]:
        """Make the layer of a step; return its result, and whether it rounds it."""
        import keras
        from hgq.layers import QSoftmax, QUnaryFunctionLUT

        key, name = step.inputs[0], step.name
        common = {"name": name, "enable_iq": True, "enable_ebops": False, **ends}
        if step.kind in ("Dense", "Conv1D", "Conv2D"):
            return self._linear(step, values[0], common), True
        if step.kind == "Scale":
            return self._scale(step, values[0], kind, common), True
        if step.kind == "Table":
            common |= {"enable_oq": True, "oq_conf": hgq_type(kind, "table")}
            raw = key in self.raw
            bounded = step.activation in BOUNDED_TABLES and not raw
            address = table_input(self.kinds[key], bounded, self.types.table_bits(name))
            taken = hgq_type(address, "datalane", "TRN", "WRAP") if raw else hgq_type(address, "datalane")
            table = QUnaryFunctionLUT(step.activation, taken, allow_heterogeneous_table=False, **common)
            value = values[0]
            # hls4ml writes tables of flat values only.
            if len(value.shape) == 2:
                result = table(value)
            else:
                result = table(keras.layers.Flatten(name=self._free(f"{name}_flat"))(value))
                result = keras.layers.Reshape(value.shape[1:], name=self._free(f"{name}_shape"))(result)
            return result, True
        if step.kind == "Softmax":
            types = softmax_types(values[0].shape[-1])
            return QSoftmax(iq_conf=self._input(key), axis=-1, **types, **common)(values[0]), True
        if step.kind in ("ReLU", "Capped", "Slope"):
            value = self._on_a_grid(key, values[0], name)
            if step.kind == "ReLU":
                return keras.layers.ReLU(name=name)(value), False
            if step.kind == "Capped":
                places = min(PLACES, self.kinds[key].fraction)
                maximum = max(to_places(step.maximum, places), 2.0**-places)
                return keras.layers.ReLU(max_value=maximum, name=name)(value), False
            slope = getattr(step.layer, "negative_slope", 0.2)
            return keras.layers.LeakyReLU(to_places(slope), name=name)(value), False
        if step.kind in ("Flatten", "Reshape"):
            return type(step.layer).from_config(step.layer.get_config())(values[0]), False
        if step.kind == "Concatenate":
            values = [self._on_a_grid(key, v, name) for key, v in zip(step.inputs, values, strict=True)]
            return self._joined(keras.layers.Concatenate, values, name, axis=step.layer.axis), False
        if step.kind in _MERGES:
            return self._merge(step, values, common), True
        return self._pool(step, values[0], common)

    def _linear(self, step: Step, value: Any, common: dict[str, Any]) -> Any:
        import hgq.layers

        weight, bias = self.types.weight(step.name), self.types.bias(step.name)
        shape: dict[str, Any] = {}
        if step.kind != "Dense":
            source = step.layer
            shape = {"kernel_size": source.kernel_size, "strides": source.strides, "padding": source.padding}
        layer = getattr(hgq.layers, f"Q{step.kind}")(
            step.kernel.shape[-1],
            activation=step.activation,
            iq_conf=self._input(step.inputs[0]),
            kq_conf=hgq_type(weight, "weight"),
            bq_conf=hgq_type(bias, "bias"),
            **shape,
            **common,
        )
        result = layer(value)
        layer.kernel.assign(step.kernel)
        layer.bias.assign(step.bias)
        _warn_of_saturation(step.name, weight, step.kernel)
        _warn_of_saturation(step.name, bias, step.bias)
        return result

    def _scale(self, step: Step, value: Any, kind: FixedPoint, common: dict[str, Any]) -> Any:
        from hgq.layers import QBatchNormalization

        if step.exact:
            weight, bias = (_constant(float(part[0]), kind) for part in (step.kernel, step.bias))
        else:
            weight, bias = self.types.weight(step.name), self.types.bias(step.name)
        layer = QBatchNormalization(
            epsilon=0.0, iq_conf=self._input(step.inputs[0]), kq_conf=hgq_type(weight, "weight"),
            bq_conf=hgq_type(bias, "bias"), **common,
        )  # fmt: skip
        result = layer(value)
        layer.bn_gamma.assign(np.broadcast_to(step.kernel, layer.bn_gamma.shape))
        layer.bn_beta.assign(np.broadcast_to(step.bias, layer.bn_beta.shape))
        _warn_of_saturation(step.name, weight, step.kernel)
        _warn_of_saturation(step.name, bias, step.bias)
        return result

    def _pool(self, step: Step, value: Any, common: dict[str, Any]) -> tuple[Any, bool]:
        import hgq.layers
        import keras

        source, kind = step.layer, step.kind
        taken = self._input(step.inputs[0])
        if kind.startswith("Global") and kind.endswith("1D"):
            return getattr(hgq.layers, f"Q{kind}")(keepdims=source.keepdims, iq_conf=taken, **common)(
                value
            ), True
        if kind.startswith("Global"):
            pool = getattr(hgq.layers, f"Q{kind.removeprefix('Global')}")
            whole = pool(tuple(value.shape[1:-1]), iq_conf=taken, **common)(value)
            flat = keras.layers.Flatten(name=self._free(f"{step.name}_flat"))
            return (whole if source.keepdims else flat(whole)), True
        shape = {"pool_size": source.pool_size, "strides": source.strides, "padding": source.padding}
        return getattr(hgq.layers, f"Q{kind}")(iq_conf=taken, **shape, **common)(value), True

    def _merge(self, step: Step, values: list[Any], common: dict[str, Any]) -> Any:
        import hgq.layers

        kind = "AveragePow2" if step.kind == "Average" else step.kind
        layer = getattr(hgq.layers, f"Q{kind}")
        result, taken = values[0], self._input(step.inputs[0])
        for place, (key, value) in enumerate(zip(step.inputs[1:], values[1:], strict=True), start=1):
            final = place == len(values) - 1
            options = common
            if not final:
                options = {k: v for k, v in common.items() if k != "oq_conf"}
                options |= {"name": self._free(f"{step.name}_{place}"), "enable_oq": False}
            result = layer(iq_confs=[taken, self._input(key)], **options)([result, value])
            # A partial sum may be larger than the types of its parts.
            grown = self.types.result(step.name).wider(place)
            taken = hgq_type(grown, "datalane")
        return result

    def _joined(self, layer: Any, values: list[Any], name: str, **options: Any) -> Any:
        result = values[0]
        for place, value in enumerate(values[1:], start=1):
            last = place == len(values) - 1
            result = layer(name=name if last else self._free(f"{name}_{place}"), **options)([result, value])
        return result

    def _result(self, step: Step, held: FixedPoint) -> FixedPoint:
        """The type of a step's results; what is only shifted must not be cut before its maximum."""
        if not (step.exact and step.maximum):
            return self.types.result(step.name)
        whole = max(held.integer + (not held.signed), math.frexp(step.maximum)[1] + 1)
        fraction = max(held.fraction, 0)
        return FixedPoint(whole + fraction, whole, True, held.rounding, "SAT")

    def _input(self, key: Key) -> Any:
        """The type in which a tensor is read; the model's own input is cut as a bus cuts it."""
        kind = self.kinds[key]
        return hgq_type(kind, "datalane", "TRN", "WRAP") if key in self.raw else hgq_type(kind, "datalane")

    def _on_a_grid(self, key: Key, value: Any, name: str) -> Any:
        """Round a tensor before a layer that has no type of its own."""
        from hgq.quantizer import Quantizer

        self.rounded += 1
        return Quantizer(self._input(key), name=self._free(f"{name}_input_{self.rounded}"))(value)

    def _free(self, name: str) -> str:
        return free_name(name, self.names)


def _constant(number: float, result: FixedPoint) -> FixedPoint:
    """Return the type of a function's own number: a whole one exactly, others finer than the results."""
    whole = math.frexp(number)[1] + 1
    places = 0 if number.is_integer() else max(0, result.fraction + _FINER)
    return FixedPoint(max(2, whole + places), max(2, whole + places) - places)


def _warn_of_saturation(name: str, kind: FixedPoint, weights: Any) -> None:
    beyond = int(((weights < kind.low) | (weights > kind.high)).sum())
    if beyond:
        what = "saturate" if kind.overflow != "WRAP" else "wrap"
        warn(f"layer {name}: {beyond:,} of {np.size(weights):,} weights are beyond {kind} and {what}")
