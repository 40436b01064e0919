"""Whether a network is of a size that is worth beginning with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fpgaclass.core import BuildError
from fpgaclass.firmware.board import Board
from fpgaclass.firmware.trees.logic import Trees

# Every weight that is not zero is an adder of its own; what several outputs share is rarely half of them.
_SHARED = 2


def check_size(model: Any, board: Board) -> None:
    """Refuse a network that no pruning or sharing brings onto a board, before hours are spent on its logic.

    Raises:
        BuildError: it has more than twice as many multiplications as the board has look-up tables.
    """
    count, there = multiplications(model), board.resources.lut
    if count > _SHARED * there:
        raise BuildError(
            f"{board.title} is too small: the model has {count:,} multiplications by a weight, all of them "
            f"hardware at once, and the board {there:,} LUT",
            next_step="use fewer and smaller layers, or strides before the convolutions",
        )


def multiplications(model: Any) -> int:
    """Count what a quantised model multiplies by weights that are not zero; trees have none."""
    if isinstance(model, Trees):
        return 0
    return sum(_of_layer(layer) for layer in model.layers)


def _of_layer(layer: Any) -> int:
    kernel = getattr(layer, "qkernel", None)
    if kernel is None:
        return 0
    # The last axis of the output is what the kernel makes; the others are how often it is there.
    places = math.prod(int(size) for size in layer.output.shape[1:-1])
    return int(np.count_nonzero(np.asarray(kernel))) * places
