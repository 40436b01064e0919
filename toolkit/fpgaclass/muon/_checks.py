"""Argument checks that the metrics share: each refusal says which argument, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaclass.core import InvalidInputError

_Doubles = NDArray[np.float64]


def check_pair(pt_true: Any, pt_reco: Any) -> tuple[_Doubles, _Doubles]:
    """Return both as (n,) float64, or refuse: shapes differ, NaN, infinity, a pT not positive."""
    truth, reco = _vector("pt_true", pt_true), _vector("pt_reco", pt_reco)
    if truth.shape != reco.shape:
        raise InvalidInputError(
            f"pt_true has {len(truth)} muons and pt_reco {len(reco)}",
            next_step="give the same muons, in the same order, to both",
        )
    if not np.all(truth > 0):
        raise InvalidInputError("pt_true holds values that are not positive")
    return truth, reco


def check_weight(weight: Any, n: int) -> _Doubles:
    """Return (n,) float64 weights, all one for None, or refuse negative ones and those that sum to zero."""
    if weight is None:
        return np.ones(n)
    weights = _vector("weight", weight)
    if len(weights) != n:
        raise InvalidInputError(f"weight has {len(weights)} values for {n} muons")
    if np.any(weights < 0) or not weights.sum() > 0:
        raise InvalidInputError("weights must not be negative, and not all zero")
    return weights


def check_edges(name: str, edges: Any) -> _Doubles:
    """Return (k + 1,) float64 rising bin edges, or refuse."""
    result = _vector(name, edges)
    if len(result) < 2 or np.any(np.diff(result) <= 0):
        raise InvalidInputError(f"{name} must be at least two rising numbers in GeV, got {result.tolist()}")
    return result


def check_threshold(threshold: float) -> float:
    """Return a positive finite pT in GeV, or refuse."""
    if not (np.isfinite(threshold) and threshold > 0):
        raise InvalidInputError(f"the threshold is {threshold!r}; it must be a positive number of GeV")
    return float(threshold)


def _vector(name: str, values: Any) -> _Doubles:
    try:
        result = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{name} is not an array of numbers") from None
    if result.ndim == 2 and result.shape[1] == 1:
        result = result[:, 0]  # what a Keras model returns
    if result.ndim != 1 or not result.size:
        raise InvalidInputError(f"{name} has shape {result.shape}, expected (n,) with n >= 1")
    bad = int((~np.isfinite(result)).sum())
    if bad:
        raise InvalidInputError(
            f"{name} holds {bad} NaN or infinite of {len(result)}",
            next_step="use muons with two stubs or more: muons.with_stubs(2)",
        )
    return result
