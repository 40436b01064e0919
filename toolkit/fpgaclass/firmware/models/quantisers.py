"""The quantisers of an HGQ2 model: which are no fixed-point types, or work otherwise in one of the tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fpgaclass.core import UnsupportedLayerError

_ROUNDINGS = ("TRN", "RND")


def check_input(model: Any) -> None:
    """Refuse a model whose input does not meet a fixed-point type that works as a bus does.

    Raises:
        UnsupportedLayerError: the first quantiser saturates, rounds to even, or there is none.
    """
    for layer, quantiser in _first_quantisers(model, model.inputs[0]):
        if quantiser is None or _is_dummy(quantiser):
            raise UnsupportedLayerError(
                f"layer {layer.name!r} ({type(layer).__name__}) takes the model's input as it is, "
                "without a fixed-point type",
                next_step="begin with an HGQ2 layer, or with hgq.quantizer.Quantizer",
            )
        if quantiser.overflow_mode != "WRAP":
            raise UnsupportedLayerError(
                f"the input quantiser of the first layer {layer.name!r} saturates",
                next_step="give it overflow_mode='WRAP', HGQ2's default for data; clip the inputs before",
            )
        if quantiser.round_mode not in _ROUNDINGS:
            raise UnsupportedLayerError(
                f"the input quantiser of the first layer {layer.name!r} rounds by {quantiser.round_mode}",
                next_step="give it round_mode='RND' or 'TRN'",
            )


def quantiser_faults(layer: Any) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a layer's quantisers and its arithmetic, and what would do instead."""
    computes = layer.dtype_policy.compute_dtype
    if computes not in ("float32", "float64"):
        yield (
            f"computes in {computes}, which rounds what fixed-point types hold",
            "make the model with keras.config.set_dtype_policy('float32'), and load its weights",
        )
    for part, what in (("_kq", "weights"), ("_bq", "biases")):
        holder = layer.__dict__.get(part)
        if holder is not None and _is_dummy(holder.quantizer):
            yield (
                f"has {what} without a fixed-point type (a dummy quantiser)",
                f"give it a type: {part[1:]}_conf=QuantizerConfig('kbi', ...)",
            )
    for quantiser in _of_data(layer):
        if not _is_dummy(quantiser) and quantiser.round_mode not in _ROUNDINGS:
            yield f"rounds its data by {quantiser.round_mode}, which da4ml has not", "use RND, or TRN"
    if not rounded_once(layer):
        yield (
            "rounds what was rounded more finely just before it, and hls4ml's C++ does one of the two",
            "leave out one of them: the Quantizer, the enable_oq before it or the enable_iq after it",
        )


def rounded_once(layer: Any) -> bool:
    """Whether no quantiser of one type for all values follows another that is finer or wider.

    The values of a table are rounded where the table is made, and count as rounded by nothing.
    """
    given = layer.input
    if type(layer).__name__ == "Quantizer":
        after = layer.quantizer
    elif layer.__dict__.get("_enable_iq") and not isinstance(given, (list, tuple)):
        after = layer.iq.quantizer
    else:
        return True
    source = given._keras_history.operation
    while type(source).__name__ in ("Flatten", "Reshape", "Dropout"):
        source = source.input._keras_history.operation
    if type(source).__name__ == "Quantizer":
        before = source.quantizer
    elif source.__dict__.get("_enable_oq") and type(source).__name__ != "QUnaryFunctionLUT":
        before = source.oq.quantizer
    else:
        return True
    types = [None if _is_dummy(quantiser) else _one_type(quantiser) for quantiser in (before, after)]
    if None in types:
        return True
    first, second = types
    return all(there <= here for there, here in zip(first or (), second or (), strict=True))


def _one_type(quantiser: Any) -> tuple[float, ...] | None:
    """Return (sign, integer, fraction) bits if they are the same for all values."""
    import numpy as np

    bits = [np.unique(np.asarray(part)) for part in quantiser.kif]
    return tuple(float(part[0]) for part in bits) if all(len(part) == 1 for part in bits) else None


def _first_quantisers(model: Any, tensor: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (layer, quantiser or None) for everything that reads a tensor, through what only moves values."""
    for layer in model.layers:
        for node in layer._inbound_nodes:
            places = [i for i, given in enumerate(node.input_tensors) if given is tensor]
            if not places:
                continue
            kind = type(layer).__name__
            if kind == "Quantizer":
                yield layer, layer.quantizer
            elif kind in ("Flatten", "Reshape", "Dropout", "Concatenate"):
                yield from _first_quantisers(model, node.outputs[0])
            elif not layer.__dict__.get("_enable_iq"):
                yield layer, None
            else:
                several = getattr(layer.iq, "quantizers", (layer.iq,) * len(node.input_tensors))
                yield from ((layer, several[place].quantizer) for place in places)


def _of_data(layer: Any) -> Iterator[Any]:
    """Yield what a layer rounds its inputs and results by; a table's results are rounded where it is made."""
    if type(layer).__name__ == "Quantizer":
        yield layer.quantizer
        return
    if layer.__dict__.get("_enable_iq"):
        yield from (one.quantizer for one in getattr(layer.iq, "quantizers", (layer.iq,)))
    if layer.__dict__.get("_enable_oq") and type(layer).__name__ != "QUnaryFunctionLUT":
        yield layer.oq.quantizer


def _is_dummy(quantiser: Any) -> bool:
    """Whether it is one of HGQ2's that pass everything on as it is."""
    return type(quantiser).__name__ == "DummyQuantizer"
