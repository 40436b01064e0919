"""From a firmware through the (stand-in) tools and back; and what damaged or hostile results do not do."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.core import BuildError, FirmwareError, InvalidInputError, ToolMissingError
from fpgaclass.firmware import Firmware, Resources, build, bundle, load_board, read_back
from fpgaclass.firmware.vitis import build_with_vendor

# The form of v++'s kernel_util_routed.rpt; the figures are made up.
VPP_UTILIZATION = """
| Name     | LUT            | LUTAsMem     | REG            | BRAM         | URAM     | DSP         |
+----------+----------------+--------------+----------------+--------------+----------+-------------+
| Platform | 192064 [16.2%] | 17282 [2.9%] | 268446 [11.3%] |  314 [14.5%] |  20 [2%] |  10 [0.15%] |
| krnl_rtl |   3412 [ 0.3%] |    80 [0.0%] |   4100 [ 0.2%] |  8.5 [ 0.4%] |   0 [0%] |   1 [0.01%] |
"""


@pytest.fixture
def results(card_firmware: Firmware, vendor: Path, tmp_path: Path) -> Path:  # noqa: ARG001  (on PATH)
    """What a machine with the tools sends back."""
    packed = bundle(card_firmware, tmp_path / "small.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path / "elsewhere")
    project = tmp_path / "elsewhere" / "small-u250"
    # Nothing of ours is needed there: no Python at all.
    env = {**os.environ, "PYTHONPATH": "/nowhere"}
    done = subprocess.run(["./run.sh"], cwd=project, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return project / "small-results.tar.gz"


def test_a_bundle_comes_back_as_firmware(card_firmware: Firmware, results: Path, events: Any) -> None:
    """The same network, with the vendor's file and the vendor's figures."""
    real = read_back(card_firmware, results)
    assert real.manifest.toolchain == "vitis"
    assert real.manifest.tools["v++"] == "v++ v0.0 (stand-in)"
    assert Path(real.path).read_bytes() == b"xclbin2"
    assert real.report.cells_source == real.report.clock_source == "vendor"
    assert (real.report.network.lut, real.report.shell.lut) == (900, 3412 - 900)
    assert real.report.clock_mhz == 200
    assert real.report.pipeline_stages == card_firmware.report.pipeline_stages
    assert (real.predict(events[:100]) == card_firmware.predict(events[:100])).all()
    assert Firmware.load(real.folder) == real


def test_a_clock_that_was_not_reached_is_not_claimed(
    card_firmware: Firmware, vendor: Path, tmp_path: Path, timing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5 ns were asked for and missed by 1.25: 160 MHz is what may be said."""
    monkeypatch.setenv("FAKE_TIMING", timing.format(wns="-1.250"))
    packed = bundle(card_firmware, tmp_path / "small.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path)
    subprocess.run(["./run.sh"], cwd=tmp_path / "small-u250", check=True, capture_output=True)
    real = read_back(card_firmware, tmp_path / "small-u250" / "small-results.tar.gz")
    assert real.report.clock_mhz == 160
    assert vendor.is_dir()


def test_build_runs_the_tools_of_this_machine_once(
    card_firmware: Firmware,
    quantised_model: Any,
    vendor: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The same call as for a virtual card; hours of synthesis are not spent twice."""
    monkeypatch.setenv("FPGACLASS_CACHE", str(tmp_path / "cache"))
    shutil.copytree(card_firmware.folder, tmp_path / "cache" / "firmware" / card_firmware.folder.name)
    real = build(quantised_model, board="u250", toolchain="vitis", name="small")
    assert Path(real.path).name == "small.xclbin"
    assert real.report.cells_source == "vendor"
    assert "vivado, v++" in capfd.readouterr().err
    calls = (vendor / "vivado").read_bytes()
    assert build(quantised_model, board="u250", toolchain="vitis", name="small").folder == real.folder
    assert (vendor / "vivado").read_bytes() == calls


def test_a_zynq_board_s_files_come_back(
    board_firmware: Firmware, vendor: Path, utilization: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both of them: pynq loads the bit and reads the hwh beside it."""
    monkeypatch.setenv("FPGACLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKE_UTILIZATION", utilization.replace("krnl_rtl", "krnl_stream"))
    assert vendor.is_dir()
    real = build_with_vendor(board_firmware, load_board("pynq-z2"))
    assert Path(real.path).read_text() == "bits\n"
    assert Path(real.path).with_suffix(".hwh").read_text() == "<EDKSYSTEM/>\n"
    assert real.report.network.lut == 900


def test_the_first_real_error_of_a_tool_is_shown(
    card_firmware: Firmware, vendor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not "report not found", not the line that counts no errors; and nothing half-done is kept."""
    monkeypatch.setenv("FPGACLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKE_ERROR", "ERROR: [Synth 8-439] module 'network' not found")
    assert vendor.is_dir()
    with pytest.raises(BuildError, match=r"run.sh failed with exit code 1: ERROR: \[Synth 8-439\]"):
        build_with_vendor(card_firmware, load_board("u250"))
    assert not list((tmp_path / "cache" / "firmware").iterdir())


def test_an_implementation_that_stopped_is_an_error(
    board_firmware: Firmware, vendor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vivado ends well when a run of it did not: its progress must be asked."""
    monkeypatch.setenv("FPGACLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKE_PROGRESS", "60%")
    assert vendor.is_dir()
    with pytest.raises(BuildError, match="implementation ended at route_design ERROR"):
        build_with_vendor(board_firmware, load_board("pynq-z2"))


def test_without_tools_it_is_one_line_before_any_work(
    quantised_model: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is missing, and the way round it."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("FPGACLASS_CACHE", str(tmp_path))
    with pytest.raises(
        ToolMissingError, match=r"vivado and v\+\+ not on this machine.*settings64.sh.*firmware.bundle"
    ):
        build(quantised_model, board="u250", toolchain="vitis")
    with pytest.raises(InvalidInputError, match="built by open tools alone"):
        build(quantised_model, board="ecp5-85k", toolchain="vitis")
    assert not (tmp_path / "firmware").exists()


def _repack(results: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with tarfile.open(results) as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]
    change(files)
    path = results.with_name("changed.tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def test_changed_results_are_refused(card_firmware: Firmware, results: Path) -> None:
    """A file that was damaged on the way must not reach a card; nor may figures be mended by hand."""

    def damage(files: dict[str, bytes]) -> None:
        files["results/small.xclbin"] = b"something else"

    with pytest.raises(FirmwareError, match=r"small.xclbin is not what the tools left"):
        read_back(card_firmware, _repack(results, damage))

    def lose(files: dict[str, bytes]) -> None:
        del files["results/small.xclbin"]

    with pytest.raises(FirmwareError, match=r"small.xclbin is missing"):
        read_back(card_firmware, _repack(results, lose))

    def another(files: dict[str, bytes]) -> None:
        about = files["results/project.json"].decode()
        files["results/project.json"] = about.replace(card_firmware.manifest.digest, "0" * 64).encode()

    with pytest.raises(InvalidInputError, match="of another build"):
        read_back(card_firmware, _repack(results, another))


def test_without_the_hook_s_report_that_of_vpp_counts(card_firmware: Firmware, results: Path) -> None:
    """A v++ that runs no hook after routing still says what the kernel takes, though not where."""

    def other(files: dict[str, bytes]) -> None:
        text = VPP_UTILIZATION.encode()
        lost, routed = ("reports/utilization_hierarchical.rpt", "reports/kernel_util_routed.rpt")
        del files[f"results/{lost}"]
        files[f"results/{routed}"] = text
        sums = [line for line in files["results/SHA256SUMS"].decode().splitlines() if lost not in line]
        sums.append(f"{hashlib.sha256(text).hexdigest()}  ./{routed}")
        files["results/SHA256SUMS"] = "\n".join(sums).encode()

    real = read_back(card_firmware, _repack(results, other))
    assert real.report.network == Resources(lut=3412, ff=4100, dsp=1, bram=9)
    assert real.report.cells_source == "vendor; shell within network"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../outside", tarfile.REGTYPE),
        ("results/../../outside", tarfile.REGTYPE),
        ("/tmp/outside", tarfile.REGTYPE),
        ("results/link", tarfile.SYMTYPE),
        ("results/hard", tarfile.LNKTYPE),
        ("results/pipe", tarfile.FIFOTYPE),
        ("elsewhere/file", tarfile.REGTYPE),
    ],
)
def test_results_cannot_write_outside_their_folder(
    card_firmware: Firmware, tmp_path: Path, name: str, kind: bytes
) -> None:
    """They come from another machine, and perhaps from another person."""
    path = tmp_path / "in" / "evil.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(InvalidInputError, match="which does not belong there"):
        read_back(card_firmware, path)
    assert not (tmp_path / "outside").exists()


def test_what_is_no_archive_is_named(card_firmware: Firmware, tmp_path: Path) -> None:
    """A file cut short in transfer, or another one altogether."""
    with pytest.raises(InvalidInputError, match="no such results"):
        read_back(card_firmware, tmp_path / "none.tar.gz")
    (tmp_path / "text.tar.gz").write_text("hello")
    with pytest.raises(InvalidInputError, match="cannot be unpacked"):
        read_back(card_firmware, tmp_path / "text.tar.gz")
    shutil.rmtree(tmp_path)
