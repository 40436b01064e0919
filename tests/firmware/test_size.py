"""Networks that no board holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fpgaclass.core import BuildError
from fpgaclass.firmware import FixedPoint, build, load_board, quantise
from fpgaclass.firmware.models.size import adder_bits, check_size, multiplications
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


def test_adders_are_the_digits_of_the_weights_by_the_bits_of_what_they_are_of() -> None:
    """By hand: ones have a digit each, 7/8 is 1 - 1/8 and 5/16 is 1/4 + 1/16, of inputs of 16 bits."""
    import keras

    assert adder_bits(_image()) == (54 * 36 + 500) * 16
    two = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="d")])
    two.get_layer("d").kernel.assign([[7 / 8, 0.0], [-5 / 16, 1.0]])
    assert adder_bits(quantise(two, "fixed<12,4>")) == (2 + 0 + 2 + 1) * 12


def test_what_takes_long_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """The same weights take an hour at 16 bits and minutes at six: whoever waits should know."""
    import keras

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(60)])
    check_size(quantise(model, "fixed<16,6>"), load_board("u250"))
    assert "LUT before sums are shared (estimate), at a minute" in capsys.readouterr().err
    check_size(quantise(model, "fixed<6,3>"), load_board("u250"))
    assert not capsys.readouterr().err
    with pytest.raises(BuildError, match=r"iCEBreaker.* is too small: the model multiplies by .* 5,280"):
        check_size(quantise(model, "fixed<6,3>"), load_board("icebreaker"))


def test_a_network_that_no_board_holds_is_refused_at_once() -> None:
    """da4ml would look for its adders for hours, and then it would be too small all the same."""
    import keras

    huge = keras.Sequential([keras.Input((3000,)), keras.layers.Dense(2000)])
    with pytest.raises(
        BuildError, match=r"U250 is too small: the model multiplies by \d,\d+,\d+ weights.*LUT"
    ):
        build(huge, board="u250")
    check_size(_image(), load_board("pynq-z2"))
