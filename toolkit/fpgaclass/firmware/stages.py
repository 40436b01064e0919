"""The stages of the open toolchain, in order, each into its own folder of the firmware."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.card import KernelDesign, compile_kernel, write_xclbin
from fpgaclass.core import stage
from fpgaclass.firmware.board import Board, Resources
from fpgaclass.firmware.emulation import compile_hls, emulate, write_hls
from fpgaclass.firmware.kernel import make_design, shell_resources
from fpgaclass.firmware.models import exact_predict
from fpgaclass.firmware.network import TOP, Network, NetworkRtl, trace_network, write_rtl
from fpgaclass.firmware.report import Report, make_report
from fpgaclass.firmware.synthesis import find_yosys, synthesise
from fpgaclass.firmware.verify import Agreement, run_kernel, spread_events, verify

MODEL_FILE = "model.keras"


@dataclass(frozen=True)
class Built:
    """What the stages leave behind, besides files."""

    network: Network
    report: Report
    agreements: tuple[Agreement, ...]


def run_stages(model: Any, board: Board, folder: Path, name: str, about: dict[str, str]) -> Built:
    """Run every stage into ``folder``; a stage that fails raises and leaves the rest undone."""
    model.save(folder / MODEL_FILE)
    with stage("network as logic", "da4ml"):
        network = trace_network(model)
        rtl = write_rtl(network, board, folder / "rtl")
    with stage("C++ of the model", "hls4ml"):
        write_hls(model, board, folder / "hls")
    design = make_design(network, rtl, board, {**about, "stages": rtl.stages})
    with ThreadPoolExecutor(3) as pool:
        cells = pool.submit(_count_cells, network, rtl, board, folder / "reports")
        emulation = pool.submit(_compile_emulation, folder / "hls")
        kernel = pool.submit(compile_kernel, design)
        library = emulation.result()
        kernel.result()
        events = spread_events(network.inputs)
        with stage(f"agreement of all stages on {len(events):,} events", "simulation"):
            agreements = check_agreement(model, network, design, library, events, folder)
        used, shell = cells.result()
    report = make_report(board, used, shell, rtl.stages)
    (folder / "reports" / "report.json").write_text(report.to_json())
    with stage("card file", "xclbin"):
        write_xclbin(
            folder / f"{name}.xclbin", design, banks=board.banks, link=board.link, platform=board.platform
        )
    return Built(network, report, tuple(agreements))


def check_agreement(
    model: Any,
    network: Network,
    design: KernelDesign,
    library: Path,
    events: npt.NDArray[np.float32],
    where: Path,
) -> list[Agreement]:
    """Compare the model with hls4ml's emulation, the logic and the Verilated kernel, event by event."""
    expected = exact_predict(model, events)
    inputs, outputs = network.inputs, network.outputs
    return verify(
        expected,
        {
            "hls4ml emulation": lambda: emulate(library, events, len(inputs.fields), outputs.shape),
            "RTL interpreter": lambda: network.predict(events),
            "Verilated kernel": lambda: outputs.decode(run_kernel(design, inputs.encode(events), outputs)),
        },
        where,
    )


def _count_cells(
    network: Network, rtl: NetworkRtl, board: Board, folder: Path
) -> tuple[Resources, Resources]:
    with stage("synthesis of the network", find_yosys().name):
        sources = {file: text for file, text in rtl.sources.items() if file != "event_core.v"}
        used = synthesise(sources, TOP, board.family, folder / "network")
    with stage("synthesis of the shell", find_yosys().name):
        shell = shell_resources(network, rtl.stages, board.family)
    return used, shell


def _compile_emulation(folder: Path) -> Path:
    with stage("emulation", "C++ compiler"):
        return compile_hls(folder)
