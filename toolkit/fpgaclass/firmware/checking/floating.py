"""What a model gives before anything of it is rounded: Keras', scikit-learn's or xgboost's own results."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import InvalidInputError
from fpgaclass.firmware.models.model import is_quantised, single
from fpgaclass.firmware.models.nested import flat
from fpgaclass.firmware.trees.conifer import is_trees, library_of

Values = npt.NDArray[np.float32]
Choice = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
_BATCH = 8192


@dataclass(frozen=True)
class Floating:
    """A model in floating point, whichever library it is of.

    Attributes:
        library: that computes it.
        takes: shape of an event.
        gives: shape of an event's results.
        predict: events (n, \\*shape) -> (n, outputs); raw scores of trees.
        choice: (n, outputs) -> what a classifier chooses for each event; None if it is none.
    """

    library: str
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    predict: Callable[[Values], npt.NDArray[Any]]
    choice: Choice | None


def floating(model: Any) -> Floating:
    """Return what computes a model's own results.

    Raises:
        InvalidInputError: it has none in floating point.
    """
    import keras

    if isinstance(model, keras.Model):
        model = single(model)
        takes, gives = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
        return Floating("Keras", takes, gives, lambda x: _in_batches(model, x), _choice_of_keras(model))
    of_trees = _OF_TREES.get(library_of(model))
    if of_trees is not None:
        return of_trees(model)
    raise InvalidInputError(
        f"a {type(model).__name__} has no results in floating point to compare with",
        next_step="give the model as Keras, scikit-learn or xgboost trained it, or leave events out of build",
    )


def is_rounded(model: Any) -> bool:
    """Tell whether a model has results in floating point that its firmware only comes near to."""
    return library_of(model) in _OF_TREES if is_trees(model) else not is_quantised(model)


def _in_batches(model: Any, x: Values) -> npt.NDArray[Any]:
    parts = [np.asarray(model(x[i : i + _BATCH], training=False)) for i in range(0, len(x), _BATCH)]
    return np.concatenate(parts).reshape(len(x), -1)


def _choice_of_keras(model: Any) -> Choice | None:
    if len(model.output_shape) > 2:
        return None
    if model.output_shape[1] > 1:
        return _largest
    last = flat(model).layers[-1]
    sigmoid = getattr(getattr(last, "activation", None), "__name__", "") == "sigmoid"
    return (lambda y: y[:, 0] > 0.5) if sigmoid else None


def _of_sklearn(model: Any) -> Floating:
    score = getattr(model, "decision_function", None)

    def predict(x: Values) -> npt.NDArray[Any]:
        with warnings.catch_warnings():  # that a table's columns had names and these events have none
            warnings.simplefilter("ignore", UserWarning)
            return np.asarray((score or model.predict)(x)).reshape(len(x), -1)

    return _of_trees("scikit-learn", model.n_features_in_, predict, score is not None)


def _of_xgboost(model: Any) -> Floating:
    import xgboost  # type: ignore[import-not-found,import-untyped,unused-ignore]

    booster = model.get_booster() if hasattr(model, "get_booster") else model
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]

    def predict(x: Values) -> npt.NDArray[Any]:
        margin = booster.predict(xgboost.DMatrix(x), output_margin=True, validate_features=False)
        return np.asarray(margin).reshape(len(x), -1)

    return _of_trees("xgboost", booster.num_features(), predict, objective.startswith(("binary:", "multi:")))


_OF_TREES = {"sklearn": _of_sklearn, "xgboost": _of_xgboost}


def _of_trees(library: str, features: int, predict: Callable[[Values], Any], chooses: bool) -> Floating:
    scores = predict(np.zeros((1, features), np.float32)).shape[1]
    return Floating(library, (features,), (scores,), predict, _largest_or_sign if chooses else None)


def _largest(y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(y.argmax(axis=1))


def _largest_or_sign(y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return _largest(y) if y.shape[1] > 1 else y[:, 0] > 0
