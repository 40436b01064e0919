"""To the vendor's tools and back: a project packed or run, and what came out read into a Firmware."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from fpgaclass.core import (
    FirmwareError,
    InvalidInputError,
    ToolMissingError,
    as_disk_full,
    atomic_directory,
    cache_directory,
    digest_of,
    find_tool,
    held_lock,
    run_tool,
    say,
    stage,
)
from fpgaclass.firmware.artifact import MANIFEST, Firmware, require_firmware, some_path
from fpgaclass.firmware.board import Board, Resources, load_board
from fpgaclass.firmware.network import TOP
from fpgaclass.firmware.report import VENDOR, Report
from fpgaclass.firmware.vitis.project import FLOWS, FORMAT, PROJECT, SUMS, VendorProject, make_project
from fpgaclass.firmware.vitis.reports import (
    read_csynth,
    read_kernel_utilization,
    read_utilization,
    read_worst_slack,
    split_kernel,
)

TOOLCHAIN = "vitis"
_RESULTS = "results"
_MOST_BYTES = 4 << 30
_BUNDLED = "pack the project with firmware.bundle, build it where the tools are, and read the result back"


def bundle(firmware: Firmware, path: str | Path, *, board: str | Path | Board | None = None) -> Path:
    """Pack a firmware's project for the vendor's tools into one .tar.gz that builds without fpgaclass.

    Unpack it where the tools are and start ``run.sh``; bring ``<name>-results.tar.gz`` back to ``read_back``.
    The same firmware gives the same file, byte by byte. (The scripts have been interpreted by Tcl and a shell
    with stand-ins for the tools; no vendor's tool has run them yet.)

    Args:
        firmware: of the open toolchain, for a board with vendor tools.
        path: of the file to write, such as ``"muon_pt-u250.tar.gz"``.
        board: the firmware's board, if it came from a TOML file of yours.

    Raises:
        InvalidInputError: the firmware or the path does not fit.
        FirmwareError: the file cannot be written.

    Example::

        firmware.bundle(built, "muon_pt-u250.tar.gz")
    """
    path = some_path(path)
    if not path.name.endswith((".tar.gz", ".tgz")):
        raise InvalidInputError(f"{path.name} is no .tar.gz", next_step=f"name it {path.stem}.tar.gz")
    project = make_project(require_firmware(firmware), load_board(board or firmware.manifest.board))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in sorted(project.files.items()):
            entry = tarfile.TarInfo(f"{project.name}-{project.board}/{name}")
            entry.size, entry.mode = len(data), 0o755 if name.endswith(".sh") else 0o644
            archive.addfile(entry, io.BytesIO(data))
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(gzip.compress(packed.getvalue(), mtime=0))
        scratch.replace(path)
    except OSError as refused:
        scratch.unlink(missing_ok=True)
        raise as_disk_full(refused) or FirmwareError(
            f"the bundle cannot be written: {refused.strerror or refused}",
            where=str(path),
            next_step="name a file where you may write",
        ) from refused
    return path


def read_back(
    firmware: Firmware, results: str | Path, *, board: str | Path | Board | None = None
) -> Firmware:
    """Read what a project's ``run.sh`` left, and return the firmware with the vendor's file and report.

    Args:
        firmware: that the project was made of, by the open toolchain.
        results: ``<name>-results.tar.gz``.
        board: the firmware's board, if it came from a TOML file of yours.

    Raises:
        InvalidInputError: the results are of another firmware, or not such a file.
        FirmwareError: they are damaged, or a file or report is missing.
    """
    target = load_board(board or require_firmware(firmware).manifest.board)
    project = make_project(firmware, target)
    with tempfile.TemporaryDirectory() as scratch:
        _unpack(some_path(results), Path(scratch))
        return _adopt(firmware, target, project, Path(scratch) / _RESULTS)


def require_vendor_tools(board: Board) -> None:
    """Refuse to begin where the vendor's tools are not.

    Raises:
        InvalidInputError: there are none for this form of board.
        ToolMissingError: says which, and what to do without.
    """
    if board.form not in FLOWS:
        raise InvalidInputError(
            f"{board.title} is built by open tools alone", next_step="use toolchain='open' for this board"
        )
    flow = FLOWS[board.form]
    missing = [tool for tool in flow.tools if find_tool(tool) is None]
    if missing:
        names = " and ".join(missing)
        raise ToolMissingError(
            f"{names} not on this machine: toolchain {TOOLCHAIN!r} needs them for {board.title}",
            where="PATH",
            next_step=f"{flow.how_to_get[0].lower()}{flow.how_to_get[1:]}; or {_BUNDLED}",
        )


def build_with_vendor(firmware: Firmware, board: Board) -> Firmware:
    """Run a firmware's project with the tools of this machine; the same project a second time is found.

    Raises:
        ToolMissingError: a tool is not here.
        BuildError: a tool died; its first error is shown.
        FirmwareError: a file or report is missing.
    """
    require_vendor_tools(board)
    project = make_project(firmware, board)
    done = _folder(firmware, project)
    if (done / MANIFEST).is_file():
        return Firmware.load(done)
    lock = done.with_name(f".{done.name}.lock")
    with held_lock(lock, lambda: say(f"{done.name} is being built by another process: waiting for it")):
        if (done / MANIFEST).is_file():
            return Firmware.load(done)
        work = cache_directory("vendor") / done.name
        shutil.rmtree(work, ignore_errors=True)
        project.write(work)
        with stage(f"{board.title} (takes hours for a card)", ", ".join(project.flow.tools)):
            run_tool([str(work / "run.sh")], cwd=work, log=work / "run.log")
        built = _adopt(firmware, board, project, work / _RESULTS)
        shutil.rmtree(work, ignore_errors=True)
        return built


def _adopt(firmware: Firmware, board: Board, project: VendorProject, results: Path) -> Firmware:
    """Make a firmware of the open one and what the tools left."""
    about = _check(results, project)
    report = _report(firmware.report, board, results / "reports")
    tools = (results / "tools.txt").read_text() if (results / "tools.txt").is_file() else ""
    versions = dict(line.split(": ", 1) for line in tools.splitlines() if ": " in line)
    manifest = dataclasses.replace(
        firmware.manifest,
        toolchain=TOOLCHAIN,
        digest=digest_of(firmware.manifest.digest, about["digest"]),
        tools={**firmware.manifest.tools, **versions},
    )
    folder = _folder(firmware, project)
    if folder.is_dir():
        shutil.rmtree(folder)
    with atomic_directory(folder) as scratch:
        shutil.copytree(firmware.folder, scratch, dirs_exist_ok=True)
        for ending in (".xclbin", ".bit", ".hwh"):
            (scratch / (manifest.name + ending)).unlink(missing_ok=True)
        for product in project.products:
            shutil.copy(results / product, scratch / product)
        shutil.copytree(results / "reports", scratch / "reports" / "vendor")
        (scratch / "reports" / "report.json").write_text(report.to_json())
        hls = results / "reports" / "csynth.xml"
        if hls.is_file():
            estimate = dataclasses.asdict(read_csynth(hls))
            (scratch / "reports" / "hls_estimate.json").write_text(json.dumps(estimate, indent=2))
        (scratch / MANIFEST).write_text(manifest.to_json())
    return Firmware.load(folder)


def _folder(firmware: Firmware, project: VendorProject) -> Path:
    manifest = firmware.manifest
    return cache_directory("firmware") / f"{manifest.name}-{manifest.board}-{TOOLCHAIN}-{project.digest[:16]}"


def _check(results: Path, project: VendorProject) -> dict[str, Any]:
    """Compare results with their own list of digests and with the project they must be of."""
    try:
        about: dict[str, Any] = json.loads((results / PROJECT).read_text())
        lines = [line.split("  ", 1) for line in (results / SUMS).read_text().splitlines()]
        sums = {name: digest for digest, name in lines}
    except (OSError, ValueError) as bad:
        raise FirmwareError(
            f"these are no results of a project: {bad}", next_step="give what run.sh packed"
        ) from bad
    if about.get("format") != FORMAT or about.get("firmware") != project.firmware:
        raise InvalidInputError(
            f"the results are of {about.get('name')} for {about.get('board')}, of another build",
            next_step="give the firmware that was bundled, or bundle this one and build it",
        )
    if about.get("digest") != project.digest:
        raise InvalidInputError(
            "the results are of another project of this firmware",
            next_step="bundle it again with this version of fpgaclass, and build it",
        )
    for name in (PROJECT, *project.products):
        if not (results / name).is_file() or f"./{name}" not in sums:
            raise FirmwareError(f"{name} is missing in the results", next_step="run the project again")
    for name, expected in sums.items():
        path = results / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise FirmwareError(f"{name} is not what the tools left: its digest differs", where=str(results))
    return about


def _report(open_report: Report, board: Board, reports: Path) -> Report:
    """Return the vendor's figures in our form."""
    whole, network = _cells(reports, "krnl_stream" if board.form == "zynq" else "krnl_rtl")
    timing = [reports / "timing_summary.rpt", *sorted(reports.glob("*timing*.rpt"))]
    slack = read_worst_slack(next((t for t in timing if t.is_file()), timing[0]))
    period = 1e3 / board.clock_mhz
    nothing = Resources(0, 0, 0, 0)
    shell = nothing if network is None else _less(whole, network)
    return dataclasses.replace(
        open_report,
        network=whole if network is None else network,
        shell=shell,
        cells_source=VENDOR if network else f"{VENDOR}; shell within network",
        clock_mhz=board.clock_mhz if slack >= 0 else round(1e3 / (period - slack), 1),
        clock_source=VENDOR,
    )


def _cells(reports: Path, kernel: str) -> tuple[Resources, Resources | None]:
    """Return what the kernel takes, and the network in it; v++'s own report knows the former alone."""
    tables = [reports / "utilization_hierarchical.rpt", *sorted(reports.glob("*util*hier*.rpt"))]
    table, routed = next((t for t in tables if t.is_file()), None), reports / "kernel_util_routed.rpt"
    if table is not None or not routed.is_file():
        return split_kernel(read_utilization(table or tables[0]), kernel, TOP)
    kernels = read_kernel_utilization(routed)
    if kernel not in kernels:
        raise FirmwareError(
            f"no {kernel} in the utilisation report",
            where=str(routed),
            next_step="see whether the tools ended well, and run the project again",
        )
    return kernels[kernel], None


def _less(whole: Resources, part: Resources) -> Resources:
    kinds = dataclasses.asdict(whole)
    return Resources(**{kind: max(0, count - getattr(part, kind)) for kind, count in kinds.items()})


def _unpack(path: Path, folder: Path) -> None:
    """Unpack results that may come from anywhere: plain files below ``results/``, and not too much."""
    if not path.is_file():
        raise InvalidInputError("there are no such results", where=str(path), next_step="give a .tar.gz")
    try:
        with tarfile.open(path, "r:gz") as archive:
            total = 0
            for member in archive:
                parts = PurePosixPath(member.name).parts
                inside = not member.name.startswith("/") and ".." not in parts and parts[:1] == (_RESULTS,)
                if not inside or not (member.isfile() or member.isdir()):
                    raise InvalidInputError(
                        f"the results hold {member.name!r}, which does not belong there",
                        where=str(path),
                        next_step="give NAME-results.tar.gz, which the bundle's run.sh left",
                    )
                total += member.size
                if total > _MOST_BYTES:
                    raise InvalidInputError(f"the results unpack to more than {_MOST_BYTES >> 30} GB")
                target = folder.joinpath(*parts)
                source = archive.extractfile(member)
                (target if source is None else target.parent).mkdir(parents=True, exist_ok=True)
                if source is not None:  # contents alone: no owner, mode or time of another machine
                    with source, target.open("wb") as copy:
                        shutil.copyfileobj(source, copy)
    except (tarfile.TarError, OSError, EOFError) as bad:
        raise InvalidInputError(f"the results cannot be unpacked: {bad}", where=str(path)) from bad
