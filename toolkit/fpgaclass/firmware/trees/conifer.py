"""What conifer does for trees: it reads the models of other libraries, and writes C++ for synthesis."""

from __future__ import annotations

import contextlib
import copy
import io
import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fpgaclass.core import InvalidInputError, ToolMissingError, UnsupportedLayerError
from fpgaclass.firmware.quantisation.precision import FixedPoint
from fpgaclass.firmware.quantisation.precisions import Precision, Precisions
from fpgaclass.firmware.trees.logic import LEAF, Tree, Trees

_LIBRARIES = ("sklearn", "xgboost", "conifer")
_BATCH = """// Many events in one call, so that Python is not in the loop.
#include "firmware/BDT.h"
#include "firmware/parameters.h"
extern "C" void emulate_batch(const double *in, double *out, long events, long in_size, long out_size) {
    for (long i = 0; i < events; ++i) {
        input_arr_t x;
        score_t scores[BDT::fn_classes(n_classes)];
        for (long j = 0; j < in_size; ++j) x[j] = in[i * in_size + j];
        bdt.decision_function(x, scores);
        for (long j = 0; j < out_size; ++j) out[i * out_size + j] = double(scores[j]);
    }
}
"""


def is_trees(model: Any) -> bool:
    """Tell whether a model is an ensemble of trees, ours or of a library that conifer reads."""
    return isinstance(model, Trees) or library_of(model) in _LIBRARIES


def library_of(model: Any) -> str:
    """Return the name of the package that a model's class is of, such as ``"sklearn"``."""
    return type(model).__module__.partition(".")[0]


def read_trees(model: Any, precision: Precision = None, *, name: str = "trees") -> Trees:
    """Turn a trained ensemble into fixed point.

    Thresholds keep every decision on inputs that are on the grid of their type; leaves are rounded.

    Args:
        model: of scikit-learn's GradientBoosting or xgboost, or a model of conifer's.
        precision: a type in hls4ml's notation for inputs and leaves; or hls4ml's configuration, with
            ``"result"`` of the layers ``"input"`` and ``"trees"``. None is ``fixed<16,6>``.
        name: of the firmware, if none is given to ``build``.

    Raises:
        ToolMissingError: conifer is not installed.
        UnsupportedLayerError: a model that conifer cannot read, or one with oblique cuts.
        InvalidInputError: thresholds or leaves that are not finite, or beyond their type.
    """
    if isinstance(model, Trees):
        if precision is not None:
            raise InvalidInputError(
                f"{model.name!r} is of fixed-point types already ({model.taken} and {model.given}): "
                "precision would change nothing",
                next_step="leave precision out, or give the trees as they were trained",
            )
        return model
    types = Precisions.of(precision)
    types.refuse_unknown(("input", "trees"), "an ensemble of trees")
    taken, given = types.result("input"), types.result("trees")
    types.warn_of_unused({})
    ensemble = _ensemble(model)
    below = ensemble["splitting_convention"] == "<"
    trees = [
        [_tree(tree, taken, given, below, ensemble["norm"]) for tree in row] for row in ensemble["trees"]
    ]
    scores = len(trees[0])
    start = [_whole(value * ensemble["norm"], given, "start") for value in ensemble["init_predict"]]
    return Trees(
        name,
        int(ensemble["n_features"]),
        taken,
        given,
        tuple(tuple(row[score] for row in trees) for score in range(scores)),
        tuple((start * scores)[:scores]),
    )


def write_conifer(trees: Trees, folder: Path, top: str, part: str, clock_period: float) -> None:
    """Write conifer's project for high-level synthesis of an ensemble that is in fixed point already.

    Raises:
        ToolMissingError: conifer is not installed.
    """
    conifer = _conifer()
    sums = max(_bits(total) for total in _largest(trees))
    score = f"ap_fixed<{sums + 1},{sums + 1 - trees.given.fraction}>"
    taken = trees.taken
    config = {
        "Backend": "xilinxhls", "ProjectName": top, "OutputDir": str(folder), "XilinxPart": part,
        "ClockPeriod": clock_period, "Unroll": True, "ScorePrecision": score,
        "InputPrecision": f"ap_{'' if taken.signed else 'u'}fixed<{taken.width},{taken.integer}>",
        "ThresholdPrecision": f"ap_{'' if taken.signed else 'u'}fixed<{taken.width},{taken.integer}>",
        "WeightPrecision": "int",
    }  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        conifer.model.make_model(_for_conifer(trees), config).write()
    (folder / "batch.cpp").write_text(_BATCH)


def _ensemble(model: Any) -> dict[str, Any]:
    """Return conifer's dictionary of an ensemble."""
    conifer = _conifer()
    library = library_of(model)
    if library == "conifer":
        fields = ("n_classes", "n_features", "init_predict", "norm", "splitting_convention")
        rows = [
            [{key: getattr(tree, key) for key in tree._tree_fields if hasattr(tree, key)} for tree in row]
            for row in model.trees
        ]
        return {**{key: getattr(model, key) for key in fields}, "trees": rows}
    if library == "sklearn":
        _check_sklearn(model)
    if library == "sklearn" and not hasattr(model, "n_classes_"):
        model = copy.copy(model)
        model.n_classes_ = 1
    if library == "xgboost" and find_spec("pandas") is None:
        raise ToolMissingError(
            "conifer reads xgboost's models with pandas, which is not installed",
            next_step="pip install pandas",
        )
    try:
        found: dict[str, Any] = conifer.converters.get_converter(library).convert(model)
        if library == "xgboost":
            found = _as_xgboost(model, found)
    except InvalidInputError:
        raise
    except Exception as bad:  # a converter meets each model with exceptions of its own
        raise UnsupportedLayerError(
            f"conifer cannot read a {type(model).__name__}: {type(bad).__name__} {bad}",
            next_step="train it first; use a GradientBoosting or xgboost model of trees (booster='gbtree')",
        ) from bad
    return found


def _check_sklearn(model: Any) -> None:
    """Refuse what is no gradient boosting, and one that begins with another model's prediction."""
    kind = type(model).__name__
    if kind not in ("GradientBoostingClassifier", "GradientBoostingRegressor"):
        step = "use sklearn's GradientBoostingClassifier or -Regressor, or xgboost"
        within = {"Pipeline": "model[-1], and scale the events before", "GridSearchCV": "best_estimator_"}
        raise UnsupportedLayerError(
            f"a {kind} cannot be built",
            next_step=f"give what is in it, {within[kind]}" if kind in within else step,
        )
    if model.init not in (None, "zero"):
        raise UnsupportedLayerError(
            f"the {kind} adds its trees to what another model gives (init={type(model.init).__name__}), "
            "which is not built",
            next_step="train it with init=None",
        )


def _as_xgboost(model: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Mend conifer's view of an xgboost model, and compare it with the library's own.

    xgboost's thresholds are of single precision and conifer takes them from a table of nine digits: one that
    is on the grid of the inputs would move to the other side of it. What is added to the trees' sum depends
    on objective and version, so it is taken from the library's own results.

    Raises:
        InvalidInputError: the trees do not give the library's own results (such as those of booster dart).
    """
    import xgboost  # type: ignore[import-not-found,import-untyped,unused-ignore]

    booster = model.get_booster() if hasattr(model, "get_booster") else model
    trees = [
        [{**tree, "threshold": np.float32(tree["threshold"]).tolist()} for tree in row]
        for row in found["trees"]
    ]
    cuts = np.concatenate([tree["threshold"] for row in trees for tree in row])
    rows = np.random.default_rng(1).uniform(cuts.min() - 1, cuts.max() + 1, (256, found["n_features"]))
    rows = rows.astype(np.float32)
    theirs = booster.predict(xgboost.DMatrix(rows), output_margin=True, validate_features=False)
    sums = np.array([[sum(_leaf(row[k], x) for row in trees) for k in range(len(trees[0]))] for x in rows])
    start = theirs.reshape(sums.shape) - sums
    if np.ptp(start, axis=0).max() > 1e-4 * max(1.0, np.abs(theirs).max()):
        raise InvalidInputError(
            "the trees that conifer reads do not give xgboost's own results",
            next_step="train with booster='gbtree' and without categories",
        )
    return {**found, "trees": trees, "init_predict": np.median(start, axis=0).tolist()}


def _leaf(tree: Mapping[str, Any], x: Any) -> float:
    node = 0
    while tree["children_left"][node] != -1:
        side = "left" if x[tree["feature"][node]] < tree["threshold"][node] else "right"
        node = tree[f"children_{side}"][node]
    return float(tree["value"][node])


def _tree(tree: Mapping[str, Any], taken: FixedPoint, given: FixedPoint, below: bool, norm: float) -> Tree:
    feature, cut, value = [], [], []
    for index, axis in enumerate(tree["feature"]):
        leaf = tree["children_left"][index] == -1
        weights = np.asarray(tree["weight"][index], float) if "weight" in tree else np.ones(0)
        if (weights != 0).sum() > 1:
            raise UnsupportedLayerError(
                "the trees cut along several features at once", next_step="train them to cut along one"
            )
        feature.append(LEAF if leaf else int(axis))
        steps = 0.0 if leaf else float(tree["threshold"][index]) * 2.0**taken.fraction
        if not math.isfinite(steps):
            raise InvalidInputError("a threshold is NaN or infinite", next_step="train again")
        # On the grid, x < t is the same as x <= the step below t.
        whole = math.ceil(steps) - 1 if below else math.floor(steps)
        low, high = (round(end * 2**taken.fraction) for end in (taken.low, taken.high))
        cut.append(min(max(whole, low - 1), high))
        value.append(_whole(float(tree["value"][index]) * norm, given, "leaf") if leaf else 0)
    left, right = (tuple(int(child) for child in tree[f"children_{side}"]) for side in ("left", "right"))
    return Tree(tuple(feature), tuple(cut), left, right, tuple(value))


def _whole(value: float, kind: FixedPoint, what: str) -> int:
    if not math.isfinite(value):
        raise InvalidInputError(f"the {what} value {value} is not a number", next_step="train again")
    if not kind.low <= value <= kind.high:
        raise InvalidInputError(
            f"the {what} value {value:g} is beyond {kind}",
            next_step="give precision more integer bits, such as fixed<18,8>",
        )
    return math.floor(value * 2.0**kind.fraction + 0.5)


def _for_conifer(trees: Trees) -> dict[str, Any]:
    """Return conifer's dictionary of the ensemble, every number of it on its grid."""
    step, unit = 2.0**-trees.taken.fraction, 2.0**-trees.given.fraction

    def one(tree: Tree) -> dict[str, Any]:
        return {
            "feature": [-2 if f == LEAF else f for f in tree.feature],
            "weight": [[int(f == j) for j in range(trees.features)] for f in tree.feature],
            "threshold": [cut * step for cut in tree.cut],
            "value": [value * unit for value in tree.value],
            "children_left": [-1 if f == LEAF else n for f, n in zip(tree.feature, tree.left, strict=True)],
            "children_right": [-1 if f == LEAF else n for f, n in zip(tree.feature, tree.right, strict=True)],
        }

    scores = len(trees.classes)
    count = len(trees.classes[0])
    return {
        "n_classes": 2 if scores == 1 else scores,
        "n_features": trees.features,
        "n_trees": count,
        "max_depth": max(_depth(tree) for row in trees.classes for tree in row),
        "init_predict": [value * unit for value in trees.start],
        "norm": 1,
        "library": "fpgaclass",
        "splitting_convention": "<=",
        "trees": [[one(row[i]) for row in trees.classes] for i in range(count)],
    }


def _depth(tree: Tree, index: int = 0) -> int:
    if tree.feature[index] == LEAF:
        return 0
    return 1 + max(_depth(tree, tree.left[index]), _depth(tree, tree.right[index]))


def _largest(trees: Trees) -> list[int]:
    return [
        abs(start) + sum(max(abs(value) for value in tree.value) for tree in row)
        for row, start in zip(trees.classes, trees.start, strict=True)
    ]


def _bits(count: int) -> int:
    return max(1, int(count).bit_length())


def _conifer() -> Any:
    try:
        import conifer  # type: ignore[import-untyped]
        import conifer.converters  # type: ignore[import-untyped]
        import conifer.model  # type: ignore[import-untyped]
    except ImportError as missing:
        raise ToolMissingError(
            "conifer, which reads trees, is not installed", next_step="pip install conifer"
        ) from missing
    return conifer
