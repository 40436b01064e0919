"""The verbs that need a clone of the repository: test, bench, pins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fpgaclass.core import FpgaClassError, InvalidInputError, ToolMissingError, load_file, say, stage

ROOT = Path(__file__).parents[3]
_PIN_OPTIONS = (
    *("--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-emit-find-links", "--no-header", "-q"),
)
ROW = {"name", "ours", "peer", "ratio", "unit", "how"}


def require_clone() -> Path:
    """Return the clone's root, or say that this was not started from one."""
    if not (ROOT / "tests").is_dir():
        raise FpgaClassError(
            "this needs a clone of the repository",
            where=str(ROOT),
            next_step="git clone it and use ./fpgaclass",
        )
    return ROOT


def run_tests(arguments: list[str]) -> int:
    """Install what the tests need beyond the students' environment, run pytest, return its exit code.

    Everything, that is without an argument that names tests or options of pytest, is shared out to one
    worker for each core (at most four: some tests train and compile).
    """
    root = require_clone()
    pins = root / "docker" / "requirements" / "dev.txt"
    marker = Path(sys.prefix) / ".dev-pins"
    if not marker.is_file() or marker.read_text() != pins.read_text():
        with stage("packages for the tests", "uv"):
            _uv("install", "--require-hashes", "-r", str(pins))
        marker.write_text(pins.read_text())
    # OneDNN would change the last bits of training from machine to machine, and says so at length.
    env = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
    workers = min(4, len(os.sched_getaffinity(0)))
    if workers > 1 and all(word.startswith(("--proofs", "--durations")) for word in arguments):
        arguments = ["-n", str(workers), "--dist", "loadgroup", *arguments]
    return subprocess.call([sys.executable, "-m", "pytest", *arguments], cwd=root, env=env)


def run_benchmarks(only: str | None = None) -> list[dict[str, Any]]:
    """Run ``rows()`` of each module of tests/benchmarks and write build/bench.json.

    Each row has name, ours, peer, ratio (how many times better than the peer, None without one), unit, how.

    Args:
        only: run the modules whose name contains this.

    Raises:
        FpgaClassError: a module failed; the rows of the others are shown and written all the same.
    """
    folder = require_clone() / "tests" / "benchmarks"
    modules = [p for p in sorted(folder.glob("*.py")) if p.stem != "__init__" and (only or "") in p.stem]
    if not modules:
        known = ", ".join(path.stem for path in sorted(folder.glob("*.py")))
        raise InvalidInputError(f"no benchmark is called like {only!r}", next_step=f"use one of {known}")
    rows: list[dict[str, Any]] = []
    failed: list[str] = []
    for path in modules:
        try:
            with stage(f"benchmark {path.stem}"):
                rows += _benchmark(path)
        except Exception:
            # What the others measured took minutes, and is kept.
            failed.append(path.stem)
            Console(stderr=True).print_exception()
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(rows, indent=2) + "\n")
    _show(rows)
    say(f"written to {target}")
    if failed:
        raise FpgaClassError(
            f"these benchmarks failed: {', '.join(failed)}",
            where=str(folder),
            next_step="read the traceback above; the rows of the others are written",
        )
    return rows


def _benchmark(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a module of tests/benchmarks."""
    rows: list[dict[str, Any]] = load_file(f"benchmark_{path.stem}", path).rows()
    for row in rows:
        if set(row) != ROW:
            raise FpgaClassError(f"a row has {sorted(row)}, not {sorted(ROW)}", where=str(path))
    return rows


def write_pins() -> None:
    """Resolve docker/requirements/*.in anew, with hashes and without addresses."""
    folder = require_clone() / "docker" / "requirements"
    for name in ("student", "lattice", "trees", "cohort", "scale", "dev", "manager", "compiler", "bootstrap"):
        with stage(f"pins of {name}", "uv"):
            _uv("compile", *_PIN_OPTIONS, f"{name}.in", "-o", f"{name}.txt", cwd=folder)


def _uv(verb: str, *arguments: str, cwd: Path | None = None) -> None:
    target = ["--python", sys.executable] if verb == "install" else []
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", verb, *target, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ToolMissingError(f"uv pip {verb} failed: {last}", next_step="check the network and try again")


def _show(rows: list[dict[str, Any]]) -> None:
    """Print the figures as a table that fits a terminal, and below it how each was had."""
    table = Table(title="measured on this machine, in one run")
    table.add_column("benchmark", no_wrap=True)
    for name in ("ours", "peer", "ratio", "unit"):
        table.add_column(name)
    for row in rows:
        numbers = [("-" if row[key] is None else f"{row[key]:,.4g}") for key in ("ours", "peer", "ratio")]
        table.add_row(row["name"], *numbers, row["unit"])
    console = Console(highlight=False)
    console.print(table)
    for row in rows:
        console.print(f"[bold]{row['name']}[/]  {escape(row['how'])}")
