"""The steps of a network, and how normalisations and ReLU become part of the layers beside them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fpgaclass.firmware.models.scaling import SCALINGS, Scaling, scaling_of

LINEAR = ("Dense", "Conv1D", "Conv2D")
Key: TypeAlias = Hashable  # of a tensor


@dataclass
class Step:
    """One thing that the network does, on its way to becoming an HGQ2 layer.

    Attributes:
        kind: a Keras layer's class name, or ``"Table"``, ``"Slope"``, ``"Capped"`` or ``"Scale"``.
        name: the layer it comes from.
        layer: that layer.
        inputs: keys of the tensors that it takes.
        output: key of the tensor that it gives.
        kernel: weights of Dense and convolutions, or the scale of a batch normalisation.
        bias: what is added, per output channel.
        activation: ``"linear"`` or ``"relu"`` for a linear layer; of a ``"Table"``, the function.
        folded: names of the layers that are within it.
        before: the Normalization or Rescaling that is within its weights, and was before it.
        maximum: of what is ``"Capped"``: a ReLU that goes up to it; of a ``"Scale"`` before such a ReLU, the
            largest of its results that counts.
        exact: a ``"Scale"`` by numbers that belong to a function and not to what was trained: held as they
            are, in no layer's weights.
    """

    kind: str
    name: str
    layer: Any
    inputs: list[Key]
    output: Key
    kernel: npt.NDArray[Any] = field(default_factory=lambda: np.ones(1))
    bias: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(1))
    activation: str = "linear"
    folded: list[str] = field(default_factory=list)
    before: Scaling | None = None
    maximum: float = 0.0
    exact: bool = False

    @property
    def linear(self) -> bool:
        """Whether it multiplies by a kernel and has no activation yet."""
        return self.kind in LINEAR and self.activation == "linear"


def fold(steps: list[Step], result: Key) -> None:
    """Fold in place, as long as there is something to fold."""
    while any(_fold_one(steps, step, result) for step in steps):
        pass


def _fold_one(steps: list[Step], step: Step, result: Key) -> bool:
    """Fold a step into the one before it, or into those after it; tell whether it could be."""

    def readers(key: Key) -> list[Step | None]:
        return [one for one in steps for given in one.inputs if given == key] + [None] * (key == result)

    before = next((one for one in steps if [one.output] == step.inputs), None)
    after = readers(step.output)
    foldable = before is not None and before.linear and step.kind in ("Scale", "ReLU") and not step.exact
    if before is not None and foldable and len(readers(before.output)) == 1:
        _fold_back(step, before)
        steps.remove(step)
        return True
    # A normalisation of the user's is the same in each of several branches.
    if step.kind == "Scale" and not step.exact and (len(after) == 1 or _is_scaling(step)):
        takers = [one for one in after if one is not None and _takes_scale(one, step)]
        if takers and len(takers) == len(after):
            for one in takers:
                _fold_ahead(step, one)
            steps.remove(step)
            return True
    if _is_scaling(step) and len(after) == 1 and after[0] is not None and after[0].kind == "Flatten":
        _swap(steps, step, after[0])
        return True
    return False


def _fold_back(step: Step, before: Step) -> None:
    if step.kind == "ReLU":
        before.activation = "relu"
    else:
        before.kernel = before.kernel * step.kernel
        before.bias = before.bias * step.kernel + step.bias
    before.output = step.output
    before.folded += [step.name, *step.folded]


def _takes_scale(step: Step, scale: Step) -> bool:
    """Whether its inputs' scale and shift can go into its weights: a padded border is not shifted."""
    return step.kind == "Dense" or (
        step.kind in LINEAR and (step.layer.padding == "valid" or not scale.bias.any())
    )


def _fold_ahead(scale: Step, after: Step) -> None:
    all_but_last = tuple(range(after.kernel.ndim - 1))
    after.bias = after.bias + (after.kernel * scale.bias[:, None]).sum(axis=all_but_last)
    after.kernel = after.kernel * scale.kernel[:, None]
    after.inputs = scale.inputs
    after.folded += [scale.name, *scale.folded]
    if _is_scaling(scale):
        one = scaling_of(scale.layer)
        one = replace(one, scale=scale.kernel, shift=scale.bias)  # of as many channels as are flat by now
        after.before = one if after.before is None else one.then(after.before)


def _is_scaling(step: Step) -> bool:
    return step.kind == "Scale" and type(step.layer).__name__ in SCALINGS


def _swap(steps: list[Step], scale: Step, flat: Step) -> None:
    """Flatten first, and scale what is flat."""
    values = int(flat.layer.output.shape[-1]) // scale.kernel.size
    scale.kernel, scale.bias = np.tile(scale.kernel, values), np.tile(scale.bias, values)
    (given,), between, result = scale.inputs, scale.output, flat.output
    flat.inputs, flat.output, scale.inputs, scale.output = [given], between, [between], result
    steps.remove(scale)
    steps.insert(steps.index(flat) + 1, scale)
