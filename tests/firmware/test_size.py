"""Networks that no board holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fpgaclass.core import BuildError
from fpgaclass.firmware import FixedPoint, build, load_board, quantise
from fpgaclass.firmware.models.size import check_size, multiplications
from fpgaclass.firmware.trees.logic import Tree, Trees


def _image() -> Any:
    import keras

    K = keras.layers
    convolution = K.Conv2D(3, 3, kernel_initializer="ones", name="c")
    model = keras.Sequential([keras.Input((8, 8, 2)), convolution, K.Flatten(), K.Dense(5, name="d")])
    kernel = np.ones((108, 5))
    kernel[:8] = 0
    model.get_layer("d").kernel.assign(kernel)
    return quantise(model)


def test_a_convolution_is_there_once_for_each_place() -> None:
    """By hand: 3 * 3 * 2 * 3 weights at 6 * 6 places, and (108 - 8) * 5 that are not zero."""
    assert multiplications(_image()) == 54 * 36 + 500
    leaf = Tree((-1,), (0,), (-1,), (-1,), (3,))
    assert multiplications(Trees("forest", 2, FixedPoint(8, 4), FixedPoint(8, 4), ((leaf,),), (0,))) == 0


def test_a_network_that_no_board_holds_is_refused_at_once() -> None:
    """da4ml would look for its adders for hours, and then it would be too small all the same."""
    import keras

    huge = keras.Sequential([keras.Input((3000,)), keras.layers.Dense(2000)])
    with pytest.raises(BuildError, match=r"U250 is too small: the model has \d,\d+,\d+ multiplications.*LUT"):
        build(huge, board="u250")
    check_size(_image(), load_board("icebreaker"))
