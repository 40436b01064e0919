"""The muon reference: pT of a barrel muon in a trigger's time and cells, nearly as well as in floating point.

Run it as a sweep over the price of a bit, from the repository::

    fpgaclass firmware search docs/examples/muon_reference.py:train --set beta=1.2e-6,1.6e-6 --set seed=1 \\
        --folder sweep --lut 9400 --latency-ns 50 --plot front.png

The way there, on simulated muons alone:

1. A floating-point network of the same shape gives the weights to start from, and a larger one (the teacher)
   the values to learn. These have none of the scatter that a muon's own momentum has about what its hits can
   tell (10 % and more), and a network that must also learn its bit widths is disturbed by that scatter much
   more than one in floating point.
2. The quantised network learns weights and bit widths together; a bit operation costs ``beta``.
3. The bit widths are kept, and the weights alone are trained on. From one epoch to the next sigma68 moves by
   some per cent, as weights step from one value on their grid to the next: the best epoch is kept, by muons
   that are for choosing only.

All networks, those in floating point too, count muons about a trigger's thresholds four times: what is asked
for is sigma68 from 10 to 40 GeV, and muons of which the hits tell little would have most of the loss.

Seen, simulated muons, the result on a sample of its own; "float" is a network of the same shape trained as
long on the same muons with the same counts, its epoch chosen in the same way:

==== ======== ================== ====== ===== ===== ================ ================ =======
seed beta     sigma68, quantised float  ratio yosys da4ml's estimate pipeline, stages latency
==== ======== ================== ====== ===== ===== ================ ================ =======
1    1.2e-6   0.0970             0.0954 1.017 9,586 9,149            5                25 ns
2    1.2e-6   0.0970             0.0955 1.016 9,861 9,326            5                25 ns
3    1.2e-6   0.0967             0.0975 0.992 8,854 8,209            5                25 ns
1    1.35e-6  0.0989             0.0954 1.036 8,789 8,205            5                25 ns
2    1.35e-6  0.1003             0.0955 1.050 9,350 8,866            5                25 ns
3    1.35e-6  0.0976             0.0975 1.001 8,511 8,067            5                25 ns
==== ======== ================== ====== ===== ===== ================ ================ =======

The look-up tables are those of the network; what counts is yosys' figure (open-synthesis estimate), the one
of ``build(model).report`` and the larger of the two. The latency is an estimate at the U250's 200 MHz. With
all muons counted alike, seed 3 reached 1.050 times float (0.1048 to 0.0998) with 9,635 LUT. The proof in
tests/firmware/test_search_muon.py holds each seed to 5 % and 10,000 tables at the default ``beta``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fpgaclass import muon

WIDTHS, TEACHER = (20, 16, 16), (64, 48, 32, 32)
MUONS = 200_000
# Epochs of the start, of the quantised network after it with bits that change and with bits that stay, and
# of the teacher.
START, LEARNED, KEPT, TAUGHT = 40, 80, 40, 60
EPOCHS = (START, LEARNED, KEPT, TAUGHT)
RATE, LOW_RATE = 5e-3, 1e-3
# Seeds of the muons for choosing; those for the result have another, and no seed of training comes near.
CHOOSING, RESULT = 1003, 1004


def train(
    beta: float = 1.2e-6, seed: int = 1, muons: int = MUONS, epochs: tuple[int, int, int, int] = EPOCHS
) -> Any:
    """Train the quantised network 27-20-16-16-1; ``beta`` is the price of a bit operation."""
    import keras
    from hgq.utils import trace_minmax

    keras.utils.set_random_seed(seed)
    X, y = sample(muons, seed)
    start = fit(float_network(WIDTHS), X, y, epochs[0])
    teacher = fit(float_network(TEACHER), X, y, epochs[3])
    taught = teacher.predict(X, batch_size=8192, verbose=0)[:, 0]
    model = quantised_network(beta)
    layers = [layer for layer in model.layers if layer.weights]
    given = start.get_weights()
    for layer, kernel, bias in zip(layers, given[0::2], given[1::2], strict=True):
        layer.kernel.assign(kernel)
        layer.bias.assign(bias)
    fit(model, X, taught, epochs[1], end=LOW_RATE)
    keep_bits(model)
    fit(model, X, taught, epochs[2], rate=LOW_RATE, choose=True)
    trace_minmax(model, X, batch_size=8192, verbose=0)
    return model


def reference(seed: int = 1) -> Any:
    """Train a floating-point network of the same shape as long on the same muons, and choose its epoch."""
    import keras

    keras.utils.set_random_seed(seed)
    X, y = sample(MUONS, seed)
    model = fit(float_network(WIDTHS), X, y, START)
    return fit(model, X, y, LEARNED + KEPT, choose=True)


def score(model: Any) -> float:
    """Return sigma68 of (reconstructed - true) / true pT from 10 to 40 GeV, on muons kept for choosing."""
    return sigma68(model, CHOOSING)


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


def keep_bits(model: Any) -> None:
    """Let training change a quantised network's weights alone; its bits cost nothing any more."""
    for variable in model.trainable_variables:
        if variable.name in ("b", "i", "f"):
            variable.trainable = False
    for layer in model._flatten_layers():
        if getattr(layer, "_beta", None) is not None:
            layer._beta.assign(0.0)


def weights(y: Any) -> Any:
    """Let muons about the trigger's thresholds count four times as much as others; 1 on average."""
    pt = muon.from_target(y)
    counts = np.where((pt > 7) & (pt < 60), 4.0, 1.0)
    return counts / counts.mean()


def fit(
    model: Any, X: Any, y: Any, epochs: int, rate: float = RATE, end: float = 0.0, choose: bool = False
) -> Any:
    """Train with Adam, the rate falling as a half cosine to ``end``; ``choose`` keeps the best epoch."""
    import keras

    best: dict[str, Any] = {"score": math.inf}

    def falling(epoch: int) -> float:
        return end + (rate - end) * 0.5 * (1 + math.cos(math.pi * epoch / epochs))

    def look(_epoch: int, _logs: Any) -> None:
        found = sigma68(model, CHOOSING, muons=50_000)
        if found < best["score"]:
            best.update(score=found, weights=model.get_weights())

    # Compiling takes some ten seconds, which a short training does not win back.
    model.compile(keras.optimizers.Adam(rate), "mae", steps_per_execution=20, jit_compile=len(X) > 100_000)
    callbacks = [keras.callbacks.LearningRateScheduler(falling)]
    if choose:
        callbacks.append(keras.callbacks.LambdaCallback(on_epoch_end=look))
    model.fit(X, y, batch_size=500, epochs=epochs, sample_weight=weights(y), verbose=0, callbacks=callbacks)
    if choose:
        model.set_weights(best["weights"])
    return model
