"""Building the muon regressor, and running it in software against hls4ml's own emulation of it."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

EVENTS = 10_000


def rows() -> list[dict[str, Any]]:
    """Return ``firmware.build`` (seconds) and ``firmware.predict`` (events a second), measured in one run."""
    from fpgaclass import firmware

    model, events = _regressor()
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("FPGACLASS_CACHE")
        os.environ["FPGACLASS_CACHE"] = folder
        try:
            started = time.perf_counter()
            built = firmware.build(model, board="u250", name="muon_pt")
            building = time.perf_counter() - started
            ours = _rate(lambda: built.predict(np.tile(events, (20, 1))), 20 * len(events))
            theirs, values = _hls4ml(model, events, Path(folder) / "peer")
        finally:
            os.environ.pop("FPGACLASS_CACHE") if before is None else os.environ.update(FPGACLASS_CACHE=before)
        assert np.array_equal(values.reshape(-1, 1), built.predict(events)), (
            "the two must agree to be compared"
        )
    lut = built.report.network.lut
    return [
        {
            "name": "firmware.build",
            "ours": round(building, 1),
            "peer": None,
            "ratio": None,
            "unit": "s",
            "how": f"27-32-16-1 HGQ2 regressor, {lut:,} LUT, all stages and 20,000 events checked, no cache",
        },
        {
            "name": "firmware.predict",
            "ours": round(ours),
            "peer": round(theirs),
            "ratio": round(ours / theirs, 1),
            "unit": "events/s",
            "how": "Firmware.predict against hls4ml 1.3's compiled model.predict, same results, one process",
        },
    ]


def _regressor() -> tuple[Any, Any]:
    """Train the regressor briefly on simulated muons; return it and standardised events (EVENTS, 27)."""
    import keras
    from hgq.config import LayerConfigScope, QuantizerConfigScope
    from hgq.layers import QDense
    from hgq.utils import trace_minmax

    from fpgaclass import muon

    keras.utils.set_random_seed(1)
    muons = muon.simulate(40_000, seed=1, spectrum="log_pt").with_stubs(2)
    x, y = muon.standardise(muon.features(muons)), muon.to_target(muons.pt)
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=3e-6),
    ):
        inputs = h = keras.Input((27,))
        for units in (32, 16):
            h = QDense(units, activation="relu")(h)
        model = keras.Model(inputs, QDense(1, enable_oq=True)(h), name="muon_pt")
    model.compile(keras.optimizers.Adam(3e-3), "mae")
    model.fit(x, y, batch_size=500, epochs=10, verbose=0)
    trace_minmax(model, x, batch_size=8192, verbose=0)
    return model, np.ascontiguousarray(x[:EVENTS], dtype=np.float32)


def _hls4ml(model: Any, events: Any, folder: Path) -> tuple[float, Any]:
    """Convert, compile and run the model with hls4ml alone; return events a second, and the results."""
    from hls4ml.converters import convert_from_keras_model

    config = {"Model": {"Precision": "fixed<-1,0>", "ReuseFactor": 1, "Strategy": "Latency"}}
    with contextlib.redirect_stdout(io.StringIO()):
        peer = convert_from_keras_model(
            model,
            hls_config=config,
            backend="Vitis",
            io_type="io_parallel",
            bit_exact=True,
            output_dir=str(folder),
        )
        peer.compile()
    values = peer.predict(events)
    return _rate(lambda: peer.predict(events), len(events)), values


def _rate(run: Any, events: int) -> float:
    """Events a second, best of three: the machine does other things too."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return events / min(times)
