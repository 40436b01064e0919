"""Train a small network for a notebook, or find it trained already."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from fpgaclass.core import InvalidInputError, cache_directory, digest_of, held_lock, say


def train(
    model: Any,
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    epochs: int = 30,
    batch_size: int = 500,
    learning_rate: float = 5e-3,
    loss: str = "mae",
    seed: int = 1,
) -> Any:
    """Train a Keras model with Adam and a learning rate that falls along half a cosine to zero.

    The same model, from the same weights on the same data with the same settings, is found as it was trained
    before: whoever restarts a notebook does not wait again. Call `reproducible` first, so that training
    anew would give the same weights, too.

    Args:
        model: a built Keras or HGQ2 model; it is changed in place.
        x: (n, ...) inputs.
        y: (n, ...) targets.
        epochs: how often all events are shown.
        batch_size: events in a step.
        learning_rate: at the start.
        loss: Keras' name of it.
        seed: of the order of the events, and of whatever else is drawn.

    Returns:
        The model.

    Raises:
        InvalidInputError: x and y do not fit, hold NaN or infinity, or a setting is not positive.
    """
    x, y = np.asarray(x), np.asarray(y)
    if len(x) != len(y) or not len(x):
        raise InvalidInputError(f"x has {len(x)} events and y {len(y)}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InvalidInputError("x or y holds NaN or infinity", next_step="drop or mend those events")
    if min(epochs, batch_size, learning_rate) <= 0:
        raise InvalidInputError("epochs, batch_size and learning_rate must be positive")
    digest = _digest(model, x, y, epochs, batch_size, learning_rate, loss, seed)
    kept = cache_directory("training") / f"{digest}.npz"
    # Whoever asks for the same at the same time waits and finds it: both processes of a graded notebook do.
    with held_lock(kept.with_suffix(".lock")):
        if _find(model, kept):
            say(f"found {model.name} trained on the same data: {digest[:12]}")
        else:
            _fit(model, x, y, epochs, batch_size, learning_rate, loss, seed)
            _keep(model, kept)
    # A fresh optimizer either way: what it remembers of the training would tell the two apart.
    model.compile(_adam(learning_rate), loss)
    return model


def _adam(learning_rate: float) -> Any:
    import keras

    return keras.optimizers.Adam(learning_rate, name="adam")


def _fit(
    model: Any, x: Any, y: Any, epochs: int, batch_size: int, learning_rate: float, loss: str, seed: int
) -> None:
    import keras

    def falling(epoch: int) -> float:
        return learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / epochs))

    keras.utils.set_random_seed(seed)
    model.compile(_adam(learning_rate), loss)
    schedule = keras.callbacks.LearningRateScheduler(falling)
    model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0, callbacks=[schedule])


def _digest(model: Any, x: Any, y: Any, *settings: Any) -> str:
    versions = [f"{name} {version(name)}" for name in ("keras", "numpy")]
    weights = [np.ascontiguousarray(weight).tobytes() for weight in model.get_weights()]
    data = [part for a in (x, y) for part in (str((a.shape, a.dtype)), np.ascontiguousarray(a).tobytes())]
    return digest_of(*versions, _architecture(model), repr(settings), *weights, *data)


def _architecture(model: Any) -> str:
    """Return a model's architecture without its names: Keras counts layers up over the whole session."""
    text: str = model.to_json()
    for n, name in enumerate(dict.fromkeys(_names(json.loads(text)))):
        text = text.replace(f'"{name}"', f'"name {n}"')
    return text


def _names(part: Any) -> Iterator[str]:
    """Yield the names of a model and its layers, as they come in its configuration."""
    if isinstance(part, dict):
        if isinstance(part.get("name"), str):
            yield part["name"]
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from _names(one)


def _find(model: Any, path: Path) -> bool:
    """Give the model the weights that were kept, if there are any and they can be read."""
    try:
        with np.load(path) as weights:
            model.set_weights([weights[f"w{n}"] for n in range(len(weights.files))])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # cut short by a full disk, for instance
        return False
    return True


def _keep(model: Any, path: Path) -> None:
    """Write the weights whole or not at all: another notebook may look at the same time."""
    with TemporaryDirectory(dir=path.parent) as folder:
        scratch = Path(folder) / path.name
        np.savez(scratch, **{f"w{n}": weight for n, weight in enumerate(model.get_weights())})
        scratch.replace(path)
