"""The plots: axes with units, a description, a label of the source, and nothing global touched."""

from __future__ import annotations

import base64
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

from fpgaclass import muon
from fpgaclass.core import InvalidInputError

TRUTH = np.exp(np.random.default_rng(1).uniform(np.log(3), np.log(200), 50_000))
RECO = TRUTH * np.random.default_rng(2).normal(1, 0.1, TRUTH.size)
SHOTS = muon.gun([4.0, 20.0, 60.0], eta=0.3, phi=[0.0, 3.1, 6.2], charge=[1, -1, 1], seed=3)


def _each() -> list[Any]:
    return [
        muon.plot_resolution({"one": muon.resolution(TRUTH, RECO), "two": muon.resolution(TRUTH, RECO)}),
        muon.plot_turn_on({"one": muon.turn_on(TRUTH, RECO)}, title="At 22 GeV"),
        muon.plot_rate({"one": muon.rate(TRUTH, RECO, (10, 20))}),
        muon.plot_event(SHOTS, 1),
    ]


@pytest.mark.parametrize("k", range(4))
def test_each_plot_can_be_read(k: int) -> None:
    """Axes labelled with their unit, source written, and a description longer than a title."""
    figure = _each()[k]
    labels = [axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes]
    assert all(axes.get_ylabel() for axes in figure.axes)
    assert "(GeV)" in "".join(labels) or "(m)" in "".join(labels)
    assert figure.axes[-1].get_title(loc="right") or figure.axes[0].get_title(loc="right") == "simulated"
    assert len(figure.alt_text) > 80


def test_the_description_reaches_the_notebook() -> None:
    """JupyterLab and nbconvert drop the metadata of a PNG output; an image element keeps its words.

    IPython itself asks the figure here, as it does for the last line of a cell.
    """
    figure, axes = muon.subplots('A line, "rising" & straight.')
    axes.plot([0, 1])
    data, _ = DisplayFormatter().format(figure)
    image = ElementTree.fromstring(data["text/html"].removesuffix(">") + "/>")
    assert image.tag == "img"
    assert image.get("alt") == figure.alt_text
    kind, _, content = str(image.get("src")).partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content).startswith(b"\x89PNG")
    assert data["text/plain"] == figure.alt_text


@pytest.mark.parametrize("index", [0, 1, 2, -1])
def test_events_are_described_as_they_are(index: int) -> None:
    """The words must be those of the muon that is drawn, whatever it left."""
    text = muon.plot_event(SHOTS, index).alt_text
    assert f"{SHOTS.pt[index]:.1f} GeV" in text
    assert text.count("phi_b") == SHOTS.n_stubs[index]


def test_a_muon_without_stubs_can_be_drawn() -> None:
    """A soft muon curls up; the picture shows it and says so."""
    lost = muon.gun([1.0], eta=0.3, phi=0.5, charge=1, seed=1)
    figure = muon.plot_event(lost)
    figure.canvas.draw()
    assert "Stubs: none" in figure.alt_text


def test_plots_leave_no_global_state() -> None:
    """pyplot keeps every figure alive and warns after twenty; a long notebook must not."""
    code = (
        "import sys; from fpgaclass import muon; assert 'matplotlib' not in sys.modules\n"
        "muon.plot_event(muon.gun([9.0], 0.1, 0.2, 1, seed=1)).savefig('/dev/null', format='png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_figure_of_ones_own_needs_words() -> None:
    """Every picture of a lab is described."""
    figure, axes = muon.subplots("Two histograms of pT.", rows=2, source="measured")
    assert axes.shape == (2,)
    assert figure.axes[0].get_title(loc="right") == "measured"
    with pytest.raises(InvalidInputError, match="description"):
        muon.subplots("  ")


def test_nothing_to_plot_is_refused() -> None:
    """A result alone instead of {name: result} is the usual slip."""
    for plot in (muon.plot_resolution, muon.plot_turn_on, muon.plot_rate):
        for nothing in ({}, muon.resolution(TRUTH, RECO)):
            with pytest.raises(InvalidInputError, match="nothing to plot"):
                plot(nothing)
    with pytest.raises(InvalidInputError, match="no muon 3"):
        muon.plot_event(SHOTS, 3)
