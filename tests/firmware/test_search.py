"""The sweep: what is kept, what is done again, what fails alone, and what is said of it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.core import FirmwareError, InvalidInputError, UsageError
from fpgaclass.firmware import Budget, Search, SearchPoint, grid, load_board, search
from fpgaclass.firmware.network import trace_network, write_rtl
from fpgaclass.firmware.sweep.key import fingerprint
from fpgaclass.firmware.sweep.point import estimate

Train = Callable[..., Any]


def _trainer(notes: list[int] | None = None) -> Train:
    """Make a `train` of a plain network with random weights of so many bits; what counts is the sweep."""

    def train(bits: int) -> Any:
        import keras

        from fpgaclass.firmware import quantise

        if notes is not None:
            notes.append(bits)
        if bits == 1:
            raise ValueError("one bit is not enough")
        if bits == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        print("what train prints must not get in the way")
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1)])
        return quantise(model, f"fixed<{bits},2>")

    return train


def _weights_used(model: Any) -> float:
    return float(sum(np.count_nonzero(np.asarray(weight)) for weight in model.get_weights()))


def _points(*costs: tuple[float, int, float]) -> tuple[SearchPoint, ...]:
    return tuple(
        SearchPoint({"n": k}, Path(f"p{k}"), score, lut, int(ns // 5), ns)
        for k, (score, lut, ns) in enumerate(costs)
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """A sweep in this process, with a point that fails and a setting given twice."""
    settings = [*grid(bits=[8, 1, 4]), {"bits": 8}]
    return search(_trainer(), settings, _weights_used, folder=tmp_path_factory.mktemp("sweep"))


def test_costs_are_those_that_a_build_would_pipeline(found: Search, tmp_path: Path) -> None:
    """An estimate by another way than the build's own would send people to the wrong point."""
    eight = found.points[0]
    network = trace_network(eight.model())
    rtl = write_rtl(network, load_board("u250"), tmp_path)
    assert (eight.lut, eight.stages) == (rtl.estimated_lut, rtl.stages)
    assert eight.latency_ns == rtl.stages * 5.0, "200 MHz"
    assert eight.score == _weights_used(eight.model()), "the model kept is the model scored"


def test_a_board_of_smaller_tables_needs_more_of_them(found: Search) -> None:
    """A sweep for an ECP5 that counts tables of six inputs promises what does not fit."""
    model = found.points[0].model()
    large, small = (estimate(model, load_board(name))[0] for name in ("u250", "ecp5-85k"))
    assert small == pytest.approx(1.8 * large, rel=0.01)


def test_a_failed_point_is_kept_with_its_error_and_stops_nothing(found: Search) -> None:
    """One setting that diverges at night must not cost the other fifty."""
    assert [point.setting for point in found.points] == [{"bits": 8}, {"bits": 1}, {"bits": 4}]
    eight, one, four = found.points
    assert one.error == "ValueError: one bit is not enough"
    assert "in train" in (one.folder / "error.txt").read_text(), "the whole traceback is there"
    assert not eight.error
    assert not four.error
    assert eight.lut > four.lut > 0
    with pytest.raises(FirmwareError, match="one bit is not enough"):
        one.model()


def test_the_table_says_estimate_and_marks_the_front(found: Search) -> None:
    """A LUT count without its source would be taken for synthesis."""
    lines = str(found).splitlines()
    assert "Alveo U250 at 200 MHz" in lines[0]
    assert "estimate" in lines[0]
    four = next(line for line in lines if line.split()[:2] == ["*", "4"])
    assert f"{found.points[2].lut:,}" in four
    where = found.points[1].folder / "error.txt"
    assert f"failed: bits=1: ValueError: one bit is not enough (in full: {where})" in lines
    assert lines[-1] == "A failed point stays so: remove its folder to try it again."


def test_again_does_only_what_is_missing(tmp_path: Path) -> None:
    """Killed after hours and begun again, a sweep goes on where it was; so it does with more settings."""
    notes: list[int] = []

    def stopped(model: Any) -> float:
        if len(notes) == 2:
            raise KeyboardInterrupt
        return _weights_used(model)

    train = _trainer()

    def noted(bits: int) -> Any:
        notes.append(bits)
        return train(bits)

    def run(values: list[int], score: Any = _weights_used, board: str = "u250") -> Search:
        # The list of calls is data that `noted` uses: it must be the same whenever its digest is taken.
        before, notes[:] = notes.copy(), []
        try:
            return search(noted, grid(bits=values), score, folder=tmp_path, board=board)
        finally:
            notes[:] = before + notes

    with pytest.raises(KeyboardInterrupt):
        run([4, 5, 6], stopped)
    assert notes == [4, 5]
    first = run([4, 5, 6])
    assert notes == [4, 5, 6], "5 was trained but not scored: its model is there"
    assert run([4, 5, 6]) == first
    assert len(run([4, 5, 6, 7]).points) == 4
    assert notes == [4, 5, 6, 7]
    slower = run([4, 5, 6, 7], board="ecp5-85k")
    assert notes == [4, 5, 6, 7], "another board judges the same models"
    assert slower.points[0].latency_ns != first.points[0].latency_ns


def test_a_point_cut_short_is_done_again(tmp_path: Path) -> None:
    """A disk that filled up leaves half a file; that is no point, and half a model no model."""
    settings = grid(bits=[4])
    point = search(_trainer(), settings, _weights_used, folder=tmp_path).points[0]
    for name in ("point.json", "model.keras"):
        path = point.folder / name
        path.write_bytes(path.read_bytes()[:100])
    again = search(_trainer(), settings, _weights_used, folder=tmp_path).points[0]
    assert not again.error
    assert (again.score, again.lut) == (point.score, point.lut), "the same seed, the same model"
    assert sorted(path.name for path in point.folder.iterdir()) == ["model.keras", "point.json"]


def test_jobs_give_the_same_and_a_killed_process_is_one_failed_point(found: Search, tmp_path: Path) -> None:
    """A sweep of several processes is a sweep; one that runs out of memory loses its point, no more.

    The functions are of this function's inside, as a notebook's are of the notebook: no module has them.
    """
    train = _trainer()

    def used(model: Any) -> float:
        return float(sum(np.count_nonzero(np.asarray(weight)) for weight in model.get_weights()))

    together = search(train, grid(bits=[8, 0, 1, 4]), used, folder=tmp_path, jobs=2)
    eight, none, one, four = together.points
    for mine, other in zip((eight, one, four), found.points, strict=True):
        assert (mine.setting, mine.score, mine.lut, mine.error) == (
            other.setting,
            other.score,
            other.lut,
            other.error,
        )
    assert "signal 9" in none.error
    assert not (none.folder / "point.json").exists(), "it is tried again the next time"


def test_a_script_without_a_guard_sweeps_once(tmp_path: Path) -> None:
    """Physicists' scripts have no `if __name__`; multiprocessing would run them again in every child."""
    script = tmp_path / "sweep.py"
    script.write_text(
        textwrap.dedent(
            """
            from fpgaclass.firmware import grid, search
            print("once")
            def train(n):
                return refused
            found = search(train, grid(n=[1, 2]), float, folder="points", jobs=2)
            print([point.error for point in found.points])
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.splitlines() == ["once", repr(["NameError: name 'refused' is not defined"] * 2)]


def test_what_cannot_go_to_another_process_is_refused_with_a_way_out(tmp_path: Path) -> None:
    """A lock or an open file in a notebook's global is common; jobs=1 works with it."""
    held = io.TextIOWrapper(io.BytesIO())

    def train(n: int) -> Any:
        return held.write(str(n))

    with pytest.raises(UsageError, match="jobs=1"):
        search(train, grid(n=[1]), float, folder=tmp_path, jobs=2)


def test_budgets_of_points_and_seconds_leave_the_rest_out(tmp_path: Path) -> None:
    """A sweep for a coffee break ends with it, and says what it did not do."""
    settings = grid(bits=[4, 5, 6])
    one = search(_trainer(), settings, _weights_used, folder=tmp_path, budget=Budget(points=1))
    assert (len(one.points), one.left_out) == (1, 2)
    assert "2 settings were left out" in str(one)
    two = search(_trainer(), settings, _weights_used, folder=tmp_path / "2", budget=Budget(points=2))
    assert "1 setting was left out" in str(two)
    assert "1 point (LUTs" in str(one)
    late = search(_trainer(), settings, _weights_used, folder=tmp_path, budget=Budget(seconds=1e-9))
    assert (len(late.points), late.left_out) == (1, 2), "what was there already costs no time"


def test_the_front_and_the_best_of_made_up_points() -> None:
    """By hand: 2 is beaten by 1 in both; 3 is as good as 0 for more; 4 failed."""
    points = _points((0.10, 9000, 20), (0.12, 4000, 15), (0.13, 5000, 15), (0.10, 9500, 25))
    failed = SearchPoint({"n": 4}, Path("p4"), error="ValueError: no")
    found = Search((*points, failed), load_board("u250"), Budget(lut=8000))
    assert found.pareto == (points[1], points[0])
    assert found.best() == points[1]
    assert found.best(Budget()) == points[0]
    assert found.best(Budget(latency_ns=15)) == points[1]
    with pytest.raises(FirmwareError, match="the smallest needs 4,000 LUT and 15 ns"):
        found.best(Budget(lut=1000))
    higher = Search(points, load_board("u250"), Budget(), lower_is_better=False)
    assert higher.pareto == (points[1], points[2])
    assert higher.best() == points[2]


def test_a_point_larger_than_the_board_is_never_best() -> None:
    """Without a budget the board is the budget."""
    small = load_board("icebreaker")
    points = _points((0.1, small.resources.lut + 1, 20), (0.2, small.resources.lut, 20))
    assert Search(points, small, Budget()).best() == points[1]
    nothing = Search((SearchPoint({}, Path("p"), error="E: x"),), small, Budget())
    with pytest.raises(FirmwareError, match="the only point failed"):
        nothing.best()


def test_json_and_plot_carry_the_source_and_the_words() -> None:
    """What is handed on, to a colleague or a screen reader, must say what it is."""
    points = _points((0.10, 9000, 20), (0.12, 4000, 15))
    found = Search(points, load_board("u250"), Budget(lut=8000))
    data = json.loads(found.to_json())
    assert data["source"].startswith("estimate")
    assert [point["pareto"] for point in data["points"]] == [True, True]
    figure = found.plot("sigma68")
    labels = [text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())]
    assert sum("estimate" in label for label in labels) == 2, labels
    assert "4,000" in figure.alt_text
    assert "sigma68" in figure.alt_text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"settings": []}, "no settings"),
        ({"settings": [{"layer": object()}]}, "cannot be written down"),
        ({"settings": [{"beta": float("nan")}]}, "not a setting"),
        ({"settings": [{"two words": 1}]}, "names of arguments"),
        ({"settings": [{"n": 1}], "jobs": 0}, "jobs is 0"),
        ({"settings": [{"width": 1}]}, r"train cannot be called with width=1: .*'bits'.*it takes \(bits"),
        ({"settings": {"bits": 1}}, "settings is .*, no list of them"),
        ({"settings": 4}, "settings is 4, no list"),
        ({"settings": [{"bits": 4}], "folder": None}, "None is no path"),
        ({"settings": [{"bits": 4}], "budget": {"lut": 4}}, r"write it as Budget\("),
        ({"settings": [{"n": 1}], "jobs": 1.5}, "jobs is 1.5"),
        ({"settings": [{"n": 1}], "jobs": True}, "jobs is True"),
        ({"settings": [{"n": 1}], "board": "u999"}, "u999"),
        ({"settings": [{"n": 1}], "train": "train"}, "train is a str, no function"),
        ({"settings": [{"bits": 1}], "folder": "/proc/none"}, "no points can be kept there"),
    ],
)
def test_wrong_arguments_are_refused_before_any_training(
    arguments: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """An error after an hour of training is an hour lost."""
    whole = {"train": _trainer(), "score": _weights_used, "folder": tmp_path, **arguments}
    with pytest.raises(InvalidInputError, match=said):
        search(**whole)


def test_functions_that_give_nothing_are_failed_points_with_what_to_do(tmp_path: Path) -> None:
    """A forgotten return is the commonest slip of all, and 'NoneType' says little of it."""
    said = []
    for train, score in (
        (lambda n: print(n), float),
        (_trainer(), lambda model: str(model)),
        (_trainer(), lambda model: _weights_used(model) * float("nan")),
    ):
        name = "n" if score is float else "bits"
        point = search(train, [{name: 4}], score, folder=tmp_path / str(len(said))).points[0]
        said.append(point.error)
    assert "train returned nothing. Next: end it with `return model`" in said[0]
    assert "the score is a str, no number. Next: return one number" in said[1]
    assert "the score is nan. Next: see whether the training diverged" in said[2]


@pytest.mark.parametrize(
    "limits", [{"lut": 0}, {"lut": 1.5}, {"points": True}, {"seconds": float("nan")}, {"latency_ns": "5"}]
)
def test_a_budget_is_of_positive_numbers(limits: dict[str, Any]) -> None:
    """A limit that nothing is compared with rightly lets everything through."""
    with pytest.raises(InvalidInputError, match=f"the budget's {next(iter(limits))} is"):
        Budget(**limits)


@pytest.mark.parametrize("values", ["16,32", 16, b"ab"])
def test_a_grid_is_of_lists(values: Any) -> None:
    """The letters of a word are a list to Python; nobody means them."""
    with pytest.raises(
        InvalidInputError, match=r"width is .*, no list of values. Next: write it as width=\["
    ):
        grid(width=values)


def _notebook(code: str) -> dict[str, Any]:
    """Run cells as a notebook does: all in one namespace, called ``__main__``."""
    names: dict[str, Any] = {"__name__": "__main__", "np": np}
    exec(compile(code, "<cell>", "exec"), names)
    return names


CELL = """
epochs = 20
data = np.arange(3)
def helper(x, slope=2.0):
    return slope * x
def train(beta):
    def falling(epoch):
        return epoch / epochs
    return helper(data) * beta
"""


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("return slope * x", "return slope * x  # a comment", True),
        ("epochs = 20", "epochs = 30", False),
        ("np.arange(3)", "np.arange(4)", False),
        ("slope=2.0", "slope=3.0", False),
        ("slope * x", "slope + x", False),
        ("* beta", "/ beta", False),
        ("epoch / epochs", "epoch * epochs", False),
    ],
)
def test_a_change_in_a_cell_is_a_change_of_the_training(before: str, after: str, same: bool) -> None:
    """Who edits ``epochs = 20`` in another cell and is given the old models has wrong results."""
    assert before in CELL
    one, other = (fingerprint(_notebook(code)["train"]) for code in (CELL, CELL.replace(before, after)))
    assert (one == other) is same
