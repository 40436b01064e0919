"""A sweep over settings of a training: what physics each gives, and what circuit it costs."""

from __future__ import annotations

import inspect
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fpgaclass.core import InvalidInputError, as_disk_full, digest_of, say, track, warn
from fpgaclass.firmware.artifact import some_path
from fpgaclass.firmware.board import Board, load_board
from fpgaclass.firmware.sweep.key import fingerprint, setting_text
from fpgaclass.firmware.sweep.point import Score, SearchPoint, Task, Train, evaluate, find_point
from fpgaclass.firmware.sweep.result import Budget, Search, counted, setting_words
from fpgaclass.firmware.sweep.workers import run_workers

_NO_BUDGET = Budget()


def grid(**axes: Iterable[Any]) -> list[dict[str, Any]]:
    """List every combination of the values given, the last name varying fastest.

    Example:
        >>> grid(beta=[1e-6, 3e-6], width=[16, 32])[1]
        {'beta': 1e-06, 'width': 32}

    Raises:
        InvalidInputError: what is given for a name is no list of values.
    """
    for name, given in axes.items():
        if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
            raise InvalidInputError(
                f"{name} is {given!r}, no list of values", next_step=f"write it as {name}=[{given!r}]"
            )
    values = itertools.product(*axes.values())
    return [dict(zip(axes, combination, strict=True)) for combination in values]


def search(
    train: Train,
    settings: Iterable[Mapping[str, Any]],
    score: Score,
    *,
    board: str | Path | Board = "u250",
    folder: str | Path,
    jobs: int = 1,
    lower_is_better: bool = True,
    budget: Budget = _NO_BUDGET,
) -> Search:
    """Train a model for each setting, score it, and estimate its circuit on a board; no synthesis is run.

    A plain Keras model is quantised first, as ``build`` would do; what is scored is what the firmware will
    compute. LUTs are da4ml's estimate for the network alone, times the board's ``lut_ratio`` where its tables
    have four inputs (synthesis for six inputs has agreed within some 10 %). Stages and latency follow from
    the board's clock and its ``adder_level_ns``. All are estimates.

    Each point is kept in ``folder`` as soon as it is finished. The same call again, after a kill or with
    further settings, does only what is missing; a point is the same as long as its setting, the code of
    ``train`` and the data that it uses are (see ``search_key.fingerprint``). With another score or board
    the models are loaded and judged anew, not trained. A setting that fails is kept with its error, and does
    not stop the others; remove its folder to try it again. Each training starts from the same random seed,
    whatever ran before it.

    Args:
        train: called with a setting's values by name; returns a trained HGQ2 model (its ranges traced by
            ``hgq.utils.trace_minmax``) or a plain Keras one.
        settings: the points, such as from ``grid``: names to numbers, words, or lists of these.
        score: of a model, one number: a resolution, an error rate, an accuracy.
        board: a name from ``board_names()``, a TOML file, or a ``Board``.
        folder: where the points are kept.
        jobs: processes that work at once; 1 stays in this one. More need the package cloudpickle, by which
            functions of a notebook can go along; each needs some 1 GB of memory and seconds to start.
        lower_is_better: whether a smaller score is a better one; False for an accuracy.
        budget: what a point may cost, and how many points and how many seconds the sweep may take.

    Raises:
        InvalidInputError: no or wrong settings, an unknown board, ``jobs`` below 1, a folder that cannot be
            made.
        UsageError: ``jobs`` above 1, and train or score cannot be taken to another process.
        ToolMissingError: ``jobs`` above 1 without cloudpickle.

    Example::

        def train(beta, width):
            model = quantised_network(beta, width)
            model.compile("adam", "mae")
            model.fit(X, y, epochs=20, verbose=0)
            trace_minmax(model, X)
            return model

        found = search(
            train, grid(beta=[1e-7, 1e-6], width=[16, 32]), sigma68, folder="sweep",
            budget=Budget(lut=10_000, latency_ns=50),
        )
        print(found)
        firmware = build(found.best().model())
    """
    for name, function in (("train", train), ("score", score)):
        if not callable(function):
            raise InvalidInputError(
                f"{name} is a {type(function).__name__}, no function", next_step="pass the function itself"
            )
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise InvalidInputError(f"jobs is {jobs!r}", next_step="use a whole number, 1 or more")
    if not isinstance(budget, Budget):
        raise InvalidInputError(f"budget is {budget!r}", next_step="write it as Budget(lut=10_000)")
    target, place = load_board(board), some_path(folder)
    tasks = _tasks(train, score, settings, target, place)
    _ensure_writable(place)
    chosen = tasks[: budget.points]
    points = {task.folder: point for task in chosen if (point := find_point(task))}
    missing = [task for task in chosen if task.folder not in points]
    if len(missing) < len(chosen):
        there = len(chosen) - len(missing)
        are = "is" if there == 1 else "are"
        say(f"{there} of {counted(len(chosen), 'point')} {are} there already, in {place}")
    if missing:
        go_on = _clock(budget.seconds)
        if jobs == 1:
            arriving = _one_by_one(train, score, target, missing, go_on)
        else:
            arriving = run_workers(train, score, target, missing, min(jobs, len(missing)), go_on)
        with _writing_to(place):
            for point in track(arriving, "points of the search", total=len(missing)):
                points[str(point.folder)] = point
                _tell(point)
    done = tuple(points[task.folder] for task in chosen if task.folder in points)
    return Search(done, target, budget, lower_is_better, len(tasks) - len(done))


def _ensure_writable(folder: Path) -> None:
    """Make the folder, and see that points can be kept in it, before hours of training."""
    with _writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


@contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refused:
        in_the_way = isinstance(refused, (FileExistsError, NotADirectoryError))
        raise as_disk_full(refused) or InvalidInputError(
            f"no points can be kept there: {'a file is in the way' if in_the_way else refused.strerror}",
            where=str(folder),
            next_step="choose a folder that you may write to",
        ) from refused


def _tasks(
    train: Train, score: Score, settings: Iterable[Mapping[str, Any]], board: Board, folder: Path
) -> Sequence[Task]:
    if isinstance(settings, (Mapping, str)) or not isinstance(settings, Iterable):
        raise InvalidInputError(
            f"settings is {settings!r}, no list of them", next_step="write it as grid(beta=[1e-6, 3e-6])"
        )
    settings = list(settings)
    # The same setting twice is one point, in the place of the first.
    texts = list(dict.fromkeys(setting_text(setting) for setting in settings))
    if not texts:
        raise InvalidInputError("there are no settings", next_step="give some, as grid(beta=[1e-6]) does")
    for setting in settings:
        _check_arguments(train, setting)
    trained_by = fingerprint(train)
    judged_by = digest_of(fingerprint(score), repr(board), version("da4ml"))
    where = folder.resolve()
    return [
        Task(json.loads(text), str(where / digest_of(text, trained_by)[:16]), judged_by) for text in texts
    ]


def _check_arguments(train: Train, setting: Mapping[str, Any]) -> None:
    """Refuse a setting that a function cannot be called with."""
    try:
        signature = inspect.signature(train)
    except (TypeError, ValueError):  # of what is not written in Python
        return
    try:
        signature.bind(**setting)
    except TypeError as bad:
        raise InvalidInputError(
            f"train cannot be called with {setting_words(setting) or 'nothing'}: {bad}",
            next_step=f"it takes {signature}",
        ) from bad


def _one_by_one(
    train: Train, score: Score, board: Board, tasks: Sequence[Task], go_on: Callable[[], bool]
) -> Iterator[SearchPoint]:
    for task in tasks:
        if not go_on():
            return
        yield evaluate(train, score, board, task)


def _clock(seconds: float | None) -> Callable[[], bool]:
    end = None if seconds is None else time.monotonic() + seconds
    return lambda: end is None or time.monotonic() < end


def _tell(point: SearchPoint) -> None:
    words = setting_words(point.setting)
    if point.error:
        warn(f"{words} failed: {point.error}")
    else:
        cost = f"{point.lut:,} LUT and {point.latency_ns:.0f} ns (estimate)"
        say(f"  {words}: score {point.score:.4g}, {cost}, {point.seconds:.0f} s")
