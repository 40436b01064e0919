"""The verbs of firmware: boards, build, report, trace, search, bundle, read-back."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fpgaclass import firmware
from fpgaclass.cli.options import Json, told_on_interrupt
from fpgaclass.core import InvalidInputError
from fpgaclass.firmware.artifact import new_folder
from fpgaclass.firmware.models.reading import read_events, read_model, read_precision
from fpgaclass.firmware.sweep.module import read_function

app = typer.Typer(name="firmware", help="From a trained model to firmware.", no_args_is_help=True)
Model = Annotated[Path, typer.Argument(help="A trained model, saved by Keras (.keras).")]
Folder = Annotated[Path, typer.Argument(help="A firmware folder.")]
BoardFile = Annotated[
    str | None, typer.Option("--board", help="The board's TOML file, if the firmware is for one of yours.")
]
Precision = Annotated[
    str | None,
    typer.Option(
        help="For plain Keras models: a type in hls4ml's notation, or its configuration (JSON, or a file).",
        show_default="fixed<16,6>",
    ),
]


_PICTURES = (".png", ".svg", ".pdf")
_WORDS = {"True": True, "False": False, "None": None, "true": True, "false": False}


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
    toolchain: Annotated[
        str, typer.Option(help="open: nothing but pip packages; vitis: AMD's tools, for a real board.")
    ] = "open",
    precision: Precision = None,
    events: Annotated[
        Path | None,
        typer.Option(help="Events of yours (.npy): the report says how far the firmware is from the model."),
    ] = None,
    into: Annotated[Path | None, typer.Option(help="Copy the firmware into this new folder.")] = None,
    as_json: Json = False,
) -> None:
    """Build a model for a board, and prove that every stage computes the same."""
    if into is not None:
        new_folder(into)
    firmware.load_board(board)
    values = None if events is None else read_events(events)
    built = firmware.build(
        read_model(model),
        board=board,
        toolchain=toolchain,
        name=model.stem,
        precision=read_precision(precision),
        events=values,
    )
    if into is not None:
        built = built.save(into)
    _show(built, as_json)


@app.command()
def report(
    folder: Folder,
    plot: Annotated[
        Path | None, typer.Option(help="Draw it, too, into this picture (.png, .svg, .pdf).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a firmware costs: cells, pipeline, latency, and where each figure comes from."""
    _check_picture(plot)
    built = firmware.Firmware.load(folder)
    _show(built, as_json)
    if plot is not None:
        _save(built.report.plot(), plot)


@app.command()
def trace(
    model: Model,
    events: Annotated[Path, typer.Argument(help="Events as a NumPy file (.npy), one row an event.")],
    precision: Precision = None,
    built: Annotated[
        Path | None,
        typer.Option("--firmware", help="Compare with this firmware, in place of the model's own logic."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare model and logic layer by layer, and count overflows, on events of yours."""
    values = read_events(events)
    other = None if built is None else firmware.Firmware.load(built)
    types = read_precision(precision)
    found = firmware.trace(read_model(model), values, precision=types, firmware=other)
    print(json.dumps(asdict(found), indent=2) if as_json else found)
    if found.first_difference:
        raise typer.Exit(1)


@app.command()
def search(
    train: Annotated[str, typer.Argument(help="module.py:function, which returns a trained model.")],
    settings: Annotated[
        list[str],
        typer.Option(
            "--set", help="Values of an argument of the function, as beta=1e-6,3e-6; all are combined."
        ),
    ],
    folder: Annotated[Path, typer.Option(help="Where each point is kept, so that the sweep can go on.")],
    score: Annotated[
        str | None, typer.Option(help="module.py:function of a model, one number; `score` beside the first.")
    ] = None,
    board: Annotated[
        str, typer.Option(help="A name of `fpgaclass firmware boards`, or a TOML file.")
    ] = "u250",
    jobs: Annotated[int, typer.Option(help="Processes that train at once; each takes about 1 GB.")] = 1,
    higher: Annotated[
        bool, typer.Option("--higher-is-better", help="The score is an accuracy, not an error.")
    ] = False,
    lut: Annotated[int | None, typer.Option(help="The budget in look-up tables.")] = None,
    latency_ns: Annotated[float | None, typer.Option(help="The budget in time, ns.")] = None,
    points: Annotated[int | None, typer.Option(help="Look at the first so many settings only.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Begin no point after so many seconds.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw score against LUTs into this picture.")] = None,
    as_json: Json = False,
) -> None:
    """Train a model for each setting, score it, and estimate its circuit: a table, and the Pareto front.

    For example: fpgaclass firmware search sweep.py:train --set beta=1e-6,3e-6 --set width=16,32
    --folder sweep --lut 10000 --latency-ns 50
    """
    _check_picture(plot)
    with told_on_interrupt(
        f"cut off; the points that are finished stay in {folder}, the same command goes on"
    ):
        found = firmware.search(
            read_function(train, "train"),
            firmware.grid(**_axes(settings)),
            read_function(score or train.partition(":")[0], "score"),
            board=board,
            folder=folder,
            jobs=jobs,
            lower_is_better=not higher,
            budget=firmware.Budget(lut=lut, latency_ns=latency_ns, points=points, seconds=seconds),
        )
    print(found.to_json() if as_json else found)
    if found.points and all(point.error for point in found.points):
        found.best()  # there is none, and why is its error
    if plot is not None:
        _save(found.plot(), plot)


@app.command()
def bundle(
    folder: Folder,
    into: Annotated[
        Path | None, typer.Option(help="The file to write; NAME-BOARD.tar.gz by default.")
    ] = None,
    board: BoardFile = None,
    as_json: Json = False,
) -> None:
    """Pack a firmware for a machine that has AMD's tools; its run.sh needs no fpgaclass there."""
    built = firmware.Firmware.load(folder)
    name = f"{built.manifest.name}-{built.manifest.board}.tar.gz"
    path = firmware.bundle(built, into or Path(name), board=board)
    if as_json:
        print(json.dumps({"bundle": str(path), "firmware": built.manifest.digest}, indent=2))
    else:
        print(f"{path}: unpack it where the tools are, start run.sh there, and bring the results back")


@app.command("read-back")
def read_back(
    folder: Folder,
    results: Annotated[Path, typer.Argument(help="NAME-results.tar.gz, which a bundle's run.sh left.")],
    board: BoardFile = None,
    into: Annotated[Path | None, typer.Option(help="Copy the firmware into this new folder.")] = None,
    as_json: Json = False,
) -> None:
    """Read what AMD's tools made of a bundle, checked against its digests, as firmware."""
    if into is not None:
        new_folder(into)
    real = firmware.read_back(firmware.Firmware.load(folder), results, board=board)
    _show(real.save(into) if into is not None else real, as_json)


def _axes(settings: list[str]) -> dict[str, list[Any]]:
    """Read all ``--set``; what is given twice for one name is one list."""
    axes: dict[str, list[Any]] = {}
    for name, values in map(_axis, settings):
        axes.setdefault(name, []).extend(value for value in values if value not in axes.get(name, ()))
    return axes


def _axis(text: str) -> tuple[str, list[Any]]:
    """Read ``name=1,2.5,word`` as a name and its values."""
    name, equals, values = text.partition("=")
    if not (name.isidentifier() and equals and values):
        raise InvalidInputError(f"--set {text!r} is not understood", next_step="write it as beta=1e-6,3e-6")
    return name, [_value(value) for value in values.split(",")]


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _check_picture(path: Path | None) -> None:
    """Refuse a picture that could not be written, before what it shows is worked out."""
    if path is None:
        return
    if path.suffix not in _PICTURES:
        raise InvalidInputError(
            f"{path.name} is no name of a picture", next_step=f"end it in {', '.join(_PICTURES)}"
        )
    if not path.absolute().parent.is_dir():
        raise InvalidInputError("there is no such folder for the picture", where=str(path.absolute().parent))


def _save(figure: Any, path: Path) -> None:
    """Write a picture; which kind, its ending says."""
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as bad:
        raise InvalidInputError(f"no picture can be written: {bad}", where=str(path)) from bad


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
    counts = ", ".join(f"{stage} {count}" for stage, count in found.items())
    print(f"differ from the quantised model, of {events:,} simulated events: {counts}")
    print(built.folder)
