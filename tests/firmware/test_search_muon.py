"""The muon reference: as good as in floating point, in the cells and the time that a trigger has."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from fpgaclass import muon
from fpgaclass.firmware import Budget, grid, search

WIDTHS = (20, 16, 16)
FLOAT_EPOCHS, QUANTISED_EPOCHS = 40, 60
BUDGET = Budget(lut=10_000, latency_ns=50)


def _fit(model: Any, X: Any, y: Any, epochs: int, learning_rate: float) -> Any:
    import keras

    def falling(epoch: int) -> float:
        return learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / epochs))

    schedule = keras.callbacks.LearningRateScheduler(falling)
    model.compile(keras.optimizers.Adam(learning_rate), "mae", steps_per_execution=20)
    model.fit(X, y, batch_size=500, epochs=epochs, verbose=0, callbacks=[schedule])
    return model


def _float_network() -> Any:
    import keras

    hidden = [keras.layers.Dense(width, "relu") for width in WIDTHS]
    return keras.Sequential([keras.Input((27,)), *hidden, keras.layers.Dense(1)])


def _quantised_network(beta: float) -> Any:
    """Learn the bit widths too; a bit operation costs beta of loss. Data wrap, as wires do."""
    import keras
    from hgq.config import LayerConfigScope, QuantizerConfigScope
    from hgq.layers import QDense

    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=beta),
    ):
        inputs = h = keras.Input((27,))
        for width in WIDTHS:
            h = QDense(width, activation="relu")(h)
        return keras.Model(inputs, QDense(1, enable_oq=True)(h), name="muon_pt")


@pytest.mark.slow
def test_the_muon_regressor_fits_the_trigger_and_keeps_its_resolution(tmp_path: Path) -> None:
    """sigma68 within 5 % of the floating-point network it starts from, at 10,000 LUTs and 50 ns (estimate).

    The reference is that network after 40 epochs. The quantised one has 60 more, with its bits in the loop;
    the floating-point network improves too when it is given as many, and how far the quantised one is from
    that is printed, not claimed: 4 to 6 % was seen. The beta is chosen on one sample and the result taken
    on another, since the better of two noisy scores is too good.
    """
    import keras
    from hgq.utils import trace_minmax

    muons = muon.simulate(200_000, seed=1, spectrum="log_pt").with_stubs(2)
    X, y = muon.standardise(muon.features(muons)), muon.to_target(muons.pt)

    def sample(seed: int) -> tuple[Any, Any]:
        some = muon.simulate(150_000, seed=seed, spectrum="log_pt").with_stubs(2)
        return some.pt, muon.standardise(muon.features(some))

    choosing, judging = sample(3), sample(4)

    def sigma68_on(pt: Any, X: Any, model: Any) -> float:
        reco = muon.from_target(model.predict(X, batch_size=8192, verbose=0))
        return float(muon.resolution(pt, reco, bins=(10, 40)).sigma68[0])

    def sigma68(model: Any) -> float:
        return sigma68_on(*choosing, model)

    keras.utils.set_random_seed(1)
    start = _fit(_float_network(), X, y, FLOAT_EPOCHS, 5e-3)
    weights = start.get_weights()

    def train(beta: float) -> Any:
        model = _quantised_network(beta)
        layers = [layer for layer in model.layers if layer.weights]
        for layer, kernel, bias in zip(layers, weights[0::2], weights[1::2], strict=True):
            layer.kernel.assign(kernel)
            layer.bias.assign(bias)
        _fit(model, X, y, QUANTISED_EPOCHS, 5e-3)
        trace_minmax(model, X, batch_size=8192, verbose=0)
        return model

    reference = sigma68_on(*judging, start)
    found = search(train, grid(beta=[6e-7, 7e-7]), sigma68, folder=tmp_path, budget=BUDGET)
    best = found.best()
    reached = sigma68_on(*judging, best.model())
    as_long = sigma68_on(*judging, _fit(start, X, y, QUANTISED_EPOCHS, 5e-3))
    print(
        f"{found}\nsigma68 at 10 to 40 GeV (simulated), on other muons: quantised {reached:.4f}, floating "
        f"point {reference:.4f}, and {as_long:.4f} when trained as long"
    )
    assert reached <= 1.05 * reference
    assert best.lut <= 10_000
    assert best.latency_ns < 50
