"""The vendor's reports, in their documented forms; the figures are made up, no recorded report is here."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaclass.core import FirmwareError
from fpgaclass.firmware import Resources
from fpgaclass.firmware.vitis import (
    read_csynth,
    read_kernel_utilization,
    read_utilization,
    read_worst_slack,
)
from fpgaclass.firmware.vitis.reports import split_kernel

KERNELS = """
+---------------------+------------------+------------------+-------------------+----------------+----------+---------------+
| Name                | LUT              | LUTAsMem         | REG               | BRAM           | URAM     | DSP           |
+---------------------+------------------+------------------+-------------------+----------------+----------+---------------+
| Platform            | 192064 [ 16.25%] |  17282 [  2.92%] |  268446 [ 11.35%] |  314 [ 14.54%] |  20 [  2%] |  10 [  0.15%] |
| krnl_rtl            |   3412 [  0.34%] |     80 [  0.01%] |    4100 [  0.20%] |  8.5 [  0.47%] |   0 [  0%] |   1 [  0.01%] |
|    krnl_rtl_1       |   3412 [  0.34%] |     80 [  0.01%] |    4100 [  0.20%] |  8.5 [  0.47%] |   0 [  0%] |   1 [  0.01%] |
+---------------------+------------------+------------------+-------------------+----------------+----------+---------------+
"""  # noqa: E501
CSYNTH = """<profile><PerformanceEstimates>
<SummaryOfTimingAnalysis><unit>ns</unit><EstimatedClockPeriod>3.650</EstimatedClockPeriod></SummaryOfTimingAnalysis>
<SummaryOfOverallLatency><Worst-caseLatency>7</Worst-caseLatency><Interval-max>1</Interval-max></SummaryOfOverallLatency>
</PerformanceEstimates><AreaEstimates><Resources><BRAM_18K>3</BRAM_18K><DSP>12</DSP><FF>900</FF><LUT>5000</LUT>
</Resources></AreaEstimates></profile>"""


def test_the_kernel_and_the_network_in_it_are_found_by_their_modules(
    tmp_path: Path, utilization: str
) -> None:
    """Vivado prefixes modules and repeats rows; another design's module of the same name must not count."""
    report = tmp_path / "utilization.rpt"
    report.write_text(utilization)
    rows = read_utilization(report)
    assert [row.depth for row in rows] == [0, 1, 2, 3, 4, 5, 1]
    whole, network = split_kernel(rows, "krnl_rtl", "network")
    assert whole == Resources(lut=3412, ff=4100, dsp=1, bram=9)
    assert network == Resources(lut=900, ff=690, dsp=1, bram=0)
    with pytest.raises(FirmwareError, match="no instance of krnl_stream"):
        split_kernel(rows, "krnl_stream", "network")


def test_the_report_of_vpp(tmp_path: Path) -> None:
    """Half blocks of memory are whole ones on the device."""
    report = tmp_path / "kernel_util_routed.rpt"
    report.write_text(KERNELS)
    assert read_kernel_utilization(report)["krnl_rtl_1"] == Resources(lut=3412, ff=4100, dsp=1, bram=9)


@pytest.mark.parametrize(("wns", "slack"), [("0.021", 0.021), ("-1.234", -1.234)])
def test_the_worst_slack(tmp_path: Path, timing: str, wns: str, slack: float) -> None:
    """It decides which clock may be claimed."""
    report = tmp_path / "timing.rpt"
    report.write_text(timing.format(wns=wns))
    assert read_worst_slack(report) == slack


def test_high_level_synthesis(tmp_path: Path) -> None:
    """An estimate of hls4ml's own way, to stand beside ours."""
    report = tmp_path / "csynth.xml"
    report.write_text(CSYNTH)
    found = read_csynth(report)
    assert (found.latency_cycles, found.interval_cycles, found.clock_ns) == (7, 1, 3.65)
    assert found.cells == Resources(lut=5000, ff=900, dsp=12, bram=2)


@pytest.mark.parametrize("read", [read_utilization, read_kernel_utilization, read_worst_slack, read_csynth])
def test_what_is_missing_or_cut_short_is_named(tmp_path: Path, read: object) -> None:
    """A tool that died leaves half a report."""
    assert callable(read)
    with pytest.raises(FirmwareError, match="no such report"):
        read(tmp_path / "none.rpt")
    (tmp_path / "half.rpt").write_text("| Tool Version : Vivado")
    with pytest.raises(FirmwareError, match="there is no"):
        read(tmp_path / "half.rpt")
