"""The projects for the vendor's tools: interpreted by Tcl and a shell, with stand-ins for the tools.

No vendor's tool has run them: what is proved is that each script is whole, that each command line is as
documented, and that what is left in the documented forms is read back.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

import fpgaclass.firmware.vitis
from fpgaclass.card import find_verilator
from fpgaclass.core import InvalidInputError
from fpgaclass.firmware import Firmware, bundle, load_board
from fpgaclass.firmware.vitis import make_project

SCRIPTS = Path(fpgaclass.firmware.vitis.__file__).parent / "scripts"


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.tcl")))
def test_every_tcl_script_is_whole(script: str) -> None:
    """A brace too few would be told by Vivado after minutes."""
    if shutil.which("tclsh") is None:
        pytest.skip("no tclsh")
    check = f"set f [open {SCRIPTS / script}]; puts [info complete [read $f]]"
    assert subprocess.run(["tclsh"], input=check, capture_output=True, text=True).stdout == "1\n"


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.sh")))
def test_every_shell_script_is_plain_posix(script: str) -> None:
    """It runs on machines of others, by their ``sh``."""
    assert subprocess.run(["sh", "-n", str(SCRIPTS / script)]).returncode == 0


def test_a_card_s_project_tells_the_tools_the_register_map_and_the_platform(
    card_firmware: Firmware, vendor: Path, tmp_path: Path
) -> None:
    """hls4ml's driver reaches the kernel through these registers, and v++ needs each option in its place."""
    make_project(card_firmware, load_board("u250")).write(tmp_path / "project")
    done = subprocess.run([str(tmp_path / "project" / "run.sh")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    calls = (vendor / "vivado").read_text().splitlines()
    registers = [line.split()[1] for line in calls if line.startswith("ipx::add_register ")]
    assert registers == [
        "CTRL",
        "GIER",
        "IP_IER",
        "IP_ISR",
        "fifo_in",
        "fifo_out",
        "length_r_in",
        "length_r_out",
    ]
    assert "set_property address_offset 0x01c {" in "\n".join(calls).replace("0x01C", "0x01c")
    assert sum(line.startswith("ipx::add_register_parameter ASSOCIATED_BUSIF") for line in calls) == 2
    (packed,) = (line for line in calls if line.startswith("package_xo"))
    assert "-kernel_name krnl_rtl -ctrl_protocol ap_ctrl_hs" in packed
    words = (vendor / "v++").read_text().splitlines()
    assert words[:6] == [
        "--link",
        "--target",
        "hw",
        "--platform",
        "xilinx_u250_gen3x16_xdma_4_1_202210_1",
        "--config",
    ]
    assert words[-1] == "work/krnl_rtl.xo"
    link = (tmp_path / "project" / "link.cfg").read_text()
    assert "nk=krnl_rtl:1:krnl_rtl_1" in link
    assert "sp=krnl_rtl_1.m_axi_gmem:DDR[0]" in link
    assert "freqHz=200000000:krnl_rtl_1" in link


def test_a_zynq_project_places_things_where_pynq_looks_for_them(
    board_firmware: Firmware, vendor: Path, tmp_path: Path
) -> None:
    """Names and addresses are those of the virtual board, so that the same notebook runs on both."""
    make_project(board_firmware, load_board("pynq-z2")).write(tmp_path / "project")
    done = subprocess.run([str(tmp_path / "project" / "run.sh")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    calls = (vendor / "vivado").read_text()
    assert "-reference krnl_stream_top hier_0/krnl_stream_0" in calls
    assert "CONFIG.c_m_axis_mm2s_tdata_width 32" in calls
    assert "hier_0/axi_dma_0" in calls
    hwh = Path(board_firmware.path).with_suffix(".hwh").read_text()
    for address in re.findall(r"set_property offset (0x[0-9a-f]+)", calls):
        assert re.search(f'BASEVALUE="{address}"', hwh, re.IGNORECASE), f"{address} is not in the virtual hwh"
    assert {path.name for path in (tmp_path / "project" / "results").iterdir()} >= {"small.bit", "small.hwh"}


def test_the_plain_top_of_a_zynq_kernel_is_verilog_that_fits(
    board_firmware: Firmware, tmp_path: Path
) -> None:
    """A block design takes Verilog only; the wrapper is made from the kernel's own ports."""
    make_project(board_firmware, load_board("pynq-z2")).write(tmp_path)
    text = (tmp_path / "rtl" / "krnl_stream_top.v").read_text()
    assert "in_r_TDATA" in text
    assert "[8*4-1:0]" in text
    _lint(tmp_path / "rtl", "krnl_stream_top", [])


def test_the_f2_top_fits_the_hdk_s_ports(card_firmware: Firmware, tmp_path: Path) -> None:
    """The HDK is not here: its ports are written down by name and width, and Verilator joins the two."""
    rtl = make_project(card_firmware, load_board("u250"))
    rtl.write(tmp_path)
    for name in ("cl_fpgaclass.sv", "cl_id_defines.vh"):
        shutil.copy(SCRIPTS / name, tmp_path / "rtl")
    shutil.copy(Path(__file__).parent / "cl_ports.vh", tmp_path / "rtl")
    shutil.copy(Path(__file__).parent / "sh_ddr.sv", tmp_path / "rtl")
    _lint(tmp_path / "rtl", "cl_fpgaclass", ["-Wno-PINMISSING"])


def _lint(rtl: Path, top: str, options: list[str]) -> None:
    verilator = find_verilator()
    files = [path.name for path in rtl.iterdir() if path.suffix in (".v", ".sv")]
    done = subprocess.run(
        [
            str(verilator.command),
            "--lint-only",
            "-Wno-fatal",
            "-Wno-style",
            *options,
            "-I.",
            "--top-module",
            top,
            *files,
        ],
        cwd=rtl,
        env={"VERILATOR_ROOT": str(verilator.root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = [line for line in done.stderr.splitlines() if re.search(rf"%(Error|Warning).*{top}\.s?v", line)]
    assert not found, "\n".join(found)


def test_a_bundle_is_the_same_each_time_and_names_nothing_of_this_machine(
    card_firmware: Firmware, tmp_path: Path
) -> None:
    """It is sent to others: no paths, no user, no times; and the same firmware is the same file."""
    one, two = (bundle(card_firmware, tmp_path / name) for name in ("one.tar.gz", "two.tar.gz"))
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as archive:
        members = archive.getmembers()
        archive.extractall(tmp_path)
    assert {member.uname + member.gname for member in members} == {""}
    project = tmp_path / "small-u250"
    for path in (path for path in project.rglob("*") if path.is_file()):
        text = path.read_bytes()
        assert str(card_firmware.folder.parent).encode() not in text, path
        assert str(Path.home()).encode() + b"/" not in text, path
    about = json.loads((project / "project.json").read_text())
    assert about["firmware"] == card_firmware.manifest.digest
    assert subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=project).returncode == 0


def test_what_cannot_be_bundled_is_refused(card_firmware: Firmware, tmp_path: Path) -> None:
    """With what would do instead."""
    with pytest.raises(InvalidInputError, match=r"small.zip is no .tar.gz"):
        bundle(card_firmware, tmp_path / "small.zip")
    with pytest.raises(InvalidInputError, match="was built for u250"):
        bundle(card_firmware, tmp_path / "small.tar.gz", board="u50")
    with pytest.raises(InvalidInputError, match="built by open tools alone"):
        make_project(card_firmware, load_board("icebreaker"))


def test_a_board_s_file_cannot_put_commands_into_the_scripts(card_firmware: Firmware, tmp_path: Path) -> None:
    """A board may come from a stranger's TOML file, and the scripts run with the user's rights."""
    source = Path(fpgaclass.firmware.vitis.__file__).parents[1] / "boards" / "u250.toml"
    evil = tmp_path / "u250.toml"
    evil.write_text(source.read_text().replace('part = "xcu250', "part = \"x'; touch pwned; '"))
    with pytest.raises(InvalidInputError, match="cannot stand in a script"):
        make_project(card_firmware, load_board(evil))
