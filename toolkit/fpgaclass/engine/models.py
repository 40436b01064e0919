"""A Keras model by its configuration and its weights, and back, without running anything it brings along.

Keras can put Python code into a model's configuration (Lambda layers, functions by module and name). A model
that needs such things is described as None, and stays with its owner as a handle.
"""

from __future__ import annotations

import json
import re
from typing import Any

from fpgaclass.engine.wire import WireError

_MODULES = re.compile(r"(keras|hgq|builtins)(\.[A-Za-z_][A-Za-z0-9_]*)*\Z")
_HARMLESS = re.compile(r"[\w .:,/+<>=-]{0,200}\Z")  # names end up in generated C++
_REFUSED = (
    *("Lambda", "__lambda__", "function", "__typespec__"),
    *("TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"),
    *("StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization"),  # read a file that they name
)
_MOST_WEIGHTS = 30_000_000


def describe(model: Any) -> tuple[str, list[Any]] | None:
    """Return a model's configuration (JSON text) and weights, or None if it cannot go by value."""
    import keras

    try:
        text = json.dumps(keras.saving.serialize_keras_object(model))
        _refuse_strangers(json.loads(text))
        return text, model.get_weights()
    except Exception:
        return None


def rebuild(text: str, weights: list[Any]) -> Any:
    """Return the model of a description that came from somebody untrusted.

    Raises:
        WireError: it names what is not a layer of Keras or HGQ2, or is too large.
    """
    import keras

    config = json.loads(text)
    _refuse_strangers(config)
    if "hgq." in text:
        import hgq.layers  # noqa: F401 - Keras finds the layers once they are registered
    if sum(weight.size for weight in weights) > _MOST_WEIGHTS:
        raise WireError("a model that is too large")
    model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    if not isinstance(model, keras.Model):
        raise WireError("not a model")
    if model.count_params() > _MOST_WEIGHTS:
        raise WireError("a model that is too large")
    model.set_weights(weights)
    return model


def _refuse_strangers(part: Any) -> None:
    """Raise WireError unless every object in a configuration is one of Keras' or HGQ2's own classes."""
    if isinstance(part, dict):
        if "class_name" in part:
            module = part.get("module")
            known = module is None or (isinstance(module, str) and _MODULES.match(module))
            if not known or part["class_name"] in _REFUSED:
                raise WireError(f"a model with {str(part['class_name'])[:60]!r} in it")
            if module == "builtins":
                raise WireError("a model with a function of its own in it")
        for key, value in part.items():
            _refuse_strangers(key)
            _refuse_strangers(value)
    elif isinstance(part, list | tuple):
        for value in part:
            _refuse_strangers(value)
    elif isinstance(part, str) and not _HARMLESS.match(part):
        raise WireError("a model with an odd name in it")
