"""What people have in files: trained models and events; whatever is wrong with one is said in a line."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import InvalidInputError, UnsupportedLayerError

_KNOWN = ("keras", "hgq")
_SAVE = "save it with model.save('name.keras')"


def read_model(path: str | Path) -> Any:
    """Read a trained model that Keras saved, HGQ2's layers included.

    Raises:
        InvalidInputError: there is no such file, or it is no model.
        UnsupportedLayerError: a layer of it is code of its own; names the layer.
    """
    path = Path(path)
    if path.is_dir():
        raise InvalidInputError("a folder is no model", where=str(path), next_step=_SAVE)
    if not path.is_file():
        raise InvalidInputError("there is no such model", where=str(path), next_step="give a .keras file")
    import hgq.layers  # noqa: F401  (makes its classes known to Keras)
    import keras

    try:
        return keras.models.load_model(path, compile=False)
    except Exception as bad:  # Keras raises many kinds for a file that is not a model
        for name, kind in _layers_of(path):
            raise UnsupportedLayerError(
                f"layer {name!r} ({kind}) is Python code of its own, which no file holds",
                where=str(path),
                next_step=f"use layers of keras.layers or hgq.layers in place of {kind}, and save it again",
            ) from bad
        first = (str(bad).strip() or type(bad).__name__).splitlines()[0].partition(". ")[0]
        what = first if zipfile.is_zipfile(path) or path.suffix == ".h5" else "it is no file of Keras' kind"
        if "No model config" in first:
            raise InvalidInputError(
                "the file holds weights alone, and no layers",
                where=str(path),
                next_step="make the model as it was, model.load_weights(path), model.save('name.keras')",
            ) from bad
        raise InvalidInputError(f"no model can be read: {what}", where=str(path), next_step=_SAVE) from bad


def read_events(path: str | Path) -> npt.NDArray[Any]:
    """Read one array of events that ``numpy.save`` wrote.

    Raises:
        InvalidInputError: there is no such file, or not one array of numbers in it.
    """
    try:
        events = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as bad:
        # NumPy takes whatever it does not know for a pickle.
        what = getattr(bad, "strerror", None) or str(bad)
        what = "it is no .npy file of numbers" if "pickle" in what else what
        raise InvalidInputError(f"no events can be read: {what}", where=str(path), next_step=_ONE) from bad
    if not isinstance(events, np.ndarray):
        events.close()
        raise InvalidInputError("a file of several arrays are no events", where=str(path), next_step=_ONE)
    return events


def read_precision(text: str | None) -> str | dict[str, Any] | None:
    """Read a precision as it is given in a terminal: a type, hls4ml's configuration as JSON, or such a file.

    Raises:
        InvalidInputError: the file cannot be read, or what is in it is no JSON.

    Example:
        >>> read_precision('{"LayerName": {"input": {"Precision": "ufixed<8,8>"}}}')["LayerName"]["input"]
        {'Precision': 'ufixed<8,8>'}
    """
    if text is None or not (text.endswith(".json") or text.lstrip().startswith("{")):
        return text
    where = text if text.endswith(".json") else None
    try:
        found = json.loads(Path(text).read_text() if where else text)
    except (OSError, ValueError) as bad:
        raise InvalidInputError(
            f"no precision can be read: {bad}",
            where=where,
            next_step='write it as JSON: {"LayerName": {"first": {"Precision": {"weight": "fixed<8,2>"}}}}',
        ) from bad
    if not isinstance(found, dict):
        raise InvalidInputError(
            f"precision is {found!r}", where=where, next_step="write a type as fixed<16,6>"
        )
    return found


_ONE = "save one array with numpy.save, as a .npy file"


def _layers_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and class of the layers of a .keras file that are neither Keras' nor HGQ2's."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        layers = config["config"]["layers"]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return
    yield from _own_layers(layers)


def _own_layers(layers: Any) -> Iterator[tuple[str, str]]:
    """Yield those of them, and of models among them."""
    for layer in layers:
        kind, home, config = str(layer.get("class_name")), str(layer.get("module") or ""), layer["config"]
        own = layer.get("registered_name") or kind
        if kind == "Lambda" or home.partition(".")[0] not in _KNOWN or str(own).startswith("Custom>"):
            yield str(config.get("name", "?")), kind
        yield from _own_layers(config.get("layers", ()))
