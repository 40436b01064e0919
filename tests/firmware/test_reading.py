"""Models and events in files, and files that hold neither."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.core import InvalidInputError, UnsupportedLayerError
from fpgaclass.firmware.models.reading import read_events, read_model, read_precision


def test_a_saved_model_is_read(quantised_model: Any, float_model: Any, tmp_path: Path) -> None:
    """HGQ2's layers are known without the reader importing anything."""
    for model in (quantised_model, float_model):
        model.save(tmp_path / "m.keras")
        assert [layer.name for layer in read_model(tmp_path / "m.keras").layers] == [
            layer.name for layer in model.layers
        ]


def _bytes(path: Path) -> None:
    path.write_bytes(b"not a model at all")


def _other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_bytes, r"no model can be read: it is no file of Keras' kind .*Next: save it with model.save"),
        (_other_zip, r"no model can be read: .*Next: save it"),
        (Path.mkdir, "a folder is no model"),
        (lambda _: None, r"no such model.*Next: give a \.keras file"),
    ],
)
def test_a_file_that_is_no_model_is_said_to_be_none(make: Any, said: str, tmp_path: Path) -> None:
    """Keras answers with a page about its file formats, or with an error of zipfile's."""
    make(tmp_path / "m.keras")
    with pytest.raises(InvalidInputError, match=said) as refused:
        read_model(tmp_path / "m.keras")
    assert "\n" not in str(refused.value)


def test_a_layer_of_one_s_own_in_a_file_is_named(tmp_path: Path) -> None:
    """Keras names the class at best; which layer it is and what to do is for us to say."""
    import keras

    class Gate(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2

    own = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), Gate(name="my_gate")])
    python = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2, name="my_lambda")])
    within = keras.Sequential([keras.Input((4,)), python, keras.layers.Dense(2)])
    for model, name in (
        (own, r"'my_gate' \(Gate\)"),
        (python, r"'my_lambda' \(Lambda\)"),
        (within, r"'my_lambda' \(Lambda\)"),
    ):
        model.save(tmp_path / "own.keras")
        with pytest.raises(UnsupportedLayerError, match=f"{name} is Python code of its own.*use layers of"):
            read_model(tmp_path / "own.keras")


def test_weights_alone_are_told_from_a_model(float_model: Any, tmp_path: Path) -> None:
    """save_weights stands beside save in every tutorial, and what is missing can be made again."""
    float_model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(InvalidInputError, match=r"weights alone, and no layers.*Next: make the model as it"):
        read_model(tmp_path / "m.weights.h5")


def test_events_are_one_array(tmp_path: Path) -> None:
    """numpy.savez is one letter away, and a pickled array is a program."""
    np.save(tmp_path / "x.npy", np.ones((2, 3)))
    assert read_events(tmp_path / "x.npy").shape == (2, 3)
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    np.save(tmp_path / "odd.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "x.csv").write_text("1.0,2.0\n")
    for name, said in (
        ("x.npz", "several arrays"),
        ("odd.npy", "no .npy file of numbers"),
        ("x.csv", "no .npy file of numbers"),
        ("empty.npy", "no events can be read"),
        ("none.npy", "No such file"),
    ):
        with pytest.raises(InvalidInputError, match=rf"{said}.*Next: save one array with numpy.save"):
            read_events(tmp_path / name)


def test_a_precision_by_layer_can_be_typed(tmp_path: Path) -> None:
    """A refusal that proposes types by layer must be of use to who works in a terminal."""
    types = {"LayerName": {"first": {"Precision": "fixed<8,2>"}}}
    (tmp_path / "types.json").write_text(json.dumps(types))
    assert read_precision(json.dumps(types)) == read_precision(str(tmp_path / "types.json")) == types
    assert read_precision("fixed<8,2>") == "fixed<8,2>"
    assert read_precision(None) is None
    (tmp_path / "list.json").write_text("[8]")
    for text, said in (
        ("{'LayerName': {}}", "no precision can be read: Expecting property name"),
        (str(tmp_path / "none.json"), "no precision can be read: .*No such file"),
        (str(tmp_path / "list.json"), r"precision is \[8\]"),
    ):
        with pytest.raises(InvalidInputError, match=said):
            read_precision(text)
