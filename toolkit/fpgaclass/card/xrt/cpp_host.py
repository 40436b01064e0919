"""The C++ host: one source, built on AMD's runtime or on our headers, and fed with the events of Python."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fpgaclass.card.alveo.xclbin import read_design
from fpgaclass.card.design import KernelDesign, Link
from fpgaclass.card.measuring.measurement import Timing
from fpgaclass.card.simulation.compilation import compile_kernel
from fpgaclass.card.simulation.toolchain import find_compiler, version_of
from fpgaclass.core import (
    CardError,
    HungKernelError,
    InvalidInputError,
    ToolMissingError,
    atomic_directory,
    cache_directory,
    digest_of,
    run_tool,
    stage,
)

Runtime = Literal["standin", "xrt"]
SOURCE = Path(__file__).parent / "host" / "host.cpp"
_STANDIN = Path(__file__).parent / "host" / "standin"
_PLACES = (Path("/opt/xilinx/xrt"),)
_DEBIAN = Path("/usr/include/xrt")
_FLAGS = ("-std=c++17", "-O2", "-pthread")
_EMULATED = ("to_device", "from_device", "launch", "wait")
_GET_XRT = "install AMD's XRT, or apt-get install libxrt-dev (it builds and loads, and drives no new card)"


@dataclass(frozen=True)
class XrtLibrary:
    """AMD's runtime on this machine.

    Attributes:
        include: the folder that holds ``xrt/xrt_device.h``.
        libraries: the folder of ``libxrt_coreutil``.
        root: what ``XILINX_XRT`` must be as a host runs; None where ``libraries`` is no root's ``lib``, as in
            Debian's package.
    """

    include: Path
    libraries: Path
    root: Path | None


@dataclass(frozen=True)
class HostRun:
    """What a run of the C++ host gave.

    Attributes:
        results: of the last batch, shape (events, words_out).
        calls: one entry a call, in order; on a virtual card the host's time is measured, the link's
            modelled and the kernel's simulated, with AMD's runtime all are measured.
    """

    results: npt.NDArray[Any]
    calls: tuple[Timing, ...]


def find_xrt() -> XrtLibrary:
    """Find the headers of AMD's runtime: ``XILINX_XRT``, /opt/xilinx/xrt, or Debian's libxrt-dev.

    Raises:
        ToolMissingError: it is not on this machine.
    """
    named = os.environ.get("XILINX_XRT")
    looked = [*([Path(named)] if named else []), *_PLACES]
    for root in looked:
        if (root / "include" / "xrt" / "xrt_device.h").is_file():
            return XrtLibrary(root / "include", root / "lib", root)
    libraries = sorted(Path("/usr/lib").glob("*/libxrt_coreutil.so"))
    if libraries and (_DEBIAN / "xrt" / "xrt_device.h").is_file():
        return XrtLibrary(_DEBIAN, libraries[0].parent, None)
    where = ", ".join(map(str, (*looked, _DEBIAN)))
    raise ToolMissingError("AMD's XRT is not on this machine", where=where, next_step=_GET_XRT)


def build_host(runtime: Runtime = "standin") -> Path:
    """Compile the C++ host, once for each compiler and runtime, and return its path.

    Args:
        runtime: ``"standin"`` for the virtual card, ``"xrt"`` for AMD's runtime.

    Raises:
        ToolMissingError: there is no C++ compiler, or no XRT where that is asked for.
        BuildError: it does not compile; the message has the first error.
    """
    compiler = find_compiler()
    if runtime == "xrt":
        xrt = find_xrt()
        options = ["-isystem", str(xrt.include), f"-L{xrt.libraries}", f"-Wl,-rpath,{xrt.libraries}"]
        options += ["-lxrt_coreutil"]
        headers = [xrt.include / "xrt" / "xrt_kernel.h"]
    else:
        options = ["-I", str(_STANDIN), "-ldl"]
        headers = sorted(_STANDIN.rglob("*.h"))
    tools = (" ".join(compiler.command), version_of(compiler.command))
    target = cache_directory("hosts") / digest_of(runtime, SOURCE, *headers, *_FLAGS, *options, *tools)
    if not (target / "host").is_file():
        with stage("C++ host", f"{compiler.name}, {runtime}"), atomic_directory(target) as out:
            made = [str(SOURCE), *options, "-o", str(out / "host")]
            run_tool([*compiler.command, *_FLAGS, *made], cwd=out)
    return target / "host"


def run_host(
    xclbin: str | Path,
    events: npt.ArrayLike,
    *,
    words_out: int,
    batches: tuple[int, ...] = (),
    repeats: int = 1,
    runtime: Runtime = "standin",
    kernel: str = "krnl_rtl",
    device: int = 0,
) -> HostRun:
    """Send events through a kernel by the C++ host.

    Args:
        xclbin: of the card; a virtual one for ``"standin"``.
        events: words, shape (n, words_in).
        words_out: words of a result.
        batches: sizes of calls, each on the first events; () sends all of them in one call.
        repeats: calls of each size.
        runtime: as for ``build_host``.
        kernel: its name; a virtual xclbin knows it.
        device: index of the card.

    Raises:
        ToolMissingError: no compiler or no XRT.
        CardError, HungKernelError: what the host says went wrong.

    Example:
        >>> run_host("muon.xclbin", words, words_out=1).results  # doctest: +SKIP
    """
    words = np.ascontiguousarray(events)
    if words.ndim != 2 or not words.size:
        raise InvalidInputError(f"events have shape {words.shape}, expected (n, words_in)")
    host = build_host(runtime)
    environment = dict(os.environ)
    link: Link | None = None
    design: KernelDesign | None = None
    if runtime == "standin":
        design, link, *_ = read_design(xclbin)
        kernel = design.name
        environment["FPGACLASS_KERNEL"] = str(compile_kernel(design))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        words.tofile(folder / "events")
        environment["FPGACLASS_TIMELINE"] = str(folder / "timeline")
        command = [str(host), str(xclbin), kernel, str(folder / "events"), str(folder / "results")]
        command += ["--words-in", str(words.shape[1]), "--words-out", str(words_out)]
        command += ["--word", str(words.itemsize), "--log", str(folder / "log")]
        command += ["--repeats", str(repeats), "--device", str(device)]
        command += ["--batches", ",".join(map(str, batches))] if batches else []
        if runtime == "xrt":
            environment["XILINX_XRT"] = str(_root(find_xrt(), folder))
        _run(command, environment)
        results = np.fromfile(folder / "results", words.dtype).reshape(-1, words_out)
        calls = _read_calls(folder / "log")
        if design is None or link is None:
            return HostRun(results, tuple(_measured(*call) for call in calls))
        timeline = _read_timeline(folder / "timeline")
        return HostRun(results, tuple(_split(*call, timeline, design, link) for call in calls))


def _root(xrt: XrtLibrary, scratch: Path) -> Path:
    """Return XILINX_XRT: the runtime looks for its drivers in ``lib`` below it, wherever they are."""
    if xrt.root is not None:
        return xrt.root
    (scratch / "lib").symlink_to(xrt.libraries)
    return scratch


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    said = [line.removeprefix("host: ") for line in done.stderr.splitlines() if line.startswith("host: ")]
    what = "; ".join(said) or (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
    kind = HungKernelError if "hangs" in what else CardError
    raise kind(f"the C++ host failed with exit code {done.returncode}: {what}")


def _read_calls(log: Path) -> list[tuple[int, list[int]]]:
    lines = [line.split() for line in log.read_text().splitlines()]
    return [(int(events), [int(mark) for mark in marks]) for _, events, *marks in lines]


def _read_timeline(path: Path) -> list[tuple[str, int, int, int]]:
    lines = [line.split() for line in path.read_text().splitlines()]
    return [(kind, int(begin), int(end), int(amount)) for kind, begin, end, amount in lines]


def _measured(events: int, marks: list[int]) -> Timing:
    filled, sent, ran, fetched, read = (seconds * 1e-9 for seconds in np.diff(marks).tolist())
    return Timing(events, filled + read, sent + fetched, ran)


def _split(
    events: int,
    marks: list[int],
    timeline: list[tuple[str, int, int, int]],
    design: KernelDesign,
    link: Link,
) -> Timing:
    """Divide a call's time as ``measure`` does for Python: the host's is what the card did not take."""
    emulated = cycles = 0
    link_s = link.launch_s
    for kind, begin, end, amount in timeline:
        if begin < marks[0] or end > marks[-1]:
            continue
        emulated += (end - begin) * (kind in _EMULATED)
        cycles += amount * (kind == "kernel")
        if kind == "to_device":
            link_s += link.dma_setup_s + amount / link.h2d_bytes_per_s
        elif kind == "from_device":
            link_s += link.dma_setup_s + amount / link.d2h_bytes_per_s
    host_s = max(0, marks[-1] - marks[0] - emulated) * 1e-9
    return Timing(events, host_s, link_s, cycles / (design.clock_mhz * 1e6), cycles)
