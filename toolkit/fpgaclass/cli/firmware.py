"""The verbs of firmware: boards, build, report, trace."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fpgaclass import firmware
from fpgaclass.cli.options import Json
from fpgaclass.core import InvalidInputError

app = typer.Typer(name="firmware", help="From a trained model to firmware.", no_args_is_help=True)
Model = Annotated[Path, typer.Argument(help="A trained model, saved by Keras (.keras).")]
Precision = Annotated[str, typer.Option(help="For plain Keras models, in hls4ml's notation.")]


@app.command()
def boards(as_json: Json = False) -> None:
    """List the boards that firmware can be built for."""
    known = [firmware.load_board(name) for name in firmware.board_names()]
    if as_json:
        print(json.dumps([asdict(board) for board in known], indent=2))
        return
    table = Table("board", "form", "LUT", "FF", "DSP", "BRAM", "MHz (est.)", box=None, pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    for board in known:
        cells = [f"{count:,}" for count in asdict(board.resources).values()]
        table.add_row(board.name, board.form, *cells, f"{board.clock_mhz:g}")
    Console().print(table)


@app.command()
def build(
    model: Model,
    board: Annotated[
        str, typer.Option(help="A name of `fpgaclass firmware boards`, or a TOML file.")
    ] = "u250",
    toolchain: Annotated[str, typer.Option(help="open")] = "open",
    precision: Precision = "fixed<16,6>",
    into: Annotated[Path | None, typer.Option(help="Copy the firmware into this new folder.")] = None,
    as_json: Json = False,
) -> None:
    """Build a model for a board, and prove that every stage computes the same."""
    built = firmware.build(
        _load(model), board=board, toolchain=toolchain, name=model.stem, precision=precision
    )
    if into is not None:
        built = built.save(into)
    _show(built, as_json)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="A firmware folder.")], as_json: Json = False) -> None:
    """Show what a firmware costs."""
    _show(firmware.Firmware.load(folder), as_json)


@app.command()
def trace(
    model: Model,
    events: Annotated[Path, typer.Argument(help="Events as a NumPy file (.npy), one row an event.")],
    precision: Precision = "fixed<16,6>",
    as_json: Json = False,
) -> None:
    """Compare model and logic layer by layer, and count overflows, on events of yours."""
    import numpy as np

    try:
        values = np.load(events, allow_pickle=False)
    except (OSError, ValueError) as bad:
        raise InvalidInputError(f"no events can be read: {bad}", where=str(events)) from bad
    found = firmware.trace(_load(model), values, precision=precision)
    print(json.dumps(asdict(found), indent=2) if as_json else found)
    if found.first_difference:
        raise typer.Exit(1)


def _load(path: Path) -> Any:
    if not path.is_file():
        raise InvalidInputError("there is no such model", where=str(path), next_step="give a .keras file")
    import hgq  # noqa: F401 - registers its layers with Keras
    import keras

    try:
        return keras.models.load_model(path, compile=False)
    except Exception as bad:  # Keras raises many kinds for a file that is not a model
        first = (str(bad).strip() or type(bad).__name__).splitlines()[0].partition(". ")[0]
        raise InvalidInputError(
            f"no model can be read: {first}",
            where=str(path),
            next_step="save it with model.save('name.keras')",
        ) from bad


def _show(built: firmware.Firmware, as_json: bool) -> None:
    if as_json:
        data = {
            "manifest": json.loads(built.manifest.to_json()),
            "report": json.loads(built.report.to_json()),
        }
        print(json.dumps({"folder": str(built.folder), **data}, indent=2))
        return
    print(f"{built.manifest.name} for {built.manifest.board}, {built.manifest.toolchain} toolchain")
    print(built.report)
    found = dict(built.manifest.agreement)
    events = found.pop("events")
    print(f"differ from the model, of {events:,} events: {', '.join(f'{k} {n}' for k, n in found.items())}")
    print(built.folder)
