"""Whether a network is of a size that is worth beginning with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import BuildError, warn
from fpgaclass.firmware.board import Board
from fpgaclass.firmware.trees.logic import Trees

# da4ml's logic has from 0.5 (8,900 weights of 16 bits) to 1.4 times as many LUT as are counted here, and
# shares more the larger a network is.
_SHARED = 4
_LONG = 100_000
_PLACES = 24  # of a weight that count


def check_size(model: Any, board: Board) -> None:
    """Refuse a network that no sharing of sums brings onto a board, before hours are spent on its logic.

    Raises:
        BuildError: its weights' digits, an adder each, are of many times the board's look-up tables.
    """
    needed, there = adder_bits(model), board.resources.lut
    about = f"about {needed:,.0f} LUT before sums are shared (estimate)"
    if needed * board.lut_ratio > _SHARED * there:
        raise BuildError(
            f"{board.title} is too small: the model multiplies by {multiplications(model):,} weights, all of "
            f"them hardware at once: {about}, and the board has {there:,}",
            next_step="use fewer and smaller layers, fewer bits, or strides before the convolutions",
        )
    if needed > _LONG:
        warn(f"{model.name}: {about}, at a minute and more for each 10,000: fewer bits would be quicker")


def multiplications(model: Any) -> int:
    """Count what a quantised model multiplies by weights that are not zero; trees have none."""
    return sum(int(np.count_nonzero(kernel)) * places for kernel, _, places in _kernels(model))


def adder_bits(model: Any) -> float:
    """Count the bits of a quantised model's adders if no sum was shared; trees have none.

    A product by a weight is a sum of shifted inputs, one for each digit of the weight that is not zero (in
    canonical signed digits).
    """
    return sum(float(_digits(kernel).sum()) * bits * places for kernel, bits, places in _kernels(model))


def _digits(kernel: npt.NDArray[Any]) -> npt.NDArray[Any]:
    whole = np.abs(np.round(kernel.astype(np.float64) * 2.0**_PLACES)).astype(np.int64)
    return np.asarray(np.bitwise_count(whole ^ (3 * whole)))


def _kernels(model: Any) -> Iterator[tuple[npt.NDArray[Any], float, int]]:
    """Yield each layer's weights, the mean bits of its inputs, and at how many places it is there."""
    for layer in () if isinstance(model, Trees) else model.layers:
        kernel = getattr(layer, "qkernel", None)
        if kernel is not None:
            kind = layer.iq.quantizer.kif if layer.__dict__.get("_enable_iq") else (1,)
            bits = float(np.maximum(sum(np.asarray(part) for part in kind), 0).mean())
            # The last axis of the output is what the kernel makes; the others are how often it is there.
            yield np.asarray(kernel), bits, math.prod(int(size) for size in layer.output.shape[1:-1])
