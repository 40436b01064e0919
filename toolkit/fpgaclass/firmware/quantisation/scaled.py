"""Whether fixed-point types hold what a Normalization or Rescaling leaves of inputs and weights.

Such a layer takes numbers of any size, a pixel of 0 to 255 or an energy in MeV, and gives numbers of about
one. Folded into the weights of the next layer it costs nothing, but the inputs are then the large numbers,
and the weights are smaller by the same factor. What the usual type would cut off is the network itself; so
the types must be said, by whoever knows the events, or be wide enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from fpgaclass.core import UnsupportedLayerError
from fpgaclass.firmware.models.folding import Step
from fpgaclass.firmware.models.scaling import BEFORE, Scaling
from fpgaclass.firmware.quantisation.precision import FixedPoint
from fpgaclass.firmware.quantisation.precisions import Precisions

_MOST_BITS = 32
# So many bits may be lost of steps that were chosen for numbers of about one: features of a deviation of 0.3
# or 4 are common, and the report says how far the firmware is.
_SLACK = 2


def check_scaled(steps: Sequence[Step], types: Precisions, entrance: str) -> None:
    """Refuse types that a scaling folded into the first layers would make coarser than they say.

    A type that was given for the input, or for the weights of the layer, is taken as it is.

    Raises:
        UnsupportedLayerError: names the layer and the types that would do.
    """
    made = {step.output for step in steps}
    for step in steps:
        scaling = step.before
        if scaling is None:
            continue
        wanted: dict[str, str] = {}
        usual = types.model_type("result")
        if step.inputs[0] not in made and not types.names_result(entrance):
            needed = _input_type(scaling, usual)
            if not _holds(usual, needed):
                wanted[entrance] = f'"{_short(needed)}"'
        weight = types.model_type("weight", "scale")
        if not types.names_weight(step.name):
            needed = _weight_type(scaling, step, weight)
            if weight.fraction + _SLACK < needed.fraction:
                wanted[step.name] = f'{{"weight": "{_short(needed)}"}}'
        if wanted:
            low, high = scaling.usual
            layers = ", ".join(f'"{name}": {{"Precision": {kind}}}' for name, kind in wanted.items())
            raise UnsupportedLayerError(
                f"layer {scaling.layer!r} takes numbers such as {low:.4g} to {high:.4g}, and folded into "
                f"{step.name!r} it needs other types than {_short(usual)}",
                next_step=f'give precision={{"Model": {{"Precision": "{_short(usual)}"}}, '
                f'"LayerName": {{{layers}}}}}, or what suits your events; or {BEFORE}',
            )


def _input_type(scaling: Scaling, usual: FixedPoint) -> FixedPoint:
    """Return a type with the scaling's range, and after it the steps of the usual type."""
    low, high = scaling.usual
    fraction = usual.fraction + math.floor(math.log2(np.abs(scaling.scale).max()))
    return _type([low, high], fraction)


def _weight_type(scaling: Scaling, step: Step, usual: FixedPoint) -> FixedPoint:
    """Return a type for the scaled weights whose steps are to them as the usual ones to those before."""
    fraction = usual.fraction + max(0, math.floor(-math.log2(np.abs(scaling.scale).min())))
    return _type([float(step.kernel.min()), float(step.kernel.max())], fraction)


def _type(values: Iterable[float], fraction: int) -> FixedPoint:
    whole = math.frexp(max(abs(value) for value in values))[1] + 1
    return FixedPoint(min(_MOST_BITS, max(1, whole + fraction)), whole)


def _holds(kind: FixedPoint, other: FixedPoint) -> bool:
    return kind.fraction + _SLACK >= other.fraction and kind.low <= other.low and kind.high >= other.high


def _short(kind: FixedPoint) -> str:
    sign = "" if kind.signed else "u"
    return f"{sign}fixed<{kind.width},{kind.integer}>"
