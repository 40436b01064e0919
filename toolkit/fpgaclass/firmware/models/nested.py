"""Models within a model, such as a frozen base under a new head: made one network of the same layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fpgaclass.core import UnsupportedLayerError


def flat(model: Any) -> Any:
    """Return a Keras model with the layers of the models within it in their places; the given one if none is.

    The layers are copies with the same weights, and nothing of it computes anything else. They keep their
    names. Where two are called alike, the inner one gets its model's name before its own.

    Raises:
        UnsupportedLayerError: a model within has several inputs or outputs, or a call of its own.
    """
    import keras

    if not any(_is_model(layer) for layer in model.layers):
        return model
    taken = {layer.name for layer in model.layers if not _is_model(layer)}
    copies: dict[int, Any] = {}
    weights: list[tuple[Any, Any]] = []

    def copied(layer: Any, within: Any) -> Any:
        if not isinstance(layer, keras.Layer):
            return layer  # a function, which holds nothing
        if id(layer) not in copies:
            name = layer.name if within is model else _free_name(layer.name, within.name, taken)
            copies[id(layer)] = copy_of(layer, {**layer.get_config(), "name": name})
            weights.append((layer, copies[id(layer)]))
        return copies[id(layer)]

    def run(inner: Any, given: Any) -> Any:
        """Put a model's layers after a tensor."""

        def call(layer: Any, *args: Any, **options: Any) -> Any:
            if not _is_model(layer):
                return copied(layer, inner)(*args, **options)
            check_nested(layer)
            (tensor,) = keras.tree.flatten(args)
            return run(layer, tensor)

        graph = getattr(inner, "_functional", None) or inner
        result = graph._run_through_graph(given, operation_fn=lambda layer: layer, call_fn=call)
        (tensor,) = keras.tree.flatten(result)
        return tensor

    entrance = model.inputs[0]._keras_history.operation
    inputs = keras.Input(model.input_shape[1:], dtype=entrance.dtype, name=entrance.name)
    whole = keras.Model(inputs, run(model, inputs), name=model.name)
    for source, copy in weights:
        if source.weights:
            copy.set_weights(source.get_weights())
        if hasattr(copy, "finalize_state"):
            copy.finalize_state()  # of a Normalization, whose mean is no weight
    return whole


def copy_of(layer: Any, config: dict[str, Any]) -> Any:
    """Return a layer of the same kind, of another configuration.

    Raises:
        UnsupportedLayerError: Keras cannot make it from a configuration.
    """
    try:
        return type(layer).from_config(config)
    except (TypeError, ValueError) as own:
        raise UnsupportedLayerError(
            f"layer {layer.name!r} ({type(layer).__name__}) holds Python code of its own, such as a "
            "regulariser, which cannot be copied",
            next_step="use those of keras, or decorate yours with "
            "@keras.saving.register_keras_serializable()",
        ) from own


def all_layers(model: Any) -> Iterator[Any]:
    """Yield what a model and the models within it are made of: layers, and functions among them."""
    graph = getattr(model, "_functional", None) or model
    for layer in getattr(graph, "operations", graph.layers):
        if _is_model(layer):
            check_nested(layer)
            yield from all_layers(layer)
        else:
            yield layer


def code_of_its_own(model: Any) -> str | None:
    """Return what of a model is Python code that its layers do not show, if anything is."""
    import keras

    kinds = (keras.Sequential, keras.src.models.Functional)
    if not isinstance(model, kinds):
        return type(model).__name__
    return None if type(model).call in [kind.call for kind in kinds] else f"{type(model).__name__}.call"


def _is_model(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.Model)


def check_nested(model: Any) -> None:
    """Refuse a model within a model that is more than its layers, or has several ends.

    Raises:
        UnsupportedLayerError: names it, and what would do instead.
    """
    own = code_of_its_own(model)
    if own is not None:
        raise UnsupportedLayerError(
            f"layer {model.name!r} is a model that is Python code of its own ({own})",
            next_step="build it of layers: keras.Sequential, or keras.Model(inputs, outputs)",
        )
    taken, given = len(model.inputs), len(model.outputs)
    if taken != 1 or given != 1:
        raise UnsupportedLayerError(
            f"layer {model.name!r} is a model with {taken} inputs and {given} outputs",
            next_step="give it one of each, or use its layers one by one",
        )


def _free_name(name: str, model: str, taken: set[str]) -> str:
    while name in taken:
        name = f"{model}_{name}"
    taken.add(name)
    return name
