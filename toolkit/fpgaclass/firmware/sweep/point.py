"""One point of a sweep: trained, scored, estimated, and kept in a folder of its own."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fpgaclass.core import BuildError, FirmwareError, InvalidInputError
from fpgaclass.firmware.board import Board
from fpgaclass.firmware.build import prepare
from fpgaclass.firmware.network import trace_network

POINT_FILE, MODEL_FILE, ERROR_FILE = "point.json", "model.keras", "error.txt"
_SEED = 1

Train = Callable[..., Any]
Score = Callable[[Any], float]


@dataclass(frozen=True)
class SearchPoint:
    """What became of one setting.

    Attributes:
        setting: the arguments that ``train`` was called with.
        folder: holds ``model.keras``, ``point.json`` and, if it failed, ``error.txt``.
        score: what ``score`` said of the model as firmware computes it.
        lut: look-up tables of the network alone, from da4ml's estimate before synthesis.
        stages: clocks through the pipeline at the board's clock (estimate).
        latency_ns: the same in ns (estimate).
        seconds: that the point took, training included.
        error: why it failed; empty if it did not. A failed point's figures are 0.
    """

    setting: Mapping[str, Any]
    folder: Path
    score: float = 0.0
    lut: int = 0
    stages: int = 0
    latency_ns: float = 0.0
    seconds: float = 0.0
    error: str = ""

    def model(self) -> Any:
        """Load the trained model, ready for ``firmware.build``.

        Raises:
            FirmwareError: its training failed, or its file is gone.
        """
        path = self.folder / MODEL_FILE
        if not path.is_file():
            raise FirmwareError(
                f"no model of {self.setting}: {self.error or 'its file is gone'}",
                where=str(path),
                next_step="search again",
            )
        return _load(path)


@dataclass(frozen=True)
class Task:
    """A setting to evaluate.

    Attributes:
        setting: arguments of ``train``.
        folder: where the point is kept; its name is the digest of setting and training.
        judged_by: digest of what gives score and cost: the score function, the board, the tools.
    """

    setting: Mapping[str, Any]
    folder: str
    judged_by: str


def find_point(task: Task) -> SearchPoint | None:
    """Return a point as it was kept, or None if it has to be evaluated (again)."""
    try:
        kept = json.loads((Path(task.folder) / POINT_FILE).read_text())
        if kept.pop("judged_by") != task.judged_by:
            return None
        return SearchPoint(**{**kept, "setting": task.setting, "folder": Path(task.folder)})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def evaluate(train: Train, score: Score, board: Board, task: Task) -> SearchPoint:
    """Train (or load), score and estimate a point, and keep it; whatever fails becomes its error."""
    import keras

    folder, started = Path(task.folder), time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # A point must not depend on which ones were trained before it in the same process.
        keras.utils.set_random_seed(_SEED)
        model = _trained(train, task.setting, folder)
        value = _number(score(model))
        lut, stages = estimate(model, board)
        point = SearchPoint(
            task.setting, folder, value, lut, stages, stages * 1e3 / board.clock_mhz, _since(started)
        )
    except Exception as bad:
        write_whole(folder / ERROR_FILE, traceback.format_exc().encode())
        point = SearchPoint(task.setting, folder, seconds=_since(started), error=one_line(bad))
    record = {**asdict(point), "folder": folder.name, "judged_by": task.judged_by}
    write_whole(folder / POINT_FILE, json.dumps(record, indent=2).encode())
    return point


def estimate(model: Any, board: Board) -> tuple[int, int]:
    """Return (LUTs of the board, pipeline stages at its clock) of a quantised model; from da4ml's estimate.

    Raises:
        BuildError: da4ml cannot turn the model into logic, or there is no logic left in it.
    """
    from da4ml.trace.pipeline import to_pipeline

    logic = trace_network(model).logic
    if logic.cost <= 0:
        raise BuildError(
            "no logic is left: every weight was pruned",
            where="da4ml",
            next_step="train with a smaller beta",
        )
    pipeline = to_pipeline(logic, board.levels_per_clock, verbose=False)
    return math.ceil(logic.cost * board.lut_ratio), len(pipeline.solutions)


def one_line(bad: BaseException) -> str:
    """Return an exception as one line: its type and the beginning of what it says."""
    return f"{type(bad).__name__}: {' '.join(str(bad).split())}"[:300]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, whoever else writes it at the same time."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_bytes(data)
    scratch.replace(path)


def _trained(train: Train, setting: Mapping[str, Any], folder: Path) -> Any:
    """Load the model that was trained before, or train it and keep it: as firmware computes it."""
    path = folder / MODEL_FILE
    if path.is_file():
        try:
            return _load(path)
        except (OSError, TypeError, ValueError):
            path.unlink(missing_ok=True)  # damaged, or of layers that only `train` knows
    made = train(**setting)
    if made is None:
        raise InvalidInputError("train returned nothing", next_step="end it with `return model`")
    model = prepare(made)
    # Keras writes by and by: in a folder that the system clears should we be killed.
    with tempfile.TemporaryDirectory() as scratch:
        model.save(Path(scratch) / MODEL_FILE)
        arrived = path.with_name(f".{MODEL_FILE}.{os.getpid()}")
        shutil.copyfile(Path(scratch) / MODEL_FILE, arrived)
        arrived.replace(path)
    return model


def _number(score: Any) -> float:
    try:
        value = float(score)
    except (TypeError, ValueError) as bad:
        step = "return one number, such as float(accuracy)"
        raise InvalidInputError(f"the score is a {type(score).__name__}, no number", next_step=step) from bad
    if not math.isfinite(value):
        raise InvalidInputError(f"the score is {value}", next_step="see whether the training diverged")
    return value


def _load(path: Path) -> Any:
    import hgq.layers  # noqa: F401  (Keras finds its layers by their registration)
    import keras

    return keras.models.load_model(path, compile=False)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 2)
