"""Training in a notebook: the same weights each time, and no second wait."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.core import InvalidInputError
from fpgaclass.lab import train

_NOTEBOOK = """
import hashlib, sys
from fpgaclass.lab import quiet, reproducible, train
quiet()
import keras, numpy as np
from hgq.layers import QDense
reproducible(1)
rng = np.random.default_rng(0)
x = rng.normal(size=(3000, 8)).astype("float32")
y = np.tanh(x[:, :1])
inputs = keras.Input((8,))
model = keras.Model(inputs, QDense(1, name="b")(QDense(16, activation="relu", name="a")(inputs)), name="m")
train(model, x, y, epochs=3, batch_size=100)
print(hashlib.sha256(b"".join(np.asarray(w).tobytes() for w in model.get_weights())).hexdigest())
print(model.to_json())
"""


@pytest.mark.slow
def test_a_notebook_trains_the_same_weights_and_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firmware is found by its model's digest: one bit of difference costs a build of a minute."""

    def run(cache: str) -> tuple[str, str]:
        monkeypatch.setenv("FPGACLASS_CACHE", str(tmp_path / cache))
        done = subprocess.run([sys.executable, "-c", _NOTEBOOK], capture_output=True, text=True, check=True)
        return done.stdout, done.stderr

    (first, said), (again, found), (anew, _) = run("one"), run("one"), run("two")
    assert first == again == anew
    assert said == ""
    assert found.startswith("found m trained on the same data")


@pytest.mark.slow
def test_two_that_want_the_same_train_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two processes of a graded notebook come to the same training at the same moment."""
    monkeypatch.setenv("FPGACLASS_CACHE", str(tmp_path / "cache"))
    words: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-c", _NOTEBOOK], **words) for _ in range(2)]
    (first, said), (second, told) = (process.communicate() for process in both)
    assert first == second != ""
    assert sorted(text.startswith("found m trained") for text in (said, told)) == [False, True]
    assert not list((tmp_path / "cache").rglob("*.lock"))


def test_other_settings_train_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights found for another task would be worse than none."""
    import keras

    monkeypatch.setenv("FPGACLASS_CACHE", str(tmp_path))
    x, y = np.linspace(0, 1, 200).reshape(-1, 1), np.linspace(0, 2, 200)
    start = [np.array([[0.5]]), np.array([0.0])]

    def trained(**settings: object) -> float:
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="a")], name="line")
        model.set_weights(start)
        return float(train(model, x, y, batch_size=50, **settings).get_weights()[0][0, 0])  # type: ignore[arg-type]

    results = [trained(epochs=1), trained(epochs=2), trained(epochs=2, loss="mse"), trained(epochs=2, seed=2)]
    assert len(set(results)) == 4
    assert len(list(tmp_path.rglob("*.npz"))) == 4
    assert trained(epochs=2) == results[1]
    kept = list(tmp_path.rglob("*.npz"))
    assert len(kept) == 4
    for one in kept:
        one.write_bytes(one.read_bytes()[:100])
    assert trained(epochs=2) == results[1], "a damaged file is trained again, not believed"
    assert len(list((tmp_path / "training").iterdir())) == 4, "nothing half-written stays"


@pytest.mark.parametrize(
    ("x", "y", "settings", "message"),
    [
        (np.ones((3, 1)), np.ones(2), {}, "x has 3 events and y 2"),
        (np.ones((0, 1)), np.ones(0), {}, "0 events"),
        (np.full((2, 1), np.nan), np.ones(2), {}, "NaN"),
        (np.ones((2, 1)), np.ones(2), {"epochs": 0}, "must be positive"),
    ],
)
def test_data_that_do_not_fit_are_refused(
    x: object, y: object, settings: dict[str, int], message: str
) -> None:
    """Keras would train on NaN for a minute and then give NaN."""
    with pytest.raises(InvalidInputError, match=message):
        train(None, x, y, **settings)  # type: ignore[arg-type]
