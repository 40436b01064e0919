"""Runs of different places, side by side."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from fpgaclass.card import Measurement, Timing
from fpgaclass.card.measuring.comparing import compare, read_runs
from fpgaclass.card.measuring.predictions import Predictions
from fpgaclass.core import InvalidInputError

SENT = np.arange(3 * 2000, dtype=np.int16).reshape(2000, 3)
RESULTS = np.arange(2000, dtype=np.int16).reshape(2000, 1)
VIRTUAL = {"host": "measured", "link": "modelled", "kernel": "simulated"}


def _run(site: str, scale: float = 1.0, results: np.ndarray = RESULTS) -> Measurement:
    timings = tuple(Timing(n, 20e-6 * scale, 25e-6, n * 5e-9, n + 100) for n in (1, 2000))
    cpp = tuple(Timing(n, 1e-6 * scale, 25e-6, n * 5e-9, n + 100) for n in (1, 2000))
    predictions = Predictions.of(SENT[: len(results)], results)
    figures = ("virtual0", "krnl_rtl_1", 200.0, "PCIe 3.0 x16", VIRTUAL, timings)
    return Measurement(*figures, site=site, design="abc", predictions=predictions, cpp=cpp)


@pytest.fixture
def card() -> Measurement:
    """A run of a real card: all measured."""
    return dataclasses.replace(_run("INFN Cloud", 2.0), sources=dict.fromkeys(VIRTUAL, "measured"))


def test_sites_stand_side_by_side(card: Measurement) -> None:
    """Latency, throughput and where each figure comes from, for every size, run and host."""
    both = compare([_run("laptop"), card])
    assert len(both.rows) == 2 * 2 * 2
    first = both.rows[0]
    assert (first.run, first.host, first.events, first.relative) == ("laptop", "Python", 1, None)
    assert first.latency_s == pytest.approx(45e-6, rel=1e-3)
    theirs = next(row for row in both.rows if (row.run, row.host, row.events) == ("INFN Cloud", "Python", 1))
    assert theirs.relative == pytest.approx(65 / 45, rel=1e-3)
    assert theirs.sources == "all measured"
    text = str(both)
    for word in ("laptop", "INFN Cloud", "C++", "link modelled", "all measured", "1.44"):
        assert word in text


def test_only_the_first_run_is_what_others_are_compared_with() -> None:
    """The column names the first run: a size that it lacks has no ratio, whoever else has it."""
    small = dataclasses.replace(_run("a"), timings=_run("a").timings[:1], cpp=())
    rows = compare([small, _run("b"), _run("c", 2.0)]).rows
    assert [row.relative for row in rows if row.events == 2000] == [None] * 4


def test_equal_predictions_are_said(card: Measurement) -> None:
    """What a course wants to see first."""
    both = compare([_run("laptop"), card])
    assert both.agree
    assert "INFN Cloud: the same kernel, the same predictions of 2,000 events" in str(both)


def test_the_first_difference_is_named() -> None:
    """That they differ is no help; the event is."""
    other = RESULTS.copy()
    other[321] += 1
    both = compare([_run("a"), _run("b", results=other)])
    assert not both.agree
    assert both.agreements[0].first_difference == 321
    assert "first of event 321" in str(both)


def test_shorter_runs_are_compared_where_they_overlap() -> None:
    """A slow site measures smaller batches."""
    both = compare([_run("a"), _run("b", results=RESULTS[:50])])
    assert both.agree
    assert both.agreements[0].events == 50


def test_what_cannot_be_compared_is_said() -> None:
    """Silence would be read as agreement."""
    none = dataclasses.replace(_run("b"), predictions=None, design="")
    both = compare([_run("a"), none])
    assert not both.agree
    assert both.agreements[0].same_kernel is None
    assert "cannot be compared" in str(both)


def test_another_kernel_is_said() -> None:
    """Equal speed of different firmware means nothing."""
    assert "another kernel" in str(compare([_run("a"), dataclasses.replace(_run("b"), design="def")]))


def test_json_has_what_the_table_has(card: Measurement) -> None:
    """For those who plot with their own tools."""
    data = json.loads(compare([_run("laptop"), card]).to_json())
    assert len(data["rows"]) == 8
    assert data["agree"] is True
    assert data["agreement"][0]["events"] == 2000


def test_the_plot_has_axes_units_and_words(card: Measurement) -> None:
    """Dashed is what was not measured, and the words say it too."""
    figure = compare([_run("laptop"), card]).plot()
    latency, throughput = figure.axes
    assert "µs" in latency.get_ylabel()
    assert "second" in throughput.get_ylabel()
    assert [line.get_linestyle() for line in latency.lines] == ["--", "--", "-", "-"]
    assert "laptop (host measured, link modelled, kernel simulated): 45 µs" in figure.alt_text
    assert "same predictions" in figure.alt_text


def test_files_are_read_and_labelled(tmp_path: Path) -> None:
    """Two runs of one site, and one that does not say where it was, must stay apart."""
    for name, site in (("a", "here"), ("b", "here"), ("c", "")):
        (tmp_path / f"{name}.json").write_text(_run(site).to_json())
    runs = read_runs(sorted(tmp_path.glob("*.json")))
    assert list(runs) == ["here", "here (2)", "c"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"{}", b"[1, 2]", b"P\0\0\0", b'{"timings": []}'])
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    """Among ten files, the message names the one that is not right."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(_run("a").to_json())
    bad.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"bad\.json") as error:
        read_runs([good, bad])
    assert "\n" not in str(error.value)
    with pytest.raises(InvalidInputError, match=r"missing\.json"):
        read_runs([good, tmp_path / "missing.json"])


def test_one_run_is_no_comparison() -> None:
    """A table of one is `measure`'s."""
    with pytest.raises(InvalidInputError, match="two"):
        compare([_run("a")])
