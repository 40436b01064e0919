"""Small trained models, made once a session."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def _data() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = (np.round(np.clip(rng.normal(size=(8000, 6)), -3.9, 3.9) * 256) / 256).astype(np.float32)
    y = np.tanh(x @ rng.normal(size=(6, 1)) / 3).astype(np.float32)
    return x, y


@pytest.fixture(scope="session")
def events() -> Any:
    """Events (8000, 6) like those the small models were trained on."""
    return _data()[0]


@pytest.fixture(scope="session")
def quantised_model() -> Any:
    """A trained HGQ2 regressor 6-8-4-1."""
    import keras
    from hgq.config import LayerConfigScope, QuantizerConfigScope
    from hgq.layers import QDense
    from hgq.utils import trace_minmax

    keras.utils.set_random_seed(7)
    x, y = _data()
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=1e-6),
    ):
        inputs = h = keras.Input((6,))
        h = QDense(8, activation="relu", name="first")(h)
        h = QDense(4, activation="relu", name="second")(h)
        outputs = QDense(1, name="out", enable_oq=True)(h)
    model = keras.Model(inputs, outputs, name="small")
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    model.fit(x, y, batch_size=256, epochs=4, verbose=0)
    trace_minmax(model, x, batch_size=8192, verbose=0)
    return model


@pytest.fixture(scope="session")
def float_model() -> Any:
    """A trained plain Keras regressor with batch normalisation before and after an activation."""
    import keras

    keras.utils.set_random_seed(7)
    x, y = _data()
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, name="first"),
            keras.layers.BatchNormalization(name="folded_back"),
            keras.layers.ReLU(),
            keras.layers.Dense(4, activation="relu", name="second"),
            keras.layers.BatchNormalization(name="folded_ahead"),
            keras.layers.Dense(1, name="out"),
        ],
        name="plain",
    )
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    model.fit(x, y, batch_size=256, epochs=4, verbose=0)
    return model
