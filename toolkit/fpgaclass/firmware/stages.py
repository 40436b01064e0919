"""The stages of the open toolchain, in order, each into its own folder of the firmware."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.card import KernelDesign, compile_kernel, write_bit, write_xclbin
from fpgaclass.core import BuildError, stage, together
from fpgaclass.firmware.board import Board, Resources
from fpgaclass.firmware.checking.deviation import DRAWN, Deviation, measure_deviation
from fpgaclass.firmware.checking.exact import exact_predict
from fpgaclass.firmware.checking.floating import Floating
from fpgaclass.firmware.checking.layers import locate
from fpgaclass.firmware.checking.verify import Agreement, run_kernel, spread_events, verify
from fpgaclass.firmware.emulation import compile_hls, emulate, emulator, write_hls
from fpgaclass.firmware.kernel import fit_to, make_design, shell_resources
from fpgaclass.firmware.lattice import place_and_route
from fpgaclass.firmware.models.model import save_model
from fpgaclass.firmware.network import TOP, Network, NetworkRtl, trace_network, widest, write_rtl
from fpgaclass.firmware.report import OPEN_SYNTHESIS, PLACE_AND_ROUTE, Report
from fpgaclass.firmware.synthesis import find_yosys, synthesise
from fpgaclass.firmware.vector import LIBRARY, SOFTWARE, compile_vector, run_vector, write_vector

# Some of da4ml's operations are exact up to so many bits, and most go further.
_SAFE_BITS = 32
_FIRST_LOOK = 500


@dataclass(frozen=True)
class Built:
    """What the stages leave behind, besides files."""

    network: Network
    report: Report
    agreements: tuple[Agreement, ...]


def run_stages(
    model: Any, board: Board, folder: Path, name: str, about: dict[str, str], given: Floating | None = None
) -> Built:
    """Run every stage into ``folder``; a stage that fails raises and leaves the rest undone.

    Args:
        model: a quantised one, or trees.
        board: that it is for.
        folder: of the firmware.
        name: of the firmware.
        about: what its card file says of it.
        given: the model in floating point that was rounded, to be compared with.
    """
    save_model(model, folder)
    with stage("network as logic", "da4ml"):
        network = fit_to(board, trace_network(model))
        check_logic(model, network, folder)
        rtl = write_rtl(network, board, folder / "rtl")
    with stage("C++ of the model", emulator(model)):
        write_hls(model, board, folder / "hls")
    check_room(network, board)
    design = make_design(network, rtl, board, {**about, "stages": rtl.stages})
    report, agreements = together(
        lambda: refuse_overflow(_implement(network, rtl, board, folder), board),
        lambda: _prove(model, network, design, folder),
    )
    if given is not None:
        report = dataclasses.replace(report, deviation=_deviation(given, network, folder))
    (folder / "reports" / "report.json").write_text(report.to_json())
    if board.form in ("alveo", "f2") and board.link is not None:
        with stage("card file", "xclbin"):
            path = folder / f"{name}.xclbin"
            write_xclbin(path, design, banks=board.banks, link=board.link, platform=board.platform)
    if board.form == "zynq" and board.link is not None:
        with stage("board files", "bit and hwh"):
            path, known = folder / f"{name}.bit", {"platform": board.platform, "part": board.part}
            write_bit(path, design, banks=board.banks, link=board.link, **known)
    return Built(network, report, agreements)


def check_logic(model: Any, network: Network, where: Path) -> None:
    """Refuse logic that differs from the model, on some events, before minutes are spent on it.

    Raises:
        BuildError: names the layer; logic of many bits is what da4ml gets wrong.
    """
    events = spread_events(network.inputs, _FIRST_LOOK)
    try:
        verify(
            exact_predict(model, events),
            {"RTL interpreter": lambda: network.predict(events)},
            where,
            lambda name, event: locate(model, where, name, events[event : event + 1]),
        )
    except BuildError as differs:
        bits = widest(network.logic)
        if bits <= _SAFE_BITS:
            raise
        step = f"use fewer bits: numbers of {bits} bits are in it, and da4ml is exact up to {_SAFE_BITS}"
        raise BuildError(differs.what, where=differs.where, next_step=step) from differs


def check_room(network: Network, board: Board) -> None:
    """Refuse a network that is far too large before synthesis spends minutes on it.

    Raises:
        BuildError: da4ml's estimate is beyond the board by more than the estimate can be wrong (a half).
    """
    needed, there = int(network.logic.cost * board.lut_ratio), board.resources.lut
    if needed > 1.5 * there:
        raise _too_small(board, {"lut": needed - there}, "da4ml's estimate")


def refuse_overflow(report: Report, board: Board) -> Report:
    """Refuse a design that the board cannot hold; return the report of one that it can.

    Raises:
        BuildError: says which cells are missing, and how many.
    """
    missing = report.shortfall()
    if missing:
        raise _too_small(board, missing, report.cells_source)
    return report


def _too_small(board: Board, missing: dict[str, int], source: str) -> BuildError:
    what = ", ".join(f"{count:,} {kind.upper()}" for kind, count in missing.items())
    return BuildError(
        f"{board.title} is too small: {what} too few ({source})",
        next_step="use fewer bits or a larger beta when training, or a larger board",
    )


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
    stages = {
        f"{emulator(model)} emulation": lambda: emulate(library, events, len(inputs.fields), outputs.shape),
        "RTL interpreter": lambda: network.predict(events),
        "Verilated kernel": lambda: outputs.decode(run_kernel(design, inputs.encode(events), outputs)),
    }
    software = where / SOFTWARE / LIBRARY
    if software.is_file():
        stages["predict"] = lambda: run_vector(software, inputs, outputs, events)
    return verify(
        expected, stages, where, lambda name, event: locate(model, where, name, events[event : event + 1])
    )


def _implement(network: Network, rtl: NetworkRtl, board: Board, folder: Path) -> Report:
    """Count the cells; for a Lattice board, place and route and write the bitstream too."""
    if board.form == "lattice":
        with stage(f"place and route for {board.title}", "nextpnr"):
            placed = place_and_route(rtl.sources, network, board, folder / "reports" / "placed")
        nothing = Resources(0, 0, 0, 0)
        return Report(
            board=board.name,
            network=placed.cells,
            shell=nothing,
            available=board.resources,
            cells_source=PLACE_AND_ROUTE,
            pipeline_stages=rtl.stages,
            initiation_interval=1,
            clock_mhz=placed.fmax_mhz,
            clock_source=PLACE_AND_ROUTE,
            layers=network.layers,
        )
    network_sources = {file: text for file, text in rtl.sources.items() if file != "event_core.v"}

    def synthesise_network() -> Resources:
        with stage("synthesis of the network", find_yosys().name):
            return synthesise(network_sources, TOP, board.family, folder / "reports" / "network")

    def synthesise_shell() -> Resources:
        with stage("synthesis of the shell", find_yosys().name):
            return shell_resources(network, rtl.stages, board)

    used, shell = together(synthesise_network, synthesise_shell)
    return Report(
        board=board.name,
        network=used,
        shell=shell,
        available=board.resources,
        cells_source=OPEN_SYNTHESIS,
        pipeline_stages=rtl.stages,
        initiation_interval=1,
        clock_mhz=board.clock_mhz,
        clock_source="estimate",
        layers=network.layers,
    )


def _prove(model: Any, network: Network, design: KernelDesign, folder: Path) -> tuple[Agreement, ...]:
    """Compile what can be run of the firmware, and compare it with the model."""
    _, library, _ = together(
        lambda: compile_kernel(design),
        lambda: _compile_emulation(folder),
        lambda: _compile_software(network, folder),
    )
    events = spread_events(network.inputs)
    with stage(f"agreement of all stages on {len(events):,} events", "simulation"):
        return tuple(check_agreement(model, network, design, library, events, folder))


def _deviation(given: Floating, network: Network, folder: Path) -> Deviation:
    library, inputs = folder / SOFTWARE / LIBRARY, network.inputs

    def predict(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return run_vector(library, inputs, network.outputs, x) if library.is_file() else network.predict(x)

    events = spread_events(inputs)
    with stage(f"distance from the given model on {len(events):,} events", given.library):
        return measure_deviation(given, predict, inputs, events, DRAWN)


def _compile_emulation(folder: Path) -> Path:
    with stage("hls4ml's emulation", "C++ compiler"):
        return compile_hls(folder / "hls")


def _compile_software(network: Network, folder: Path) -> Path:
    software = folder / SOFTWARE
    software.mkdir()
    with stage("software of the network", "C++ compiler"):
        if write_vector(network.logic, software):
            compile_vector(software)
    return software
