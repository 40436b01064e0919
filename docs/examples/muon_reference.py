"""The muon reference: pT of a barrel muon in a trigger's time and cells, nearly as well as in floating point.

Run it as a sweep over the price of a bit, from the repository::

    fpgaclass firmware search docs/examples/muon_reference.py:train --set beta=1.1e-6,1.25e-6 --set seed=1 \\
        --folder sweep --lut 9400 --latency-ns 50 --plot front.png

The way there: a floating-point network of the same shape gives the weights to start from, and a larger one
(the teacher) the values to learn. The teacher's values have none of the scatter that a muon's own momentum
has about what its hits can tell (10 % and more), and a network that must also learn its bit widths is
disturbed by that scatter much more than one in floating point.

Seen so far on simulated muons, with 60 quantised epochs, against a floating-point network of the same shape
that was trained as long (LUTs are da4ml's estimate): beta 1.05e-6 and seed 1: sigma68 1.019 times its, 10,091
LUT; beta 1.4e-6 and seed 2: 1.057 times, 8,921 LUT. Without the teacher it was 1.03 to 1.09 times at 9,000 to
9,650 LUT (seeds 1 to 3, beta 7e-7). The proof in tests/firmware/test_search_muon.py is the judge.
"""

from __future__ import annotations

import math
from typing import Any

from fpgaclass import muon

WIDTHS, TEACHER = (20, 16, 16), (64, 48, 32, 32)
MUONS = 200_000
# Epochs of the start, of the quantised network after it, and of the teacher.
START, QUANTISED, TAUGHT = 40, 100, 60
RATE = 5e-3


def train(
    beta: float = 1.2e-6,
    seed: int = 1,
    muons: int = MUONS,
    epochs: tuple[int, int, int] = (START, QUANTISED, TAUGHT),
) -> Any:
    """Train the quantised network 27-20-16-16-1; ``beta`` is the price of a bit operation."""
    import keras
    from hgq.utils import trace_minmax

    keras.utils.set_random_seed(seed)
    X, y = sample(muons, seed)
    start = fit(float_network(WIDTHS), X, y, epochs[0])
    teacher = fit(float_network(TEACHER), X, y, epochs[2])
    model = quantised_network(beta)
    layers = [layer for layer in model.layers if layer.weights]
    weights = start.get_weights()
    for layer, kernel, bias in zip(layers, weights[0::2], weights[1::2], strict=True):
        layer.kernel.assign(kernel)
        layer.bias.assign(bias)
    fit(model, X, teacher.predict(X, batch_size=8192, verbose=0)[:, 0], epochs[1])
    trace_minmax(model, X, batch_size=8192, verbose=0)
    return model


def score(model: Any) -> float:
    """Return sigma68 of (reconstructed - true) / true pT from 10 to 40 GeV, on muons kept for choosing."""
    return sigma68(model, seed=1003)


def sigma68(model: Any, seed: int, muons: int = 150_000) -> float:
    """Return sigma68 at 10 to 40 GeV on simulated muons of a seed."""
    some = muon.simulate(muons, seed=seed, spectrum="log_pt").with_stubs(2)
    X = muon.standardise(muon.features(some))
    reco = muon.from_target(model.predict(X, batch_size=8192, verbose=0))
    return float(muon.resolution(some.pt, reco, bins=(10, 40)).sigma68[0])


def sample(muons: int, seed: int) -> tuple[Any, Any]:
    """Return inputs (n, 27) and targets (n,) of simulated muons with two stubs or more."""
    some = muon.simulate(muons, seed=seed, spectrum="log_pt").with_stubs(2)
    return muon.standardise(muon.features(some)), muon.to_target(some.pt)


def float_network(widths: tuple[int, ...]) -> Any:
    """Return a floating-point network of these hidden layers."""
    import keras

    hidden = [keras.layers.Dense(width, "relu") for width in widths]
    return keras.Sequential([keras.Input((27,)), *hidden, keras.layers.Dense(1)])


def quantised_network(beta: float) -> Any:
    """Return the network that learns its bit widths, too. Values wrap on overflow, as wires do."""
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


def fit(model: Any, X: Any, y: Any, epochs: int) -> Any:
    """Train with Adam, the rate falling as a half cosine to zero."""
    import keras

    def falling(epoch: int) -> float:
        return RATE * 0.5 * (1 + math.cos(math.pi * epoch / epochs))

    # Compiling takes some ten seconds, which a short training does not win back.
    model.compile(keras.optimizers.Adam(RATE), "mae", steps_per_execution=20, jit_compile=len(X) > 100_000)
    schedule = keras.callbacks.LearningRateScheduler(falling)
    model.fit(X, y, batch_size=500, epochs=epochs, verbose=0, callbacks=[schedule])
    return model
