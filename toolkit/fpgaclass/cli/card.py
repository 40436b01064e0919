"""The verbs of cards: list, status, measure, compare."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fpgaclass import card
from fpgaclass.cli.options import Json
from fpgaclass.core import CardError, InvalidInputError, ToolMissingError

app = typer.Typer(name="card", help="Cards, real and virtual: who has them, how fast.", no_args_is_help=True)
Plot = Annotated[Path | None, typer.Option(help="Also draw it into this file (.png, .svg or .pdf).")]
Index = Annotated[int, typer.Option("--card", help="Which one of `fpgaclass card list`.")]


@app.command("list")
def list_cards(as_json: Json = False) -> None:
    """List the cards that pynq sees on this machine."""
    found = [
        {"index": index, "tag": str(device.tag), "name": str(device.name), "kind": card.kind_of(device)}
        for index, device in enumerate(_devices())
    ]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    table = Table("card", "tag", "name", "kind", box=None, pad_edge=False)
    for one in found:
        table.add_row(*map(str, one.values()))
    Console().print(table)


@app.command()
def status(as_json: Json = False) -> None:
    """Tell who holds each card and who waits for it."""
    queues = {str(device.tag): card.queue_of(str(device.tag)) for device in _devices()}
    if as_json:
        print(json.dumps({tag: [asdict(one) for one in queue] for tag, queue in queues.items()}, indent=2))
        return
    if card.lock_folder() is None:
        print("cards are not shared here: set FPGACLASS_CARD_LOCKS to a folder that all may write to")
    for tag, queue in queues.items():
        print(f"{tag}: {f'held by {queue[0]}' if queue else 'free'}")
        for place, holder in enumerate(queue[1:], 1):
            print(f"  {place}. waits: {holder}")


@app.command()
def measure(
    file: Annotated[Path, typer.Argument(help="An xclbin, or the bit file of a Zynq board.")],
    index: Index = 0,
    batches: Annotated[
        str, typer.Option(help="Events in a call, with commas between.")
    ] = "1,16,256,4096,65536",
    repeats: Annotated[int, typer.Option(help="Calls of each size; the median counts.")] = 7,
    words_in: Annotated[int | None, typer.Option(help="Words of an event, if the file does not say.")] = None,
    words_out: Annotated[int | None, typer.Option(help="Words of a result.")] = None,
    dtype: Annotated[str | None, typer.Option(help="NumPy's name of a word, such as int16.")] = None,
    cpp: Annotated[bool, typer.Option(help="Also run the C++ host.")] = True,
    site: Annotated[str, typer.Option(help="What to call this place when runs are compared.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the figures here, for `compare`.")] = None,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Time calls from Python and from C++, split into host, link and kernel."""
    try:
        sizes = [int(size) for size in batches.split(",")]
    except ValueError as error:
        what = f"batches {batches!r} are not numbers with commas between"
        raise InvalidInputError(what) from error
    overlay = _open(file, index)
    measured = card.measure(
        overlay,
        batch_sizes=sizes,
        repeats=repeats,
        words_in=words_in,
        words_out=words_out,
        dtype=dtype,
        cpp=cpp,
        site=site,
    )
    if out is not None:
        _write(out, measured.to_json())
    _draw(measured, plot)
    _show(measured, as_json)


@app.command()
def compare(
    files: Annotated[list[Path], typer.Argument(help="What `measure --out` wrote at each place.")],
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Put runs of different places side by side; exits with 1 where predictions differ."""
    compared = card.compare(card.read_runs(files))
    _draw(compared, plot)
    _show(compared, as_json)
    if any(one.first_difference is not None for one in compared.agreements):
        raise typer.Exit(1)


def _devices() -> list[Any]:
    return list(_pynq().Device.devices)


def _pynq() -> Any:
    try:
        import pynq
    except ImportError as error:
        next_step = "pip install 'fpgaclass[card]'"
        raise ToolMissingError(f"pynq cannot be imported: {error}", next_step=next_step) from error
    return pynq


def _open(file: Path, index: int) -> Any:
    devices = _devices()
    if not 0 <= index < len(devices):
        raise InvalidInputError(f"there is no card {index}", next_step="fpgaclass card list")
    if not file.is_file():
        raise InvalidInputError("there is no such file", where=str(file), next_step="give an .xclbin")
    try:
        return _pynq().Overlay(str(file), device=devices[index])
    except (OSError, RuntimeError) as error:
        raise CardError(f"the card cannot be programmed: {error}", where=str(file)) from error


def _show(result: Any, as_json: bool) -> None:
    if as_json:
        print(result.to_json())
    elif sys.stdout.isatty():
        Console().print(result)
    else:
        print(result)


def _draw(result: Any, plot: Path | None) -> None:
    if plot is None:
        return
    try:
        result.plot().savefig(plot)
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"the plot cannot be written: {error}", where=str(plot)) from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n")
    except OSError as error:
        raise InvalidInputError(f"cannot be written: {error.strerror}", where=str(path)) from error
