"""A model as hls4ml 1.3 takes it right: the same results, of other layers where it differs or refuses."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from fpgaclass.firmware.models.supported import PLACES
from fpgaclass.firmware.network import TOP
from fpgaclass.firmware.quantisation.hgq_types import hgq_type
from fpgaclass.firmware.quantisation.precision import FixedPoint

# A layer's name becomes part of file names.
_LONGEST_NAME = 100
_TAKEN = (
    "activation", "axis", "bias", "data", "default", "double", "float", "index", "input", "int", "name",
    "new", "nnet", "op", "param", "result", "scale", "strategy", "table", "trace", "union", "weight", TOP,
)  # fmt: skip


def for_hls4ml(model: Any) -> Any:
    """Return an HGQ2 model that hls4ml turns into C++ with the results of the one given.

    Of a ReLU layer it makes a wrong threshold, not so of the activation; a ReLU with a maximum m it refuses,
    and m - relu(m - relu(x)) is the same. A layer's name becomes a C++ name and the key of an attribute.
    """
    import keras

    names = cpp_names([layer.name for layer in model.layers])
    most = {names[one.name]: one.max_value for one in model.layers if type(one).__name__ == "ReLU"}

    def same(layer: Any) -> Any:
        name = names[layer.name]
        if type(layer).__name__ == "ReLU" and not layer.threshold and not layer.negative_slope:
            return keras.layers.Activation("relu", name=name)
        return type(layer).from_config({**layer.get_config(), "name": name})

    def call(layer: Any, *given: Any, **options: Any) -> Any:
        result = layer(*given, **options)
        maximum = most.get(layer.name)
        if maximum is None:
            return result
        below = _mirrored(result, maximum, f"{layer.name}_below_maximum")
        rest = keras.layers.Activation("relu", name=f"{layer.name}_relu_again")(below)
        return _mirrored(rest, maximum, f"{layer.name}_up_to_maximum")

    twin = keras.models.clone_model(model, clone_function=same, call_function=call)
    for layer in model.layers:
        if layer.weights:
            twin.get_layer(names[layer.name]).set_weights(layer.get_weights())
    return twin


def _mirrored(value: Any, maximum: float, name: str) -> Any:
    """Subtract a tensor from a number, exactly."""
    from hgq.layers import QBatchNormalization

    whole = math.frexp(maximum)[1] + 1
    bias = FixedPoint(whole + PLACES, whole)
    layer = QBatchNormalization(
        epsilon=0.0, enable_iq=False, enable_oq=False, enable_ebops=False, name=name,
        kq_conf=hgq_type(FixedPoint(2, 2), "weight"), bq_conf=hgq_type(bias, "bias"),
    )  # fmt: skip
    result = layer(value)
    layer.bn_gamma.assign(-np.ones(layer.bn_gamma.shape))
    layer.bn_beta.assign(np.full(layer.bn_beta.shape, maximum))
    return result


def cpp_names(names: list[str]) -> dict[str, str]:
    """Return a C++ name for each, no two of them alike."""
    found: dict[str, str] = {}
    for name in names:
        clean = re.sub(r"\W", "_", name)[:_LONGEST_NAME]
        clean = clean if clean[0].isalpha() else f"layer_{clean}"
        clean = f"{clean}_named" if clean in _TAKEN else clean
        while clean in found.values():
            clean += "_again"
        found[name] = clean
    return found
