"""quiet() keeps stderr empty, because nbgrader gives a noisy check cell zero."""

from __future__ import annotations

import subprocess
import sys

import pytest

_LOUD = """
import sys
sys.ps1 = ">>> "  # as in a notebook, where TensorFlow is louder
from fpgaclass.lab import quiet
quiet()
import keras, tensorflow as tf, numpy as np
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(np.zeros((64, 4)), np.zeros(64), verbose=0)
for n in range(8):  # one graph each: TensorFlow warns of retracing
    model.predict(np.zeros((n + 1, 4)), verbose=0)
    tf.function(lambda x: x + 1)(tf.constant(n))
"""


@pytest.mark.slow
def test_tensorflow_says_nothing() -> None:
    """Without quiet() the same lines write start-up messages and retracing warnings to stderr."""
    done = subprocess.run([sys.executable, "-c", _LOUD], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    loud = subprocess.run(
        [sys.executable, "-c", _LOUD.replace("quiet()", "")], capture_output=True, text=True
    )
    assert "retracing" in loud.stdout + loud.stderr, "this test must be able to fail"
