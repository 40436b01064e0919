"""A firmware as a project for the vendor's tools: pure data, written down only when it is asked for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fpgaclass.card import KernelDesign, read_design
from fpgaclass.card.simulation.stream_simulator import LENGTH_BITS
from fpgaclass.card.zynq.hwh import zynq_map
from fpgaclass.core import InvalidInputError, digest_of
from fpgaclass.firmware.artifact import Firmware
from fpgaclass.firmware.board import Board

FORMAT = "fpgaclass-vendor-project/1"
PROJECT, SUMS = "project.json", "SHA256SUMS"
_SCRIPTS = Path(__file__).parent / "scripts"
_VITIS = "Source the settings64.sh of AMD Vitis, with the platform of the card installed"
_VIVADO = "Source the settings64.sh of AMD Vivado"
_HDK = "Source hdk_setup.sh of aws-fpga (branch f2), in its FPGA developer AMI"
_NAME = re.compile(r"[A-Za-z0-9_]+\Z")


@dataclass(frozen=True)
class Flow:
    """How a form of board is built.

    Attributes:
        tools: programs that must be on PATH.
        how_to_get: what to do when they are not.
        steps: scripts of ours, name in the project -> name in ``scripts/``.
        products: endings of the files that come out.
    """

    tools: tuple[str, ...]
    how_to_get: str
    steps: Mapping[str, str]
    products: tuple[str, ...]


FLOWS = {
    "alveo": Flow(
        ("vivado", "v++"),
        _VITIS,
        {"scripts/build.sh": "alveo.sh", "scripts/package.tcl": "package.tcl"},
        (".xclbin",),
    ),
    "zynq": Flow(
        ("vivado",),
        _VIVADO,
        {"scripts/build.sh": "zynq.sh", "scripts/board.tcl": "board.tcl"},
        (".bit", ".hwh"),
    ),
    "f2": Flow(
        ("vivado", "aws"),
        _HDK,
        {
            "scripts/build.sh": "f2.sh",
            "design/cl_fpgaclass.sv": "cl_fpgaclass.sv",
            "design/cl_id_defines.vh": "cl_id_defines.vh",
        },
        (".Developer_CL.tar",),
    ),
}


@dataclass(frozen=True)
class VendorProject:
    """All that the vendor's tools need to build a firmware.

    Attributes:
        name: of the firmware.
        board: its name.
        firmware: digest of the firmware that it was made of.
        flow: what runs.
        sources: path in the project -> content.
    """

    name: str
    board: str
    firmware: str
    flow: Flow
    sources: Mapping[str, bytes]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of all files."""
        return digest_of(*(part for path in sorted(self.sources) for part in (path, self.sources[path])))

    @property
    def products(self) -> tuple[str, ...]:
        """Files that a build leaves in ``results/``."""
        return tuple(self.name + ending for ending in self.flow.products)

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """All files, with the project's description and the list of digests."""
        about = {
            "format": FORMAT,
            "name": self.name,
            "board": self.board,
            "firmware": self.firmware,
            "digest": self.digest,
            "products": list(self.products),
        }
        described = {**self.sources, PROJECT: json.dumps(about, indent=2).encode() + b"\n"}
        sums = "".join(f"{_sha256(data)}  {path}\n" for path, data in sorted(described.items()))
        return {**described, SUMS: sums.encode()}

    def write(self, folder: Path) -> None:
        """Write the files into a folder."""
        for path, data in self.files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            place.chmod(0o755 if path.endswith(".sh") else 0o644)


def make_project(firmware: Firmware, board: Board) -> VendorProject:
    """Turn a firmware of the open toolchain into a project for the vendor's tools.

    Raises:
        InvalidInputError: the firmware is of another toolchain or board, or its board has no vendor's tools.
    """
    if board.form not in FLOWS:
        raise InvalidInputError(
            f"{board.title} is built by open tools alone", next_step="use toolchain='open' for this board"
        )
    manifest = firmware.manifest
    if manifest.toolchain != "open" or manifest.board != board.name:
        raise InvalidInputError(
            f"{manifest.name} was built for {manifest.board} by the {manifest.toolchain} toolchain",
            where=str(firmware.folder),
            next_step="start from a firmware of the open toolchain",
        )
    design, flow = read_design(firmware.path).design, FLOWS[board.form]
    settings = _settings(manifest.name, board, design, flow)
    sources = {f"rtl/{name}": text.encode() for name, text in design.sources.items()}
    if board.form == "zynq":
        sources[f"rtl/{design.name}_top.v"] = _plain_top(design).encode()
    sources |= {path: (_SCRIPTS / file).read_bytes() for path, file in flow.steps.items()}
    for path in ("run.sh", "scripts/reports.tcl", "scripts/hls.sh"):
        sources[path] = (_SCRIPTS / Path(path).name).read_bytes()
    sources["settings.sh"] = _shell(settings).encode()
    sources["settings.tcl"] = _tcl(settings).encode()
    if board.form == "alveo":
        sources["link.cfg"] = _link(board, design).encode()
    sources["README.md"] = _readme(manifest.name, board, flow).encode()
    hls = firmware.folder / "hls"
    # What was compiled here, and what names the folders of this machine, stays here.
    here = (".so", ".log", ".keras", ".yml", "build_lib.sh")
    for source in sorted(hls.rglob("*")):
        if source.is_file() and not source.name.endswith(here):
            sources[f"hls/{source.relative_to(hls).as_posix()}"] = source.read_bytes()
    return VendorProject(manifest.name, board.name, manifest.digest, flow, sources)


def _settings(name: str, board: Board, design: KernelDesign, flow: Flow) -> dict[str, str]:
    """Return what the scripts take as variables: lower case for Tcl, upper case for the shell."""
    pointers = [argument.name for argument in design.arguments if argument.is_pointer]
    control = ("CTRL 0x000 32", "GIER 0x004 32", "IP_IER 0x008 32", "IP_ISR 0x00C 32")
    registers = [*control, *(f"{a.name} {a.offset:#05x} {8 * a.size}" for a in design.arguments)]
    settings = {
        "name": name,
        "kernel": design.name,
        "part": board.part,
        "clock_mhz": f"{board.clock_mhz:g}",
        "jobs": "4",
        "registers": " ".join(registers),
        "pointers": " ".join(pointers),
        "NAME": name,
        "PLATFORM": board.vendor,
        "TOOLS": " ".join(flow.tools),
        "HOW_TO_GET": flow.how_to_get,
        "PRODUCTS": " ".join(name + ending for ending in flow.products),
    }
    if board.form == "zynq":
        where = zynq_map(board.part, 1)
        settings |= {
            "board_part": board.vendor,
            "family": where.family,
            "length_bits": str(LENGTH_BITS),
            "beat_bits": str(8 * int(design.about["beat_bytes"])),
            "dma_at": f"{where.dmas[0]:#010x}",
            "kernel_at": f"{where.kernels[0]:#010x}",
            "intc_at": f"{where.interrupts:#010x}",
        }
    return settings


def _shell(settings: Mapping[str, str]) -> str:
    return "".join(f"{key}='{_clean(value)}'\n" for key, value in settings.items() if key.isupper())


def _tcl(settings: Mapping[str, str]) -> str:
    return "".join(f"set {key} {{{_clean(value)}}}\n" for key, value in settings.items() if not key.isupper())


def _clean(value: str) -> str:
    """Refuse what would end a quotation: a board's file may come from anywhere."""
    if re.search(r"['{}\\\n$\[\]\"`]", value):
        raise InvalidInputError(f"{value!r} cannot stand in a script", next_step="mend the board's file")
    return value


def _link(board: Board, design: KernelDesign) -> str:
    memory = "HBM" if board.banks[0].kind == "HBM" else "DDR"
    unit = design.instance_names[0]
    return (
        f"[connectivity]\nnk={design.name}:1:{unit}\nsp={unit}.m_axi_gmem:{memory}[0]\n\n"
        f"[clock]\nfreqHz={round(board.clock_mhz * 1e6)}:{unit}\n"
    )


def _plain_top(design: KernelDesign) -> str:
    """Return the kernel's ports in plain Verilog: a block design takes no SystemVerilog module."""
    (source,) = (text for name, text in design.sources.items() if name == f"{design.name}.sv")
    beat = int(design.about["beat_bytes"])
    body = re.sub(r"/\*.*?\*/|//[^\n]*", "", source, flags=re.DOTALL)
    listed = re.search(rf"module {design.name}\b.*?\)\s*\((?P<ports>.*?)\);", body, re.DOTALL)
    if listed is None:
        raise InvalidInputError(f"no ports of {design.name} can be read")
    ports = listed["ports"].replace("BEAT_BYTES", str(beat)).strip()
    names = re.findall(r"(\w+)\s*(?:,|\Z)", ports)
    joined = ",\n        ".join(f".{name}({name})" for name in names)
    return (
        f"// The same ports in plain Verilog, which a block design needs.\nmodule {design.name}_top (\n"
        f"    {ports}\n);\n    {design.name} inner (\n        {joined}\n    );\nendmodule\n"
    )


def _readme(name: str, board: Board, flow: Flow) -> str:
    if not _NAME.match(name):
        raise InvalidInputError(f"{name!r} cannot name a project")
    return f"""# {name} for {board.title}

Everything that AMD's tools need to build this firmware; fpgaclass itself is not needed here.

1. {flow.how_to_get}. Needed on PATH: {", ".join(flow.tools)}.
2. `./run.sh`: checks the files, builds (hours for a card, half an hour for a small board), collects.
3. Bring `{name}-results.tar.gz` back, and there:
   `fpgaclass firmware read-back FIRMWARE {name}-results.tar.gz`.

| what | where |
|---|---|
| the kernel: network and shell | `rtl/` |
| what is run | `scripts/`, with `settings.sh` and `settings.tcl` |
| hls4ml's C++ of the same model | `hls/`; `scripts/hls.sh` runs high-level synthesis of it, for comparison |
| what everything must be | `project.json`, `SHA256SUMS` |

Part {board.part}, {board.clock_mhz:g} MHz{f", {board.vendor}" if board.vendor else ""}. \
For an Alveo card another version of the platform can be given as FPGACLASS_PLATFORM.
"""


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
