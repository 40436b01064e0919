"""The result of measure: table, plot, JSON."""

from __future__ import annotations

import dataclasses
import doctest
import io
import json

import pytest
from rich.console import Console

from fpgaclass.card import Measurement, Timing, compare
from fpgaclass.card.measuring import measurement as measurement_module
from fpgaclass.core import InvalidInputError


def test_the_example_runs() -> None:
    """An example that is wrong is worse than none."""
    assert doctest.testmod(measurement_module) == (0, 3)


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


def test_json_of_before_is_read(measurement: Measurement) -> None:
    """A cohort's runs of last year stay comparable."""
    old = json.loads(measurement.to_json())
    for name in ("site", "design", "predictions", "cpp", "cpp_note"):
        del old[name]
    assert Measurement.from_json(json.dumps(old)) == measurement


_GUESSED = {"host": "guessed", "link": "measured", "kernel": "measured"}


_TIMING = {"events": 1, "host_s": 1.0, "link_s": 1.0, "kernel_s": 1.0, "kernel_cycles": 3}


def _damaged(**changes: object) -> str:
    timing = _TIMING | {name: changes.pop(name) for name in list(changes) if name in _TIMING}
    sources = dict.fromkeys(("host", "link", "kernel"), "measured")
    good = {"device": "d", "kernel": "k", "clock_mhz": 1.0, "link": "l", "sources": sources}
    return json.dumps({**good, "timings": [timing], **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"events": -1}, {"events": 0}, {"events": "1"}, {"host_s": float("nan")}, {"link_s": -1.0},
        {"kernel_s": None}, {"kernel_cycles": 1.5}, {"clock_mhz": "fast"}, {"device": 3}, {"timings": []},
        {"timings": None}, {"cpp": 3}, {"sources": {"host": "measured"}}, {"sources": _GUESSED},
        {"predictions": {"events": 1}}, {"timings": [_TIMING, _TIMING]},
        {"timings": [_TIMING | {"copy_s": 1.0}]}, {"device": "a\nb"}, {"host_s": 1e300},
        {"site": "\x1b[31m"}, {"sources": ["measured"] * 3},
        {"events": 10**30}, {"host_s": 1e-300, "link_s": 0, "kernel_s": 0},
    ],
)  # fmt: skip
def test_damaged_figures_are_refused(changes: dict[str, object]) -> None:
    """A file that is edited by hand or cut must not become a curve in a plot; the rest of it is right."""
    Measurement.from_json(_damaged())
    with pytest.raises(InvalidInputError, match="Measurement"):
        Measurement.from_json(_damaged(**changes))


def test_json_of_a_newer_version_is_read(measurement: Measurement) -> None:
    """A site that is ahead may write more; a further part of a call's time is another matter."""
    newer = json.loads(measurement.to_json()) | {"power_w": 30}
    assert Measurement.from_json(json.dumps(newer)) == measurement


@pytest.mark.parametrize("text", ["[]", "null", "3", '{"timings": [3]}'])
def test_what_is_no_object_is_refused(text: str) -> None:
    """The line says what it is, in place of what Python could not do with it."""
    with pytest.raises(InvalidInputError, match="in place of an object"):
        Measurement.from_json(text)


@pytest.mark.parametrize("site", ["[/x] [bold]", "$\\foo$ a_b", "x" * 200])
def test_any_name_of_a_site_is_shown(measurement: Measurement, site: str) -> None:
    """Neither rich's markup nor matplotlib's mathematics is meant, and a long name is still a name."""
    named = dataclasses.replace(measurement, site=site)
    both = compare([measurement, named])
    for shown in (str(named), str(both)):
        assert site in shown.replace("\n", "").replace(" ", "") or site in shown
    for figure in (named.plot(), both.plot()):
        figure.savefig(io.BytesIO(), format="svg")


def test_text_is_text_in_a_notebook(measurement: Measurement) -> None:
    """There rich shows tables as HTML by itself, and ipykernel asks for colours: str() is neither."""
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    code = "from fpgaclass.card import Measurement; shown = str(Measurement.from_json(text))"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORCE_COLOR", "1")
        patch.setattr("rich.console._is_jupyter", lambda: True)
        user = {"text": measurement.to_json()}
        shell(user_ns=user).run_cell(code).raise_error()
    assert user["shown"] == str(measurement)
    assert "simulated" in user["shown"]
    assert "\x1b" not in user["shown"]


def test_the_tables_fit_a_terminal(measurement: Measurement) -> None:
    """Eighty columns, no figure cut or on two lines, and the source beside each."""
    timings = tuple(Timing(n, 5.5e-3, 1.2e-3, 1.1e-3, 65_685) for n in (1, 65_536))
    full = dataclasses.replace(measurement, timings=timings, cpp=timings, site="my laptop")
    for shown in (full, compare([full, dataclasses.replace(full, site="INFN Cloud")])):
        text = io.StringIO()
        Console(file=text, width=80).print(shown)
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
        assert max(map(len, lines)) <= 80
        assert any("65,536" in line and "7,800.0" in line for line in lines)
        assert all(word in text.getvalue() for word in ("measured", "modelled", "simulated"))


def test_the_overhead_of_python(measurement: Measurement) -> None:
    """The course asks what Python costs: a ratio of the hosts' own parts, by size, in every table."""
    import dataclasses

    cpp = (Timing(1, 2e-6, 25e-6, 5e-6, 1000), Timing(1000, 15e-6, 35e-6, 35e-6, 7000))
    both = dataclasses.replace(
        measurement, cpp=cpp, cpp_note="C++ host: the same predictions of 1,000 events"
    )
    assert both.python_over_cpp == {1: 10.0, 1000: 2.0}
    assert measurement.python_over_cpp == {}
    for shown in (str(both), both._repr_html_()):
        assert "same predictions" in shown
        assert "10.0" in shown
    assert "host in C++ (measured)" in [text.get_text() for text in both.plot().legends[0].get_texts()]
    assert "10 times as long in Python" in both.plot().alt_text
    assert Measurement.from_json(both.to_json()) == both


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"timings": [{"events": 1}]}', '{"timings": 3}', "[" * 10**5]
)
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
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["host (measured)", "link (modelled)", "kernel (simulated)", "total"]
    total = next(line for line in times.lines if line.get_label() == "total")
    assert list(total.get_ydata()) == pytest.approx([50.0, 100.0])
    assert "50 µs, 50% of it link" in figure.alt_text
    shown = figure._repr_mimebundle_()
    assert "data:image/png;base64,iVBORw0KGgo" in shown["text/html"]
    assert shown["text/plain"] == figure.alt_text
