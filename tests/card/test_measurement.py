"""The result of measure: table, plot, JSON."""

from __future__ import annotations

import doctest
import io

import pytest
from rich.console import Console

from fpgaclass.card import Measurement, Timing
from fpgaclass.card import measurement as measurement_module
from fpgaclass.core import InvalidInputError


def test_the_example_runs() -> None:
    """An example that is wrong is worse than none."""
    assert doctest.testmod(measurement_module) == (0, 2)


@pytest.fixture
def measurement() -> Measurement:
    """Two sizes, with round figures."""
    return Measurement(
        device="virtual0",
        kernel="krnl_rtl_1",
        clock_mhz=200.0,
        link="PCIe 3.0 x16",
        sources={"host": "measured", "link": "modelled", "kernel": "simulated"},
        timings=(Timing(1, 20e-6, 25e-6, 5e-6, 1000), Timing(1000, 30e-6, 35e-6, 35e-6, 7000)),
    )


def test_json_keeps_everything(measurement: Measurement) -> None:
    """Runs from different places are compared from these files."""
    assert Measurement.from_json(measurement.to_json()) == measurement


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"timings": [{"events": 1}]}', '{"timings": 3}'])
def test_other_json_is_refused(text: str) -> None:
    """A wrong file among several must be named as such."""
    with pytest.raises(InvalidInputError, match="Measurement"):
        Measurement.from_json(text)


def test_derived_figures(measurement: Measurement) -> None:
    """Throughput is events over the whole call, not over the kernel."""
    assert measurement.timings[1].total_s == pytest.approx(100e-6)
    assert measurement.timings[1].events_per_s == pytest.approx(1e7)


def test_every_table_says_where_figures_come_from(measurement: Measurement) -> None:
    """A modelled time that looks measured would be quoted as such."""
    text = io.StringIO()
    Console(file=text, width=120).print(measurement)
    for shown in (str(measurement), measurement._repr_html_(), text.getvalue()):
        for word in ("measured", "modelled", "simulated", "10,000,000", "7,000"):
            assert word in shown


def test_the_html_is_escaped() -> None:
    """Names come from files."""
    m = Measurement(
        "<b>", "k", None, "l", dict.fromkeys(("host", "link", "kernel"), "measured"), (Timing(1, 1, 1, 1),)
    )
    assert "<b>" not in m._repr_html_()


def test_the_plot_has_axes_units_and_words(measurement: Measurement) -> None:
    """Those who cannot see the picture get its message; those who can get units and sources."""
    figure = measurement.plot()
    times, shares = figure.axes
    assert "µs" in times.get_ylabel()
    assert "%" in shares.get_ylabel()
    legend = [text.get_text() for text in times.get_legend().get_texts()]
    assert legend == ["host (measured)", "link (modelled)", "kernel (simulated)", "total"]
    total = next(line for line in times.lines if line.get_label() == "total")
    assert list(total.get_ydata()) == pytest.approx([50.0, 100.0])
    assert "50 µs, 50% of it link" in figure.alt_text
    shown = figure._repr_mimebundle_()
    assert "data:image/png;base64,iVBORw0KGgo" in shown["text/html"]
    assert shown["text/plain"] == figure.alt_text
