"""Our kernel shell against hls4ml 1.3's own Alveo kernel, in the same simulator and through the same card.

Both kernels hold the same network: for their cycles a sum of 27 inputs, for their speed the muon reference.
hls4ml's kernel moves one 32-bit word a clock; ours moves 64 bytes a clock, with 16-bit words.

Beside it: what Python costs a host over C++, and what importing the card costs over importing pynq.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

import fpgaclass.card
from fpgaclass.card import KernelDesign, write_xclbin
from fpgaclass.core import load_file

INPUTS, EVENTS = 27, 65536
_PEER = "peer: hls4ml 1.3's Alveo kernel with the same {network}, same process"
_STANDIN = Path(__file__).parents[1] / "card" / "standin.py"
_KERNEL = _STANDIN.parent / "hls4ml_kernel.py"
_RECIPE = Path(__file__).parents[2] / "docs" / "examples" / "muon_reference.py"


class _Case(NamedTuple):
    """A network in both kernels, and events of it.

    Attributes:
        ours: in our shell.
        peer: in hls4ml's kernel.
        words: (n, slot) int16, as our kernel reads events.
        peer_words: (n, inputs) int32, the same for hls4ml's, without padding.
        results: (n,) int16, what both must give.
    """

    ours: KernelDesign
    peer: KernelDesign
    words: Any
    peer_words: Any
    results: Any


def rows(repeats: int = 3, muons: bool = True) -> list[dict[str, Any]]:
    """Measure, and return the rows of the benchmark table.

    Args:
        repeats: runs of each speed; the fastest counts.
        muons: take the muon reference for the speed, which is a minute of training and compiling; else a sum.
    """
    standin = load_file("standin", _STANDIN)
    total = _sum(standin)
    result = []
    how = f"simulated: cycles from ap_start to ap_done, {INPUTS} inputs an event, the same memory model; "
    how += _PEER.format(network="stand-in network, a sum")
    for name, events, scale in (("cycles_4096", 4096, 1), ("cycles_per_event_65536", EVENTS, EVENTS)):
        mine, theirs = (_run(standin, total, peer, events)[0] / scale for peer in (False, True))
        ratio = round(theirs / mine, 1)
        result.append(_row(f"kernel.{name}", mine, theirs, ratio, "cycles (fewer is better)", how))
    case, network = (
        (_muons(standin), "network, the muon reference briefly trained") if muons else (total, "sum")
    )
    with _one_core():
        fast = max(_run(standin, case, False, EVENTS)[1] for _ in range(repeats))
        slow = max(_run(standin, case, True, EVENTS)[1] for _ in range(repeats))
    how = f"measured: {EVENTS:,} events through kernel.call on the virtual card, wall time on one core, "
    how += f"best of {repeats}; {_PEER.format(network=network)}"
    result.append(_row("card.events_per_s", fast, slow, round(fast / slow, 1), "events per second", how))
    return [*result, _python_over_cpp(standin, total.ours), _import_time(repeats + 1)]


def _python_over_cpp(standin: ModuleType, design: KernelDesign) -> dict[str, Any]:
    """Compare the host's own part of a call of one event in the two languages."""
    import pynq

    with tempfile.TemporaryDirectory() as folder:
        path = write_xclbin(Path(folder) / "k.xclbin", design, banks=standin.BANKS, link=standin.LINK)
        overlay = pynq.Overlay(str(path), device=fpgaclass.card.VirtualCard(9))
        measured = fpgaclass.card.measure(
            overlay, batch_sizes=(1, 65536), words_in=32, words_out=1, dtype="int16", repeats=21
        )
    python, cpp = measured.timings[0].host_s * 1e6, measured.cpp[0].host_s * 1e6
    large = measured.python_over_cpp[65536]
    how = (
        "measured: the host's part of a call of one event, in Python with pynq (ours) and in the C++ host "
        "on the same kernel (peer), medians of 21; AMD's runtime (XRT's library and its driver), which both "
        f"call on a real card, is in neither; with 65,536 events Python takes {large:.1f} times as long; "
        f"{measured.cpp_note}"
    )
    ratio = round(cpp / python, 4)
    return _row("card.python_over_cpp", python, cpp, ratio, "µs (fewer is better)", how)


def _import_time(repeats: int) -> dict[str, Any]:
    """Time the import of the card beyond that of pynq, each in processes of their own."""
    pairs = [(_seconds("import pynq"), _seconds("import fpgaclass.card, pynq")) for _ in range(repeats)]
    alone, both = (min(times) for times in zip(*pairs, strict=True))
    how = (
        f"measured: import of pynq with fpgaclass.card (ours) and without (peer), processor time, best of "
        f"{repeats} processes each; the card adds {max(0.0, both - alone):.3f} s"
    )
    return _row("card.import", both, alone, round(alone / both, 3), "s (fewer is better)", how)


def _seconds(statement: str) -> float:
    """Run a statement in a new Python and return its processor time: wall time is the machine's, too."""
    command = [sys.executable, "-W", "ignore", "-c", statement]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _sum(standin: ModuleType) -> _Case:
    """A core that adds the words of an event: for the shells' own cycles, and quick to compile."""
    words = " + ".join(f"slot[{16 * i} +: 16]" for i in range(INPUTS))
    core = (
        "module event_core (input wire clk, input wire [511:0] event_in, output reg [15:0] event_out);\n"
        f"reg [511:0] slot;\nalways @(posedge clk) begin slot <= event_in; event_out <= {words}; end\n"
        "endmodule\n"
    )
    shell = standin.shell_sources(word=2, in_bytes=64, out_bytes=2, latency=1)
    events = np.random.default_rng(1).integers(-500, 500, (EVENTS, 32)).astype(np.int16)
    results = events[:, :INPUTS].sum(axis=1, dtype=np.int16)
    return _case(standin, shell, {"event_core.sv": core}, events, results, latency=1)


def _muons(standin: ModuleType) -> _Case:
    """The muon reference in its size, trained for a fifth of its epochs on a fifth of its muons."""
    from fpgaclass.firmware import load_board
    from fpgaclass.firmware.build import prepare
    from fpgaclass.firmware.checking.exact import exact_predict
    from fpgaclass.firmware.kernel import shell_sources
    from fpgaclass.firmware.network import trace_network, write_rtl

    recipe = load_file("muon_reference", _RECIPE)
    epochs = tuple(count // 5 for count in recipe.EPOCHS)
    model = prepare(recipe.train(beta=4e-6, muons=recipe.MUONS // 5, epochs=epochs))
    network = trace_network(model)
    x = recipe.sample(EVENTS * 3 // 2, seed=5)[0][:EVENTS].astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        rtl = write_rtl(network, load_board("u250"), Path(folder))
    words, results = network.inputs.encode(x), network.outputs.encode(exact_predict(model, x))[:, 0]
    shell = shell_sources(network, rtl.stages)
    return _case(standin, shell, dict(rtl.sources), words, results, rtl.stages)


def _case(
    standin: ModuleType, shell: dict[str, str], core: dict[str, str], words: Any, results: Any, latency: int
) -> _Case:
    assert words.shape[1] == 32, "both kernels are compared with events of one beat"
    sources = load_file("hls4ml_kernel", _KERNEL).kernel_sources(core, INPUTS, 2, 64, latency)
    return _Case(
        KernelDesign("krnl_rtl", {**shell, **core}, standin.ARGUMENTS, 200.0),
        KernelDesign("krnl_rtl_int", sources, standin.ARGUMENTS, 200.0),
        words,
        words[:, :INPUTS].astype(np.int32),
        results,
    )


def _run(standin: ModuleType, case: _Case, peer: bool, events: int) -> tuple[int, float]:
    """Return the cycles and the events per second of one call whose results are right."""
    import pynq

    design, words = (case.peer, case.peer_words) if peer else (case.ours, case.words)
    card = fpgaclass.card.VirtualCard(9)
    with tempfile.TemporaryDirectory() as folder:
        path = write_xclbin(Path(folder) / "k.xclbin", design, banks=standin.BANKS, link=standin.LINK)
        overlay = pynq.Overlay(str(path), device=card)
    x = pynq.allocate((events, words.shape[1]), words.dtype, target=card)
    y = pynq.allocate((events,), words.dtype, target=card)
    x[:] = words[:events]
    x.sync_to_device()
    unit = getattr(overlay, design.instance_names[0])
    started = time.perf_counter()
    unit.call(x, y, x.size, y.size)
    seconds = time.perf_counter() - started
    y.sync_from_device()
    if not np.array_equal(np.array(y), case.results[:events]):
        raise AssertionError(f"{design.name} gives wrong results: its speed means nothing")
    return card.timeline.totals.kernel_cycles, events / seconds


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    """Keep this process on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _row(name: str, ours: float, peer: float, ratio: float, unit: str, how: str) -> dict[str, Any]:
    return {
        "name": name,
        "ours": round(ours, 3),
        "peer": round(peer, 3),
        "ratio": ratio,
        "unit": unit,
        "how": how,
    }
