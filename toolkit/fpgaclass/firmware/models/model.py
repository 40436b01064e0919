"""What a model must be before work on it starts, the names of its layers, and its digest."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from fpgaclass.core import FirmwareError, InvalidInputError, UnsupportedLayerError, digest_of
from fpgaclass.firmware.models.nested import all_layers, code_of_its_own, copy_of, flat
from fpgaclass.firmware.models.plain import check_plain_layer, steps_of
from fpgaclass.firmware.models.quantisers import check_input
from fpgaclass.firmware.models.supported import check_quantised_layer
from fpgaclass.firmware.trees.logic import Trees

MODEL_FILE = "model.keras"


def save_model(model: Any, folder: Path) -> None:
    """Keep a model in a firmware's folder."""
    if isinstance(model, Trees):
        model.save(folder)
    else:
        model.save(folder / MODEL_FILE)


def load_built(folder: Path) -> Any:
    """Return the model that a firmware's folder was made of, as ``save_model`` kept it.

    Raises:
        FirmwareError: it is not there, or damaged.
    """
    import hgq.layers  # noqa: F401  (makes its classes known to Keras)
    import keras

    try:
        if not (folder / MODEL_FILE).is_file():
            return Trees.load(folder)
        return keras.models.load_model(folder / MODEL_FILE, compile=False)
    except Exception as bad:  # Keras raises many kinds for a file that is not a model
        what = str(bad).splitlines()[0] if isinstance(bad, ValueError) and str(bad) else type(bad).__name__
        raise FirmwareError(
            f"the firmware's model cannot be read: {what}",
            where=str(folder),
            next_step="build it again with firmware.build(model)",
        ) from bad


def is_quantised(model: Any) -> bool:
    """Tell whether a model is made of HGQ2 layers (as opposed to plain Keras ones)."""
    return any(type(layer).__module__.startswith("hgq.") for layer in all_layers(model))


def check_model(model: Any) -> None:
    """Refuse what cannot be built, before any work starts.

    Raises:
        InvalidInputError: not a built Keras model, several inputs or outputs, weights that are not finite.
        UnsupportedLayerError: a layer that cannot become logic; names the layer and what would do instead.
    """
    import keras

    if not isinstance(model, keras.Model):
        path = isinstance(model, (str, Path))
        raise InvalidInputError(
            f"a {type(model).__name__} is not a Keras model",
            next_step="read it: keras.models.load_model(path)" if path else "pass an HGQ2 or Keras model",
        )
    own = code_of_its_own(model)
    if own is not None:
        raise InvalidInputError(
            f"model {model.name!r} is Python code of its own ({own}), which firmware would not have",
            next_step="build it of layers alone: keras.Sequential, or keras.Model(inputs, outputs)",
        )
    if not model.built or not getattr(model, "inputs", None):
        raise InvalidInputError(
            f"model {model.name!r} has no input shape yet",
            next_step="begin it with keras.Input(shape), or call it once on data",
        )
    if len(model.inputs) != 1:
        raise InvalidInputError(
            f"model {model.name!r} has {len(model.inputs)} inputs, and firmware has one",
            next_step="give it one keras.Input that holds all the values of an event in a row",
        )
    if len(model.outputs) != 1:
        raise InvalidInputError(
            f"model {model.name!r} has {len(model.outputs)} outputs, and firmware has one",
            next_step="end it in keras.layers.Concatenate()(model.outputs)",
        )
    if None in model.input_shape[1:]:
        raise InvalidInputError(
            f"model {model.name!r} takes events of any size: {model.input_shape[1:]}",
            next_step="give keras.Input a shape of whole numbers",
        )
    quantised = is_quantised(model)
    _check_layers(model, quantised)
    whole = flat(model)
    if whole is not model:
        _check_layers(whole, quantised)  # what stands beside what is seen now
        model = whole
    _check_uses(model, quantised)
    if quantised:
        check_input(model)
    else:
        steps_of(model)


def single(model: Any) -> Any:
    """Return a model that takes a tensor and gives one, where it was made of lists or dictionaries of one."""
    import keras

    if isinstance(model, keras.Sequential):
        return model
    if all(isinstance(end, keras.KerasTensor) for end in (model.input, model.output)):
        return model
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def canonical(model: Any) -> Any:
    """Return an HGQ2 model with the names that its layers would have had in a new session.

    Models within it are taken apart. Keras numbers layers through a session, so that the same code run twice
    gives other names. Names that the user gave stay. ``Activation("relu")`` becomes a ReLU layer, which is
    what da4ml knows.
    """
    import keras

    model = flat(single(model))
    names = _names(model)

    def renamed(layer: Any) -> Any:
        config = {**layer.get_config(), "name": names[layer.name]}
        if type(layer).__name__ == "Activation" and config["activation"] == "relu":
            return keras.layers.ReLU(name=config["name"])
        return copy_of(layer, config)

    entrance = model.inputs[0]._keras_history.operation
    given = keras.Input(model.input_shape[1:], dtype=entrance.dtype, name=names[entrance.name])
    twin = keras.models.clone_model(model, input_tensors=given, clone_function=renamed)
    twin = keras.Model(given, twin.outputs[0], name="model" if _unnamed(model) else model.name)
    for layer in model.layers:
        if layer.weights:
            twin.get_layer(names[layer.name]).set_weights(layer.get_weights())
    return twin


def model_digest(model: Any) -> str:
    """Return the SHA-256 of a quantised model's architecture and weights.

    Training state does not count, nor do the numbers that Keras gave to layers without a name.
    """
    if isinstance(model, Trees):
        return model.digest
    weights = [part for w in model.weights for part in (str(w.shape), np.asarray(w).tobytes())]
    config = json.loads(model.to_json())
    config.pop("compile_config", None)
    config["config"].pop("name", None)
    return digest_of(json.dumps(_replaced(config, _names(model)), sort_keys=True), *weights)


def _operations(model: Any) -> list[Any]:
    """The model's layers, and the functions of ``keras.ops`` and operators among them."""
    functional = getattr(model, "_functional", None) or model
    return list(functional.operations)


def _check_layers(model: Any, quantised: bool) -> None:
    check = check_quantised_layer if quantised else check_plain_layer
    for layer in all_layers(model):
        _check_weights(layer)
        check(layer)


def _check_uses(model: Any, quantised: bool) -> None:
    """Refuse a layer in two places: its precisions and tables are those of one.

    What counts are the model's own nodes. A layer has more of them where it is in other models, too, or in
    earlier builds of this one, as every Sequential model has that was loaded from a file.
    """
    functional = getattr(model, "_functional", None) or model
    uses = Counter(id(node.operation) for level in functional._nodes_by_depth.values() for node in level)
    for layer in functional.operations:
        shared = quantised and type(layer).__name__ == "QDense"
        if uses[id(layer)] > 1 and not shared:
            raise UnsupportedLayerError(
                f"layer {layer.name!r} ({type(layer).__name__}) is used more than once",
                next_step="make a layer for each use",
            )


def _check_weights(layer: Any) -> None:
    for weight in getattr(layer, "weights", ()):
        bad = int((~np.isfinite(np.asarray(weight, dtype=np.float64))).sum())
        if bad and "i_decay_speed" not in weight.path:
            raise InvalidInputError(
                f"{bad} weights of layer {layer.name!r} ({weight.name}) are NaN or infinite",
                next_step="train again with a lower learning rate, or mend them",
            )


def _names(model: Any) -> dict[str, str]:
    """Map each layer's name to the one it would have in a new session, in the order of the model."""
    taken: dict[str, int] = {}
    names: dict[str, str] = {}
    given = {layer.name for layer in _operations(model) if not _automatic(layer)}
    for layer in _operations(model):
        if not _automatic(layer):
            names[layer.name] = layer.name
            continue
        stem = _snake(type(layer).__name__)
        while True:
            count = taken[stem] = taken.get(stem, -1) + 1
            name = f"{stem}_{count}" if count else stem
            if name not in given:
                break
        names[layer.name] = name
    return names


def _automatic(layer: Any) -> bool:
    return re.fullmatch(rf"{re.escape(_snake(type(layer).__name__))}(_\d+)?", layer.name) is not None


def _unnamed(model: Any) -> bool:
    """Whether a model has the name that Keras gave it, or one of other layers that it was made of."""
    return re.fullmatch(r"(sequential|functional)(_\d+)?", model.name) is not None or _automatic(model)


def _snake(name: str) -> str:
    from keras.src.utils.naming import to_snake_case

    return str(to_snake_case(name))


def _replaced(config: Any, names: dict[str, str]) -> Any:
    if isinstance(config, dict):
        return {key: _replaced(value, names) for key, value in config.items()}
    if isinstance(config, list):
        return [_replaced(value, names) for value in config]
    return names.get(config, config) if isinstance(config, str) else config
