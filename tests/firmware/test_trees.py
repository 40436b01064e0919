"""Boosted trees: read by conifer, exact in every stage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.core import InvalidInputError, UnsupportedLayerError
from fpgaclass.firmware import agreement, build, load_board, read_trees, trace
from fpgaclass.firmware.checking.layers import compare_layers
from fpgaclass.firmware.checking.verify import spread_events
from fpgaclass.firmware.emulation import compile_hls, emulate, write_hls
from fpgaclass.firmware.network import trace_network
from fpgaclass.firmware.trees.logic import Tree, Trees
from fpgaclass.firmware.vector import compile_vector, run_vector, write_vector

pytest.importorskip("conifer", reason="conifer reads the trees; pip install conifer")
ensemble = pytest.importorskip("sklearn.ensemble", reason="a model to read; pip install scikit-learn")


def _events(count: int = 3000) -> Any:
    """On the grid of fixed<16,6>: a cut there decides as it does in floating point."""
    rng = np.random.default_rng(4)
    return np.round(rng.normal(0, 2, (count, 5)).clip(-30, 30) * 1024) / 1024


def _regressor(trees: int = 12, depth: int = 3) -> Any:
    x = _events()
    model = ensemble.GradientBoostingRegressor(n_estimators=trees, max_depth=depth, random_state=1)
    return model.fit(x, x[:, 0] * x[:, 1] + np.abs(x[:, 2]))


def _classifier(classes: int, trees: int = 4) -> Any:
    x = _events()
    model = ensemble.GradientBoostingClassifier(n_estimators=trees, max_depth=3, random_state=1)
    return model.fit(x, np.digitize(x[:, 0] + x[:, 1] ** 2, np.linspace(0, 6, classes - 1)))


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_the_score_is_that_of_the_library(classes: int) -> None:
    """Every decision is the same; only the leaves are rounded, by half a step each."""
    model = _regressor() if classes == 1 else _classifier(classes)
    x = _events()
    theirs = (model.predict(x) if classes == 1 else model.decision_function(x)).reshape(len(x), -1)
    trees = read_trees(model, "fixed<16,6>")
    ours = trees.predict(x)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= (len(trees.classes[0]) + 1) * 2**-11 + 1e-6
    assert theirs.std() > 0.5, "a constant would agree with anything"


@pytest.mark.parametrize("kind", ["regressor", "poisson", "binary", "three", "booster"])
def test_the_score_of_xgboost_is_that_of_xgboost(kind: str) -> None:
    """Its thresholds lie on the data, so on the grid: one rounding and a whole branch is another."""
    xgboost = pytest.importorskip("xgboost", reason="a model to read; pip install xgboost pandas")
    pytest.importorskip("pandas", reason="conifer reads xgboost with it")
    x = _events().astype(np.float32)
    y = x[:, 0] * x[:, 1] + np.abs(x[:, 2]) + 3
    options = {"n_estimators": 12, "max_depth": 3, "n_jobs": 1}
    if kind == "booster":
        model = xgboost.train({"max_depth": 3, "nthread": 1}, xgboost.DMatrix(x, label=y), 12)
        theirs = model.predict(xgboost.DMatrix(x), output_margin=True)
    else:
        cuts = {"binary": [2], "three": [1, 4]}
        objective = {"objective": "count:poisson"} if kind == "poisson" else {}
        make = xgboost.XGBClassifier if kind in cuts else xgboost.XGBRegressor
        model = make(**options, **objective).fit(x, np.digitize(y, cuts[kind]) if kind in cuts else np.abs(y))
        theirs = model.predict(x, output_margin=True)
    trees = read_trees(model, "fixed<16,6>")
    ours = trees.predict(x)
    assert np.abs(ours - theirs.reshape(ours.shape)).max() <= (len(trees.classes[0]) + 1) * 2**-11 + 1e-5
    assert theirs.std() > 0.2, "a constant would agree with anything"


def test_what_conifer_reads_wrongly_of_xgboost_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of either may mean other numbers by the same words: that must not pass unnoticed."""
    xgboost = pytest.importorskip("xgboost", reason="a model to read; pip install xgboost pandas")
    pytest.importorskip("pandas", reason="conifer reads xgboost with it")
    from conifer.converters import xgboost as converter

    x = _events(500)
    model = xgboost.XGBRegressor(n_estimators=8, max_depth=2, n_jobs=1).fit(x, x[:, 0] ** 2)
    rightly = converter.treeToDict

    def wrongly(*about: Any) -> Any:
        tree = rightly(*about)
        return {**tree, "value": [2 * value for value in tree["value"]]}

    with monkeypatch.context() as patched:
        patched.setattr(converter, "treeToDict", wrongly)
        with pytest.raises(InvalidInputError, match=r"do not give xgboost's own results.*gbtree"):
            read_trees(model)
    dart = xgboost.XGBRegressor(n_estimators=8, booster="dart", rate_drop=0.5, n_jobs=1)
    # which of the two it is depends on xgboost's version: its file of a dart changed with 3.4
    said = "cannot read a XGBRegressor|do not give xgboost's own results"
    with pytest.raises((UnsupportedLayerError, InvalidInputError), match=said):
        read_trees(dart.fit(x, x[:, 0] ** 2))


@pytest.mark.parametrize("classes", [1, 3])
def test_logic_vectors_and_conifer_s_cpp_are_exact(classes: int, tmp_path: Path) -> None:
    """Three that share nothing but the trees, on and off the grid, in range and far beyond."""
    trees = read_trees(_regressor(4, 2) if classes == 1 else _classifier(3, 2), "fixed<12,5>")
    network = trace_network(trees)
    rough = np.random.default_rng(5).normal(0, 30, (1000, 5)).astype(np.float32)
    x = np.concatenate([spread_events(network.inputs, 1000), rough])
    expected = trees.predict(x)
    assert len(np.unique(expected)) > 5
    assert np.array_equal(network.predict(x), expected)
    (tmp_path / "vector").mkdir()
    assert write_vector(network.logic, tmp_path / "vector")
    library = compile_vector(tmp_path / "vector")
    assert np.array_equal(run_vector(library, network.inputs, network.outputs, x), expected)
    if classes == 1:  # the three classes' C++ takes longer to compile than it tells
        write_hls(trees, load_board("u250"), tmp_path / "hls")
        found = emulate(compile_hls(tmp_path / "hls"), x, trees.features, (len(trees.classes),))
        assert np.array_equal(found, expected)


def test_both_conventions_of_a_cut_decide_the_same_on_the_grid() -> None:
    """xgboost goes left below a threshold, scikit-learn at it too; half a step away that is another event."""
    from conifer.model import ModelBase

    tree = {
        "feature": [0, -2, -2], "weight": [[1], [0], [0]], "threshold": [0.5, -2.0, -2.0],
        "value": [0.0, 1.0, 2.0], "children_left": [1, -1, -1], "children_right": [2, -1, -1],
    }  # fmt: skip
    about = {"n_classes": 2, "n_features": 1, "n_trees": 1, "max_depth": 1, "init_predict": [0.0], "norm": 1}
    x = np.array([[0.25], [0.5], [0.75]])
    for convention, expected in (("<", [1, 2, 2]), ("<=", [1, 1, 2])):
        model = ModelBase(
            {**about, "library": "x", "splitting_convention": convention, "trees": [[dict(tree)]]}
        )
        assert read_trees(model, "fixed<8,4>").predict(x).ravel().tolist() == expected
        assert np.ravel(read_trees(model, "fixed<8,4>").logic.predict(x)).tolist() == expected


def test_a_planted_difference_is_found_in_its_tree() -> None:
    """Of a hundred trees, which one: by name, with the first event."""
    trees = read_trees(_regressor(), "fixed<16,6>")
    sixth = trees.classes[0][6]
    wrong = replace(sixth, value=tuple(value + 64 if value else 0 for value in sixth.value))
    other = replace(trees, classes=((*trees.classes[0][:6], wrong, *trees.classes[0][7:]),))
    found = [one for one in compare_layers(trees, other, _events(200).astype(np.float32)) if one.mismatches]
    assert [(one.layer, one.first) for one in found] == [("tree 6 of score 0", 0)]
    assert trace(trees, _events(200)).first_difference is None


def test_what_does_not_fit_is_refused() -> None:
    """A leaf beyond its type would saturate every event that reaches it."""
    with pytest.raises(InvalidInputError, match=r"value .* is beyond fixed<8,1,RND,SAT>.*more integer bits"):
        read_trees(_regressor(), "fixed<8,1>")
    forest = ensemble.RandomForestRegressor(n_estimators=2).fit(_events(50), _events(50)[:, 0])
    with pytest.raises(
        UnsupportedLayerError, match=r"RandomForestRegressor cannot be built.*GradientBoosting"
    ):
        build(forest)
    with pytest.raises(
        UnsupportedLayerError, match=r"cannot read a GradientBoostingRegressor.*train it first"
    ):
        build(ensemble.GradientBoostingRegressor())


def test_an_ensemble_is_kept_and_read_again(tmp_path: Path) -> None:
    """A firmware's folder must say what it was made of; names do not make another ensemble."""
    trees = read_trees(_classifier(3), "fixed<16,6>")
    trees.save(tmp_path)
    again = Trees.load(tmp_path)
    assert again == trees
    assert again.digest == trees.digest == replace(trees, name="other").digest
    assert replace(trees, start=(1, 2, 3)).digest != trees.digest


def test_a_tree_without_a_cut_is_a_constant() -> None:
    """Boosting ends in stumps of one leaf; and a cut beyond the inputs' range never decides."""
    leaf = Tree((-1,), (0,), (-1,), (-1,), (5,))
    from fpgaclass.firmware import FixedPoint

    kind = FixedPoint.parse("fixed<8,4>")
    never = Tree((0, -1, -1), (10_000, 0, 0), (1, -1, -1), (2, -1, -1), (0, 3, 7))
    cut = Tree((1, -1, -1), (4, 0, 0), (1, -1, -1), (2, -1, -1), (0, 3, 7))
    trees = Trees("few", 2, kind, kind, ((leaf, never, cut),), (1,))
    x = spread_events(trace_network(trees).inputs, 500)
    assert set(trees.predict(x).ravel() * 16) == {1 + 5 + 3 + 3, 1 + 5 + 3 + 7}
    assert np.array_equal(trace_network(trees).predict(x), trees.predict(x))


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_boosted_trees_are_exact_in_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    """Fifty trees of depth four through the whole build: 100,000 events, conifer's C++ among the stages."""
    model = _regressor(50, 4)
    firmware = build(model, name="trees")
    events = np.concatenate([spread_events(firmware.inputs, 50_000), np.tile(_events(2500), (20, 1))])
    found = agreement(model, firmware, events)
    stages = ("conifer emulation", "RTL interpreter", "Verilated kernel", "predict")
    assert {one.stage: one.mismatches for one in found} == dict.fromkeys(stages, 0)
    with capsys.disabled():
        print(
            f"\n50 trees: {firmware.report.network.lut:,} LUT (open-synthesis estimate), 100,000 events agree"
        )


def test_what_is_around_the_trees_is_not_left_out() -> None:
    """A model that the trees only correct, or a scaling before them, would be another result, unseen."""
    x = _events(200)
    y = (x[:, 0] > 0).astype(int)
    linear = pytest.importorskip("sklearn.linear_model").LogisticRegression()
    pipeline = pytest.importorskip("sklearn.pipeline").make_pipeline(_classifier(2))
    begun = ensemble.GradientBoostingClassifier(n_estimators=2, init=linear).fit(x, y)
    histogram = ensemble.HistGradientBoostingClassifier(max_iter=2).fit(x, y)
    for model, said in (
        (begun, r"what another model gives \(init=LogisticRegression\).*init=None"),
        (pipeline, r"a Pipeline cannot be built.*model\[-1\]"),
        (histogram, r"HistGradientBoostingClassifier cannot be built.*use sklearn's Gradient"),
    ):
        with pytest.raises(UnsupportedLayerError, match=said):
            read_trees(model)


def test_a_model_of_conifer_s_is_read_before_it_is_written(tmp_path: Path) -> None:
    """conifer counts the leaves when it writes its project, and has no such number before."""
    import conifer

    model = _classifier(2)
    config = {**conifer.backends.xilinxhls.auto_config(), "OutputDir": str(tmp_path / "project")}
    theirs = conifer.converters.convert_from_sklearn(model, config)
    assert np.array_equal(read_trees(theirs).predict(_events(50)), read_trees(model).predict(_events(50)))
