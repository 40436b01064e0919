"""The verbs."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from fpgaclass import __version__
from fpgaclass.cli import (
    card,
    classes,
    clone,
    cohort,
    doctor,
    firmware,
    glance,
    grades,
    labs,
    lease,
    machine,
    seats,
)
from fpgaclass.cli.options import program
from fpgaclass.core import FpgaClassError, as_disk_full

app = typer.Typer(
    name="fpgaclass",
    help="A course on machine learning on FPGAs: from muon hits to a graded class, with cards or without.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.add_typer(glance.app)
app.add_typer(labs.app)
app.add_typer(firmware.app)
app.add_typer(card.app)
app.add_typer(cohort.app)
app.add_typer(lease.app)
app.command()(seats.seats)
app.command()(doctor.doctor)
for verb in (*classes.VERBS, *grades.VERBS):
    app.command()(verb)


_INTERRUPTED = 128 + signal.SIGINT  # what a shell gives for a program that Ctrl-C ended
_UsageError: Any = typer.BadParameter.__base__  # typer's own name for it is private


def main() -> None:
    """Run the command line; an error of ours is one line, a bug is a traceback."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        code = app(standalone_mode=False)
    except _UsageError as error:
        if not error.format_message():  # no verb was given, and the help has been shown
            sys.exit(2)
        asked = error.ctx.command_path.split()[1:] if error.ctx else []
        help_command = " ".join([program(), *asked, "--help"])
        line = f"{error.format_message().rstrip('.')}. Next: {help_command}"
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]error[/]: {escape(line)}")
        sys.exit(2)
    except FpgaClassError as error:
        _tell(as_disk_full(error) or error)
    except KeyboardInterrupt:  # outside a verb; inside one typer gives this code
        code = _INTERRUPTED
    except Exception as error:
        if (full := as_disk_full(error)) is None:
            raise
        _tell(full)
    if code == _INTERRUPTED:
        # The interpreter's end waits for calls under way; whoever presses Ctrl-C again does not.
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))
    sys.exit(code if isinstance(code, int) else 0)


def _tell(error: FpgaClassError) -> NoReturn:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]error[/]: {escape(str(error))}")
    sys.exit(error.exit_code)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(context: typer.Context) -> None:
    """Set up and run the tests; what follows goes to pytest."""
    clone.require_clone()
    for ensure in machine.ENSURE["test"]:
        ensure()
    raise typer.Exit(clone.run_tests(context.args))


@app.command()
def bench(
    only: Annotated[str | None, typer.Argument(help="Run only the benchmarks called like this.")] = None,
) -> None:
    """Measure the toolkit against its peers; writes build/bench.json."""
    clone.run_benchmarks(only)


@app.command()
def pins() -> None:
    """Resolve docker/requirements/*.in anew (for those who work on the toolkit)."""
    clone.write_pins()


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)
