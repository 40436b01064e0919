"""The network as logic: da4ml turns a quantised model into adders, and those into pipelined Verilog."""

from __future__ import annotations

import contextlib
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import BuildError
from fpgaclass.firmware.board import Board
from fpgaclass.firmware.tables import inline_tables
from fpgaclass.firmware.trees.logic import Trees
from fpgaclass.firmware.words import Field, WordFormat, word_bits_for

TOP = "network"


@dataclass(frozen=True)
class LayerCost:
    """What a layer adds to the logic, by da4ml's estimate.

    Attributes:
        layer: the layer's name.
        lut: look-up tables.
        levels: adder levels on the longest path.
    """

    layer: str
    lut: int
    levels: int


@dataclass(frozen=True)
class Network:
    """A model as combinational logic, with the formats of its two sides.

    Attributes:
        logic: da4ml's ``CombLogic``.
        inputs: the layout of an event on its way in.
        outputs: the layout of an event on its way out.
        layers: what each layer of the model adds, in order.
    """

    logic: Any
    inputs: WordFormat
    outputs: WordFormat
    layers: tuple[LayerCost, ...] = ()

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Evaluate the logic (da4ml's interpreter): (n, \\*inputs.shape) -> (n, \\*outputs.shape)."""
        return interpret(self.logic, self.inputs, self.outputs, x)


def interpret(
    logic: Any, inputs: WordFormat, outputs: WordFormat, x: npt.ArrayLike
) -> npt.NDArray[np.float32]:
    """Run da4ml's interpreter on events; like the bus, it truncates to an input's grid and wraps."""
    events = inputs.bounded(x)
    values = logic.predict(events, n_threads=1)
    return np.asarray(values, dtype=np.float32).reshape(-1, *outputs.shape)


def trace_network(model: Any) -> Network:
    """Trace an HGQ2 model, or trees, into logic.

    Raises:
        BuildError: da4ml met something that it cannot turn into logic.
    """
    from da4ml.types import minimal_kif

    if isinstance(model, Trees):
        logic = model.logic
        costs: tuple[LayerCost, ...] = (
            LayerCost("trees", math.ceil(logic.cost), math.ceil(logic.latency[1])),
        )
    else:
        traces = _trace(model)
        logic, costs = _logic(traces, "final"), _layer_costs(traces)
    fields_in = tuple(Field(*map(int, minimal_kif(interval))) for interval in logic.inp_qint)
    fields_out = tuple(Field(*map(int, minimal_kif(interval))) for interval in logic.out_qint)
    bits = word_bits_for(fields_in + fields_out)
    return Network(
        logic,
        WordFormat(fields_in, bits, tuple(model.input_shape[1:])),
        WordFormat(fields_out, bits, tuple(model.output_shape[1:])),
        costs,
    )


def widest(logic: Any) -> int:
    """Return the bits of the widest number within da4ml's logic."""
    intervals = [(op.qint.min, op.qint.max, op.qint.step) for op in logic.ops]
    return max(math.ceil(math.log2((high - low) / step + 1)) for low, high, step in intervals)


def trace_layers(model: Any, x: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
    """Evaluate the logic up to each layer: layer name -> its values (n, values of an event)."""
    traces = _trace(model)
    events = x.reshape(len(x), -1).astype(np.float64)
    return {
        name: np.asarray(_logic(traces, f"/{name}/final").predict(events, n_threads=1), np.float32)
        for name in _layers(traces)
    }


def _trace(model: Any) -> dict[str, Any]:
    """Return da4ml's variables after each layer, and the inputs and final outputs."""
    from da4ml.converter import trace_model
    from da4ml.trace import HWConfig

    _mend_concatenation()
    try:
        traces: dict[str, Any] = trace_model(model, HWConfig(1, -1, -1), {"hard_dc": 2}, dump=True)
    except (AssertionError, KeyError, NotImplementedError, ValueError) as bad:
        raise BuildError(f"da4ml cannot trace the model: {type(bad).__name__} {bad}", where="da4ml") from bad
    return traces


def _mend_concatenation() -> None:
    """Make da4ml's view of Concatenate join parts of any widths; hgq 0.2's broadcasts them to one shape."""
    import keras
    from hgq._dais_tracer.layers import _registry
    from hgq._dais_tracer.layers.ops import ReplayMerge

    if _registry[keras.layers.Concatenate] is not ReplayMerge:
        return

    class ReplayConcatenation(ReplayMerge):  # type: ignore[misc]
        handles = (keras.layers.Concatenate,)

        def call(self, inputs: Any) -> Any:
            return np.concatenate(inputs, axis=-1)

    assert _registry[keras.layers.Concatenate] is ReplayConcatenation


def _layers(traces: dict[str, Any]) -> list[str]:
    return [name.split("/")[1] for name in traces if name.startswith("/") and name.endswith("/final")]


def _logic(traces: dict[str, Any], name: str) -> Any:
    from da4ml.converter.plugin import _flatten_arr
    from da4ml.trace import comb_trace

    return comb_trace(_flatten_arr(traces["inputs"]), _flatten_arr(traces[name]))


def _layer_costs(traces: dict[str, Any]) -> tuple[LayerCost, ...]:
    """Take the difference of the logic up to each layer and up to the one before."""
    costs: list[LayerCost] = []
    lut = levels = 0
    for name in _layers(traces):
        logic = _logic(traces, f"/{name}/final")
        cost, depth = math.ceil(logic.cost), math.ceil(logic.latency[1])
        costs.append(LayerCost(name, max(0, cost - lut), max(0, depth - levels)))
        lut, levels = max(lut, cost), max(levels, depth)
    return tuple(costs)


@dataclass(frozen=True)
class NetworkRtl:
    """The Verilog of a network.

    Attributes:
        sources: file name -> text; the top module is ``event_core``.
        stages: clocks from the edge that takes an event to the output of its result.
        estimated_lut: da4ml's own estimate.
    """

    sources: dict[str, str]
    stages: int
    estimated_lut: int


def write_rtl(network: Network, board: Board, folder: Path) -> NetworkRtl:
    """Pipeline the network for the board's clock and write its Verilog into ``folder``."""
    from da4ml.codegen import RTLModel

    project = RTLModel(
        network.logic,
        TOP,
        folder,
        latency_cutoff=board.levels_per_clock,
        part_name=board.part,
        clock_period=1e3 / board.clock_mhz,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        project.write()
    stages = len(project._pipe.solutions)
    files = sorted([*folder.glob("src/*.v"), *folder.glob("src/static/*.v"), *folder.glob("src/memfiles/*")])
    sources = inline_tables({p.name: p.read_text() for p in files if p.name != f"{TOP}_wrapper.v"})
    sources["event_core.v"] = _event_core(network)
    (folder / "src" / "event_core.v").write_text(sources["event_core.v"])
    return NetworkRtl(sources, stages, math.ceil(network.logic.cost))


def _event_core(network: Network) -> str:
    """Wire a slot's words to the network's packed ports, and its outputs back to sign-extended words."""
    inputs, outputs = network.inputs, network.outputs
    bits = inputs.word_bits
    taken = [f"event_in[{j * bits} +: {f.width}]" for j, f in enumerate(inputs.fields) if f.width]
    width_in = sum(field.width for field in inputs.fields)
    width_out = sum(field.width for field in outputs.fields)
    words, low = [], 0
    for field in outputs.fields:
        high, pad = low + field.width - 1, bits - field.width
        if field.width == 0:
            words.append(f"{bits}'b0")
        elif pad == 0:
            words.append(f"result[{high}:{low}]")
        else:
            fill = f"{{{pad}{{result[{high}]}}}}" if field.sign else f"{pad}'b0"
            words.append(f"{{{fill}, result[{high}:{low}]}}")
        low += field.width
    padding = outputs.slot_words - len(outputs.fields)
    if padding:
        words.append(f"{padding * bits}'b0")
    join = ",\n        "
    return f"""// The wires between an event's slot of {bits}-bit words and the network's packed ports.
`default_nettype none
module event_core (
    input  wire clk,
    input  wire [{inputs.core_bytes * 8 - 1}:0] event_in,
    output wire [{outputs.core_bytes * 8 - 1}:0] event_out
);
    wire [{width_in - 1}:0] packed_in = {{
        {join.join(reversed(taken))}
    }};
    wire [{width_out - 1}:0] result;
    {TOP} core (.clk(clk), .model_inp(packed_in), .model_out(result));
    assign event_out = {{
        {join.join(reversed(words))}
    }};
endmodule
`default_nettype wire
"""
