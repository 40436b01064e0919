"""The verbs of cards, as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fpgaclass.card import write_xclbin
from fpgaclass.cli.card import app
from fpgaclass.core import InvalidInputError

pytest.importorskip("pynq")


def _run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture(scope="module")
def path(standin: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The summing kernel."""
    target = tmp_path_factory.mktemp("overlays") / "sum.xclbin"
    return write_xclbin(target, standin.sum_design(), banks=standin.BANKS, link=standin.LINK)


def test_cards_are_listed() -> None:
    """One virtual card where there is no other."""
    assert "virtual0" in _run("list").stdout
    found = json.loads(_run("list", "--json").stdout)
    assert {"index": 0, "tag": "virtual0", "kind": "virtual"}.items() <= found[0].items()


def test_the_queue_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who has the card is what everybody asks first."""
    monkeypatch.delenv("FPGACLASS_CARD_LOCKS", raising=False)
    assert "not shared" in _run("status").stdout
    monkeypatch.setenv("FPGACLASS_CARD_LOCKS", str(tmp_path))
    code = "from fpgaclass.card.sharing.holding import hold; hold('virtual0'); print('', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdout.readline()
    assert "virtual0: held by" in _run("status").stdout
    assert json.loads(_run("status", "--json").stdout)["virtual0"][0]["pid"] == holder.pid
    holder.communicate(b"\n")
    assert "virtual0: free" in _run("status").stdout


def test_measurements_go_into_a_comparison(path: Path, tmp_path: Path) -> None:
    """From a file to two sites side by side, with pictures, by commands only."""
    files = []
    for site in ("laptop", "INFN Cloud"):
        files.append(str(tmp_path / f"{site}.json"))
        options = ["--batches", "1,64", "--repeats", "1", "--site", site, "--out", files[-1]]
        done = _run("measure", str(path), *options, "--plot", str(tmp_path / "m.svg"))
        assert done.exit_code == 0, done.output
        assert "the same predictions of 64 events" in " ".join(done.stdout.split())
    done = _run("compare", *files, "--plot", str(tmp_path / "c.png"))
    assert done.exit_code == 0
    assert "INFN Cloud: the same kernel, the same predictions of 64 events" in " ".join(done.stdout.split())
    assert json.loads(_run("compare", *files, "--json").stdout)["agree"] is True
    assert (tmp_path / "m.svg").stat().st_size > 1000
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_other_predictions_are_an_exit_code(path: Path, tmp_path: Path) -> None:
    """A script that checks a site must not read a table."""
    import dataclasses

    import numpy as np

    from fpgaclass.card import Measurement
    from fpgaclass.card.measuring.predictions import Predictions

    _run(
        "measure",
        str(path),
        "--batches",
        "8",
        "--repeats",
        "1",
        "--no-cpp",
        "--out",
        str(tmp_path / "a.json"),
    )
    measured = Measurement.from_json((tmp_path / "a.json").read_text())
    assert measured.predictions is not None
    words = measured.predictions.kept() + 1
    changed = Predictions.of(np.zeros((8, 32), np.int16), words)
    changed = dataclasses.replace(changed, sent=measured.predictions.sent)
    (tmp_path / "b.json").write_text(dataclasses.replace(measured, predictions=changed).to_json())
    done = _run("compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"))
    assert done.exit_code == 1
    assert "first of event 0" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["measure", "missing.xclbin"], "no such file"),
        (["measure", __file__, "--card", "7"], "no card 7"),
        (["measure", __file__, "--batches", "1,two"], "numbers"),
        (["compare", "missing.json", "other.json"], "cannot be read"),
        (["compare", __file__, __file__], "Measurement"),
    ],
)
def test_wrong_use_is_an_error_of_ours(words: list[str], message: str) -> None:
    """Which the program prints in one line, instead of a traceback."""
    done = _run(*words)
    assert isinstance(done.exception, InvalidInputError)
    assert message in str(done.exception)
