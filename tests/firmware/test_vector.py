"""The network's logic in vectors of events."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import find_compiler
from fpgaclass.core import FirmwareError
from fpgaclass.firmware.network import trace_network
from fpgaclass.firmware.vector import compile_vector, run_vector, write_vector


@pytest.fixture(scope="module")
def wavy_model() -> Any:
    """An HGQ2 model with a table, a skip connection and a leaky ReLU: every kind of operation."""
    import keras
    from hgq.config import QuantizerConfig
    from hgq.layers import QAdd, QDense, QUnaryFunctionLUT

    def one_type(place: str) -> Any:
        return QuantizerConfig("kif", place, homogeneous_axis=None, heterogeneous_axis=(), i0=1, f0=5)

    keras.utils.set_random_seed(3)
    inputs = x = keras.Input((6,))
    x = QDense(8)(x)
    x = QUnaryFunctionLUT(
        "tanh", iq_conf=one_type("datalane"), oq_conf=one_type("table"), allow_heterogeneous_table=False
    )(x)
    skip = x = QDense(8, activation="relu")(x)
    x = keras.layers.LeakyReLU(0.25)(QDense(8)(x))
    return keras.Model(inputs, QDense(2, enable_oq=True)(QAdd()([x, skip])), name="wavy")


@pytest.mark.parametrize("events", [1, 15, 16, 17, 5000])
def test_vectors_say_what_the_interpreter_says(wavy_model: Any, events: int, tmp_path: Path) -> None:
    """Exact on every event, on and off the grid, in range and far beyond; partial vectors at the end too."""
    network = trace_network(wavy_model)
    assert write_vector(network.logic, tmp_path)
    library = compile_vector(tmp_path)
    x = np.random.default_rng(events).normal(0, 5, (events, 6))
    x.flat[::29] *= np.resize([2.0**31, -1e12, 1e18, -3e36, 1e-40], x.flat[::29].shape)
    expected = network.predict(x)
    assert len(np.unique(expected)) > min(events, 20) / 2, "the model must not be constant"
    assert np.array_equal(run_vector(library, network.inputs, network.outputs, x), expected)


def test_what_cannot_be_expressed_is_left_to_the_interpreter(wavy_model: Any, tmp_path: Path) -> None:
    """A silent approximation would break the promise of exactness."""
    logic = trace_network(wavy_model).logic
    odd = logic._replace(ops=[op._replace(opcode=10) if op.opcode == 0 else op for op in logic.ops])
    assert not write_vector(odd, tmp_path)
    assert not list(tmp_path.iterdir())


def test_software_of_another_version_is_refused_in_words(wavy_model: Any, tmp_path: Path) -> None:
    """A firmware that was saved long ago: no AttributeError of ctypes, and no bits misread."""
    network = trace_network(wavy_model)
    old = tmp_path / "old.cpp"
    old.write_text('extern "C" void predict(const double *, double *, long) {}\n')
    command = [*find_compiler().command, "-shared", "-fPIC", str(old), "-o", str(tmp_path / "old.so")]
    subprocess.run(command, check=True)
    with pytest.raises(FirmwareError, match="made by another version of fpgaclass"):
        run_vector(tmp_path / "old.so", network.inputs, network.outputs, np.zeros((1, 6)))
