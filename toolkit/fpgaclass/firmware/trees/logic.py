"""Boosted decision trees: read by conifer, compared and added as logic by da4ml.

conifer reads the models of scikit-learn, xgboost and others, and writes the C++ for high-level synthesis. Its
open hardware is VHDL, which Verilator does not take. So the logic is made here, of the same parts as that of
a network: one comparison for each threshold, a multiplexer for each node, and a sum.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import digest_of
from fpgaclass.firmware.quantisation.precision import FixedPoint

MODEL_FILE = "trees.json"
LEAF = -1


@dataclass(frozen=True)
class Tree:
    """A decision tree in whole numbers; node 0 is its root.

    Attributes:
        feature: the input that a node looks at; -1 for a leaf.
        cut: an event goes left if its input is at most this many steps of the inputs' type.
        left: the node to the left.
        right: the node to the right.
        value: of a leaf, in steps of the scores' type.
    """

    feature: tuple[int, ...]
    cut: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[int, ...]


@dataclass(frozen=True)
class Trees:
    """An ensemble of trees in fixed point; what ``build`` makes firmware of.

    The result is the sum of the leaves, a raw score: for two classes one number, of which the sign decides;
    for more, one for each class, of which the largest does. An input is cut to its type as a bus does.

    Attributes:
        name: of the firmware, if none is given.
        features: values of an event.
        taken: the type of the inputs and thresholds.
        given: the type of the leaves; their sums are exact.
        classes: for each score, its trees.
        start: for each score, what the sum begins with, in steps of ``given``.
    """

    name: str
    features: int
    taken: FixedPoint
    given: FixedPoint
    classes: tuple[tuple[Tree, ...], ...]
    start: tuple[int, ...]

    @property
    def input_shape(self) -> tuple[None, int]:
        """As a Keras model has it."""
        return (None, self.features)

    @property
    def output_shape(self) -> tuple[None, int]:
        """As a Keras model has it."""
        return (None, len(self.classes))

    @property
    def digest(self) -> str:
        """SHA-256 of everything but the name."""
        return digest_of(json.dumps({**asdict(self), "name": ""}, sort_keys=True))

    @property
    def parts(self) -> dict[str, Trees]:
        """Each tree by itself: ``"tree 3 of score 0"`` -> an ensemble of it alone."""
        return {
            f"tree {i} of score {score}": replace(self, classes=((tree,),), start=(0,))
            for score, trees in enumerate(self.classes)
            for i, tree in enumerate(trees)
        }

    def save(self, folder: Path) -> None:
        """Write the ensemble into a folder, as JSON."""
        (folder / MODEL_FILE).write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> Trees:
        """Read what ``save`` wrote."""
        data = json.loads((folder / MODEL_FILE).read_text())
        data["classes"] = tuple(
            tuple(Tree(**{key: tuple(part) for key, part in tree.items()}) for tree in row)
            for row in data["classes"]
        )
        kinds = {side: FixedPoint(**data[side]) for side in ("taken", "given")}
        return cls(**{**data, **kinds, "start": tuple(data["start"])})

    def beyond(self, x: npt.ArrayLike) -> int:
        """Count the events with a value that the type of the inputs cannot hold, and that therefore wraps."""
        events = np.asarray(x, np.float64).reshape(-1, self.features)
        outside = (events < self.taken.low) | (events >= self.taken.high + 2.0**-self.taken.fraction)
        return int(outside.any(axis=1).sum())

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Evaluate the ensemble exactly: (n, features) -> (n, scores)."""
        events = np.asarray(x, np.float64).reshape(-1, self.features)
        whole = np.floor(events * 2.0**self.taken.fraction).astype(np.int64)
        low = round(self.taken.low * 2**self.taken.fraction)
        whole = np.mod(whole - low, 1 << self.taken.width) + low
        scores = np.empty((len(events), len(self.classes)))
        for column, (trees, start) in enumerate(zip(self.classes, self.start, strict=True)):
            scores[:, column] = start + sum(_leaves(tree, whole) for tree in trees)
        return (scores * 2.0**-self.given.fraction).astype(np.float32)

    @cached_property
    def logic(self) -> Any:
        """The ensemble as da4ml's combinational logic."""
        from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace

        config = HWConfig(1, -1, -1)
        inputs = FixedVariableArrayInput((self.features,), config)
        sign, whole = int(self.taken.signed), self.taken.integer - self.taken.signed
        read = {f for trees in self.classes for tree in trees for f in tree.feature if f != LEAF}
        values = {f: inputs[f].quantize(sign, whole, self.taken.fraction) for f in sorted(read)}
        step = 2.0**-self.taken.fraction
        # Trees share features and often thresholds: each difference is computed once.
        differences: dict[tuple[int, int], Any] = {}

        def node(tree: Tree, index: int) -> Any:
            feature = tree.feature[index]
            if feature == LEAF:
                return tree.value[index] * 2.0**-self.given.fraction
            key = feature, tree.cut[index]
            if key not in differences:
                differences[key] = values[feature] - (tree.cut[index] + 1) * step
            left, right = node(tree, tree.left[index]), node(tree, tree.right[index])
            difference = differences[key]
            if difference.low >= 0 or left is right or (isinstance(left, float) and left == right):
                return right
            return left if difference.high < 0 else difference.msb_mux(left, right)

        scores = []
        for trees, start in zip(self.classes, self.start, strict=True):
            parts = [node(tree, 0) for tree in trees]
            constant = start * 2.0**-self.given.fraction + sum(p for p in parts if isinstance(p, float))
            scores.append(_sum([p for p in parts if not isinstance(p, float)], constant, config))
        return comb_trace(inputs, scores)


def _leaves(tree: Tree, whole: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the leaf's value of each event (n, features)."""
    feature, cut, left, right, value = (np.array(part) for part in asdict(tree).values())
    at = np.zeros(len(whole), np.int64)
    for _ in range(len(feature)):
        inner = feature[at] != LEAF
        if not inner.any():
            break
        goes_left = whole[np.arange(len(whole)), feature[at]] <= cut[at]
        at = np.where(inner, np.where(goes_left, left[at], right[at]), at)
    return np.asarray(value[at])


def _sum(parts: list[Any], constant: float, config: Any) -> Any:
    """Add in pairs, so that the longest path grows with the logarithm of the count."""
    from da4ml.trace import FixedVariable

    if not parts:
        return FixedVariable.from_const(constant, hwconf=config)
    while len(parts) > 1:
        pairs = [parts[i] + parts[i + 1] for i in range(0, len(parts) - 1, 2)]
        parts = pairs + ([parts[-1]] if len(parts) % 2 else [])
    return parts[0] + constant
