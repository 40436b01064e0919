"""Firmware to take to the vendor's tools, and stand-ins for these."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.firmware import Firmware, build

HERE = Path(__file__).parent

# The forms are those of UG906; the figures are made up.
UTILIZATION = """Copyright
+------------------------------+--------------------------------+------------+------------+---------+------+-------+--------+--------+------+------------+
|           Instance           |             Module             | Total LUTs | Logic LUTs | LUTRAMs | SRLs |  FFs  | RAMB36 | RAMB18 | URAM | DSP Blocks |
+------------------------------+--------------------------------+------------+------------+---------+------+-------+--------+--------+------+------------+
| level0_wrapper               |                          (top) |     150000 |     140000 |    8000 | 2000 | 200000|    200 |     10 |    0 |          4 |
|   (level0_wrapper)           |                          (top) |         10 |         10 |       0 |    0 |     10|      0 |      0 |    0 |          0 |
|   kernel_1                   |         ulp_KERNEL_1_0         | 3412(0.2%) | 3302(0.2%) |      80 |   30 |   4100|      7 |      3 |    0 |          1 |
|     inst                     |          ulp_KERNEL_1_0_KERNEL |       3412 |       3302 |      80 |   30 |   4100|      7 |      3 |    0 |          1 |
|       core                   |      ulp_KERNEL_1_0_event_core |        912 |        902 |       0 |   10 |    700|      0 |      0 |    0 |          1 |
|         core                 |         ulp_KERNEL_1_0_network |        900 |        890 |       0 |   10 |    690|      0 |      0 |    0 |          1 |
|           stage0             |  ulp_KERNEL_1_0_network_stage0 |        500 |        500 |       0 |    0 |    300|      0 |      0 |    0 |          0 |
|   other                      |                   some_network |      99999 |      99999 |       0 |    0 |      0|      0 |      0 |    0 |          0 |
+------------------------------+--------------------------------+------------+------------+---------+------+-------+--------+--------+------+------------+
* Note: The sum of lower-level cells may be larger than their parent cells total
"""  # noqa: E501
TIMING = """------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)
    -------      -------  ---------------------  -------------------      -------      -------
    {wns}        0.000                      0               401234        0.010        0.000
"""


@pytest.fixture
def utilization() -> str:
    """A hierarchical utilisation report of a card."""
    return UTILIZATION.replace("KERNEL", "krnl_rtl")


@pytest.fixture
def timing() -> str:
    """A timing summary, with ``{wns}`` for the slack."""
    return TIMING


@pytest.fixture(scope="session")
def card_firmware(quantised_model: Any) -> Firmware:
    """The small model for a U250."""
    return build(quantised_model, board="u250", name="small")


@pytest.fixture(scope="session")
def board_firmware(quantised_model: Any) -> Firmware:
    """The small model for a PYNQ-Z2."""
    return build(quantised_model, board="pynq-z2", name="small")


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins on PATH; return the folder where they record what they were told."""
    if shutil.which("tclsh") is None:
        pytest.skip("no tclsh to run the scripts")
    calls = tmp_path / "calls"
    calls.mkdir()
    kernel = "krnl_rtl"
    monkeypatch.setenv("PATH", f"{HERE}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("VIVADO_CALLS", str(calls / "vivado"))
    monkeypatch.setenv("VPP_CALLS", str(calls / "v++"))
    monkeypatch.setenv("FAKE_UTILIZATION", UTILIZATION.replace("KERNEL", kernel))
    monkeypatch.setenv("FAKE_TIMING", TIMING.format(wns="0.021"))
    monkeypatch.setenv("FAKE_PROGRESS", "100%")
    return calls
