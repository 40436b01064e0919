"""The verbs of firmware, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fpgaclass.cli.app import app
from fpgaclass.core import FirmwareError, FpgaClassError, InvalidInputError

SWEEP = """
def train(beta, width):
    import keras
    from hgq.config import LayerConfigScope, QuantizerConfigScope
    from hgq.layers import QDense
    from hgq.utils import trace_minmax
    import numpy as np

    x = np.random.default_rng(0).normal(size=(500, 4)).astype("float32")
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=beta),
    ):
        inputs = keras.Input((4,))
        model = keras.Model(inputs, QDense(1, enable_oq=True)(QDense(width, activation="relu")(inputs)))
    model.compile("adam", "mse")
    model.fit(x, x[:, :1], epochs=1, verbose=0)
    trace_minmax(model, x, verbose=0)
    return model


def score(model):
    return float(model.count_params())
"""


def _run(*words: str) -> Any:
    done = CliRunner().invoke(app, ["firmware", *words])
    if isinstance(done.exception, FpgaClassError):
        raise done.exception
    return done


def test_a_sweep_is_run_from_a_module(tmp_path: Path) -> None:
    """A physicist's training lives in a file; the sweep must not need a notebook around it."""
    (tmp_path / "my_sweep.py").write_text(SWEEP)
    words = ("search", f"{tmp_path}/my_sweep.py:train", "--set", "beta=1e-6", "--set", "width=2,4",
             "--folder", str(tmp_path / "sweep"), "--lut", "10000")  # fmt: skip
    found = json.loads(_run(*words, "--json").stdout)
    assert [point["setting"] for point in found["points"]] == [
        {"beta": 1e-6, "width": 2},
        {"beta": 1e-6, "width": 4},
    ]
    assert all(point["lut"] > 0 and not point["error"] for point in found["points"])
    picture = tmp_path / "front.png"
    again = _run(*words, "--plot", str(picture))
    assert "Pareto" in again.stdout
    assert picture.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no.py:train", "--set", "a=1"), "there is no module 'no.py'"),
        (("HERE/empty.py:train", "--set", "a=1"), "has no function 'train'"),
        (("HERE/whole.py:train", "--set", "a"), "--set 'a' is not understood"),
    ],
)
def test_what_a_sweep_lacks_is_named(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """Each with what to write instead."""
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "whole.py").write_text(SWEEP)
    words = tuple(word.replace("HERE", str(tmp_path)) for word in words)
    with pytest.raises(InvalidInputError, match=said):
        _run("search", *words, "--folder", str(tmp_path / "sweep"))


def test_boards_are_listed_for_people_and_programs() -> None:
    """Both lists hold the same boards."""
    data = json.loads(_run("boards", "--json").stdout)
    table = _run("boards").stdout
    assert len(data) == 10
    assert all(board["name"] in table for board in data)


def test_a_folder_that_is_no_firmware_is_named_by_each_verb(tmp_path: Path) -> None:
    """The most common slip: the notebook's folder in place of the firmware's."""
    for words in (("report",), ("bundle",)):
        with pytest.raises(FpgaClassError, match=r"no manifest.json is there"):
            _run(*words, str(tmp_path))


@pytest.mark.parametrize("verb", ["build", "report", "search", "trace", "bundle", "read-back", "boards"])
def test_every_verb_explains_itself_and_speaks_json(verb: str) -> None:
    """What a program reads must be there for each of them."""
    text = _run(verb, "--help").stdout
    assert "--json" in text


def test_the_settings_of_a_search_are_read_as_python_would() -> None:
    """``'False'`` is true, and a second list for a name must not replace the first."""
    from fpgaclass.cli.firmware import _axes

    asked = ["width=4", "bn=True,False", "width=8,4", "kind=wide,None", "beta=1e-6"]
    assert _axes(asked) == {
        "width": [4, 8],
        "bn": [True, False],
        "kind": ["wide", None],
        "beta": [1e-6],
    }


def test_what_is_wrong_with_the_places_is_said_before_the_work(tmp_path: Path) -> None:
    """A minute of building, or a night of training, and then: the folder is there already."""
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "sweep.py").write_text("raise SystemError('was run')")
    build = ("build", str(tmp_path / "no.keras"), "--into")
    search = (
        "search",
        f"{tmp_path}/sweep.py:train",
        "--set",
        "a=1",
        "--folder",
        str(tmp_path / "s"),
        "--plot",
    )
    for words, said in (
        ((*build, str(tmp_path / "there")), "there is there already"),
        ((*build, str(tmp_path / "file" / "x")), "a file is in its way"),
        ((*build, "/proc/x"), "the folder cannot be made"),
        ((*search, "front.xyz"), "no name of a picture"),
        ((*search, str(tmp_path / "none" / "front.png")), "no such folder for the picture"),
        (("build", str(tmp_path / "no.keras"), "--board", "u25"), "did you mean 'u250'"),
    ):
        with pytest.raises(FpgaClassError, match=said):
            _run(*words)
    with pytest.raises(InvalidInputError, match="no such model"):
        _run(*build, str(tmp_path / "new" / "folder"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "sweep.py", "there"], (
        "no trace is left"
    )


def test_a_sweep_of_which_all_fails_is_a_failure(tmp_path: Path) -> None:
    """A script that goes on after exit code 0 would go on with nothing; the reason is in the table."""
    name = tmp_path / "2026-json.py"
    name.write_text("def train(n):\n    return broken\ndef score(model):\n    return 0.0\n")
    words = ("firmware", "search", str(name), "--set", "n=1,2", "--folder", str(tmp_path / "s"))
    for jobs in ("1", "2"):
        done = CliRunner().invoke(app, [*words, "--jobs", jobs])
        assert isinstance(done.exception, FirmwareError)
        assert done.exception.exit_code == 1
        assert "all 2 points failed. Next: see what went wrong" in str(done.exception)
        assert "failed: n=2: NameError: name 'broken' is not defined (in full: " in done.stdout
        for kept in (tmp_path / "s").iterdir():
            (kept / "point.json").unlink()


def test_a_sweep_cut_off_keeps_its_points_and_says_so(tmp_path: Path) -> None:
    """Ctrl-C after half a night's training: nobody should wonder whether that half is lost."""
    (tmp_path / "long.py").write_text(
        "import signal, time\n"
        "def train(n):\n"
        "    if n == 1:\n"
        "        return None\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    time.sleep(60)\n"
        "def score(model):\n"
        "    return 0.0\n"
    )
    folder = tmp_path / "s"
    words = ("firmware", "search", str(tmp_path / "long.py"), "--set", "n=1,2", "--folder", str(folder))
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 130
    assert f"the points that are finished stay in {folder}, the same command goes on" in done.output
    assert len(list(folder.rglob("point.json"))) == 1
