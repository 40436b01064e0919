"""How far a firmware is from the model that was handed in, before anything was rounded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from fpgaclass.cli.app import app
from fpgaclass.core import InvalidInputError
from fpgaclass.firmware import Deviation, Firmware, FixedPoint, Report, build, deviation, read_trees
from fpgaclass.firmware.checking.deviation import DRAWN, YOURS, measure_deviation
from fpgaclass.firmware.checking.floating import floating
from fpgaclass.firmware.trees.logic import Tree, Trees
from fpgaclass.firmware.words import Field, WordFormat


@pytest.fixture(scope="session")
def built(float_model: Any) -> Firmware:
    """The plain model of the tests, in twelve bits: visibly apart from what was trained."""
    return build(float_model, board="u50", precision="fixed<12,4>")


def test_the_report_of_a_plain_model_says_how_far_it_is(built: Firmware) -> None:
    """Exact to the bit is what the quantised model is; what rounding has cost was nowhere to be read."""
    found = built.report.deviation
    assert found is not None
    assert (found.events, found.drawn, found.source) == (20_000, DRAWN, "simulated")
    assert found.largest > found.mean > 0
    assert str(found) in str(built.report)
    assert "simulated" in str(found)
    assert json.loads(built.report.to_json())["deviation"]["largest"] == found.largest
    assert Report.from_json(built.report.to_json()) == built.report


def test_the_user_s_events_are_compared_and_kept(
    built: Firmware, float_model: Any, events: Any, tmp_path: Path
) -> None:
    """What counts is the user's data; the same firmware is found in the cache, a copy has the figure."""
    again = build(float_model, board="u50", precision="fixed<12,4>", events=events)
    assert again.folder == built.folder
    found = again.report.deviation
    assert found == deviation(float_model, built, events)
    apart = np.abs(float_model.predict(events, verbose=0) - built.predict(events))
    assert found is not None
    assert (found.events, found.drawn) == (len(events), YOURS)
    assert found.largest == pytest.approx(apart.max(), rel=1e-4)
    assert found.mean == pytest.approx(apart.mean(), rel=1e-4)
    assert found.same_class is None, "a regressor chooses nothing"
    assert again.save(tmp_path / "mine").report.deviation == found
    assert Firmware.load(built.folder).report == built.report, "the cache keeps its own"


def test_the_figure_is_shown_in_a_terminal(
    built: Firmware, float_model: Any, events: Any, tmp_path: Path
) -> None:
    """The events of a file, the distance from the model in the report, and in the copy that is kept."""

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["firmware", *words], catch_exceptions=False)
        assert done.exit_code == 0
        return str(done.stdout)

    float_model.save(tmp_path / "plain.keras")
    np.save(tmp_path / "x.npy", events[:500])
    given = (str(tmp_path / "plain.keras"), "--board", "U50", "--precision", "fixed<12,4>")
    found = json.loads(
        run("build", *given, "--events", f"{tmp_path}/x.npy", "--into", f"{tmp_path}/mine", "--json")
    )
    apart = found["report"]["deviation"]
    assert (apart["events"], apart["drawn"], apart["source"]) == (500, YOURS, "simulated")
    assert found["manifest"]["digest"] == built.manifest.digest, "the same build"
    assert json.loads(run("report", f"{tmp_path}/mine", "--json"))["report"]["deviation"] == apart
    assert "(simulated, 500 events of yours" in run("report", f"{tmp_path}/mine")


def test_a_quantised_model_is_the_firmware(quantised_model: Any, events: Any) -> None:
    """For HGQ2 the given model is the quantised one: nothing is between, on events that are on its grid."""
    made = build(quantised_model, name="small")
    assert made.report.deviation is None
    assert deviation(quantised_model, made, events).largest < 1e-6


def _one(outputs: int, activation: str) -> Any:
    import keras

    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(outputs, activation=activation)])


_INPUTS = WordFormat((Field(1, 3, 4),) * 2, 8, (2,))


@pytest.mark.parametrize(
    ("outputs", "activation", "share"), [(3, "softmax", 0.5), (1, "sigmoid", 0.5), (1, "linear", None)]
)
def test_classifiers_are_told_how_often_they_choose_alike(
    outputs: int, activation: str, share: float | None
) -> None:
    """An error of a hundredth is much at the edge of a cut and nothing elsewhere: half of these flip."""
    model = _one(outputs, activation)
    x = np.random.default_rng(0).uniform(-4, 4, (40, 2)).astype(np.float32)
    right = np.asarray(model(x))
    wrong = np.roll(right, 1, axis=1) if outputs > 1 else 1 - right
    half = np.concatenate([right[:20], wrong[20:]])
    found = measure_deviation(floating(model), lambda _: half, _INPUTS, x, YOURS)
    assert found.same_class == share
    assert ("same choice in 50.00%" in str(found)) is (share is not None)


def test_events_that_wrap_are_counted() -> None:
    """A distance of sixty with two events beyond the input's type is not the network's doing."""
    model = _one(1, "linear")
    x = np.array([[0, 0], [9, 0], [0, -9.5]], np.float32)
    found = measure_deviation(floating(model), lambda x: np.asarray(model(x)), _INPUTS, x, YOURS)
    assert (found.wrapped, found.largest) == (2, 0)
    assert "2 wrap at the input" in str(found)


@pytest.mark.parametrize("events", [np.zeros((0, 6)), np.zeros((3, 5)), np.full((3, 6), np.nan), ["a"]])
def test_wrong_events_are_refused_before_the_build(float_model: Any, events: Any) -> None:
    """A minute of work and then an error about a shape would be a minute lost."""
    with pytest.raises(InvalidInputError):
        build(float_model, precision="fixed<7,4>", name="never", events=events)


def test_what_has_no_floating_point_is_refused(quantised_model: Any, events: Any) -> None:
    """Trees that are whole numbers already are the firmware; there is nothing to compare with."""
    made = build(quantised_model, name="small")
    with pytest.raises(InvalidInputError, match=r"a dict has no results in floating point"):
        deviation({}, made, events)
    with pytest.raises(InvalidInputError, match=r"a str is no firmware. Next: read one with Firmware.load"):
        deviation(quantised_model, str(made.folder), events)  # type: ignore[arg-type]
    assert Deviation(1, YOURS, 0.0, 0.0, None, 0).source == "simulated"
    leaf = Tree((-1,), (0,), (-1,), (-1,), (3,))
    trees = Trees("forest", 2, FixedPoint(8, 4), FixedPoint(8, 4), ((leaf,),), (0,))
    with pytest.raises(InvalidInputError, match="leave events out of build"):
        build(trees, events=np.zeros((3, 2)))


@pytest.mark.parametrize("kind", ["regressor", "two classes", "three classes", "xgboost"])
def test_trees_are_compared_with_their_own_library(kind: str) -> None:
    """Leaves are rounded and inputs cut: what that costs a trained ensemble, the report says as well."""
    ensemble = pytest.importorskip("sklearn.ensemble", reason="a model; pip install scikit-learn")
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1, (600, 4)).astype(np.float32)
    y = x[:, 0] * x[:, 1] + x[:, 2]
    if kind == "xgboost":
        xgboost = pytest.importorskip("xgboost", reason="a model; pip install xgboost pandas")
        model = xgboost.XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1).fit(x, y > 0)
        own = model.predict(x, output_margin=True).reshape(-1, 1)
    elif kind == "regressor":
        model = ensemble.GradientBoostingRegressor(n_estimators=5, max_depth=2, random_state=1).fit(x, y)
        own = model.predict(x).reshape(-1, 1)
    else:
        edges = [0.0] if kind == "two classes" else [-0.5, 0.5]
        model = ensemble.GradientBoostingClassifier(n_estimators=5, max_depth=2, random_state=1)
        own = model.fit(x, np.digitize(y, edges)).decision_function(x).reshape(len(x), -1)
    given, trees = floating(model), read_trees(model, "fixed<8,4>")
    assert (given.takes, given.gives) == ((4,), own.shape[1:])
    inputs = WordFormat((Field(1, 3, 4),) * 4, 8, (4,))
    found = measure_deviation(given, trees.predict, inputs, x, YOURS)
    ours = trees.predict(x)
    assert found.largest == pytest.approx(np.abs(own - ours).max(), abs=1e-6)
    assert found.largest > 0
    alike = {
        "regressor": None,
        "three classes": (own.argmax(axis=1) == ours.argmax(axis=1)).mean(),
    }.get(kind, ((own > 0) == (ours > 0)).mean())
    assert found.same_class == alike


def test_the_report_of_trees_says_how_far_they_are() -> None:
    """From ``build`` itself, and of events of one's own; those of another model are refused."""
    ensemble = pytest.importorskip("sklearn.ensemble", reason="a model; pip install scikit-learn")
    x = np.random.default_rng(3).normal(0, 1, (600, 4)).astype(np.float32)
    model = ensemble.GradientBoostingRegressor(n_estimators=3, max_depth=2, random_state=1)
    made = build(model.fit(x, x[:, 0] * x[:, 1]), precision="fixed<10,4>", name="forest")
    found = made.report.deviation
    assert found is not None
    assert (found.events, found.drawn) == (20_000, DRAWN)
    again = build(model, precision="fixed<10,4>", name="forest", events=x)
    assert again.folder == made.folder
    assert again.report.deviation == deviation(model, made, x)
    fewer = ensemble.GradientBoostingRegressor(n_estimators=3).fit(x[:, :3], x[:, 0])
    with pytest.raises(InvalidInputError, match=r"takes \(3,\) and gives \(1,\), the firmware \(4,\)"):
        deviation(fewer, made, x)
