"""hls4ml's C++ of a model (conifer's, of trees), compiled for this machine: what synthesis would be given."""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import os
import re
import shutil
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.card import find_compiler
from fpgaclass.core import BuildError, Uninterrupted, run_tool
from fpgaclass.firmware.board import Board
from fpgaclass.firmware.for_hls4ml import for_hls4ml
from fpgaclass.firmware.network import TOP
from fpgaclass.firmware.trees.conifer import write_conifer
from fpgaclass.firmware.trees.logic import Trees
from fpgaclass.firmware.vector import load_library

LIBRARY = "emulation.so"


def emulator(model: Any) -> str:
    """Return who writes the C++ of a model."""
    return "conifer" if isinstance(model, Trees) else "hls4ml"


_BATCH = """// Many events in one call, so that Python is not in the loop.
extern "C" {
void %(top)s_double(double *in, double *out);
void emulate_batch(const double *in, double *out, long events, long in_size, long out_size) {
    for (long i = 0; i < events; ++i)
        %(top)s_double(const_cast<double *>(in) + i * in_size, out + i * out_size);
}
}
"""


def write_hls(model: Any, board: Board, folder: Path) -> None:
    """Write hls4ml's Vitis project for an HGQ2 model, bit-exact types and all; conifer's for trees.

    Raises:
        BuildError: hls4ml refused the model.
    """
    if isinstance(model, Trees):
        write_conifer(model, folder, TOP, board.part, 1e3 / board.clock_mhz)
        shutil.copytree(_headers(), folder / "firmware" / "ap_types")
        return
    with Uninterrupted():  # half imported, hls4ml cannot be imported again
        from hls4ml.converters import convert_from_keras_model

    logging.getLogger("hls4ml").setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), _wrapping_quantisers():
            warnings.simplefilter("ignore")  # of what the comparison of the results settles
            project = convert_from_keras_model(
                for_hls4ml(model),
                hls_config={"Model": {"Precision": "fixed<-1,0>", "ReuseFactor": 1, "Strategy": "Latency"}},
                backend="Vitis",
                io_type="io_parallel",
                bit_exact=True,
                output_dir=str(folder),
                project_name=TOP,
                part=board.part,
                clock_period=1e3 / board.clock_mhz,
            )
            project.write()
    except Exception as bad:  # hls4ml raises bare Exception for what it does not know
        raise BuildError(
            f"hls4ml cannot convert the model: {type(bad).__name__} {bad}", where="hls4ml"
        ) from bad
    (folder / "batch.cpp").write_text(_BATCH % {"top": TOP})


@contextlib.contextmanager
def _wrapping_quantisers() -> Iterator[None]:
    """Let hls4ml 1.3 see a quantiser that wraps behind what only moves values, and not behind Reshape alone.

    A signed one of i integer bits takes an unsigned value modulo 2**(i + 1). hls4ml keeps that many bits of
    it if it finds the quantiser, else one less, and a ReLU's value of 5 that should become -3 becomes 1.
    """
    from hls4ml.model.layers import Concatenate, Reshape, Transpose
    from hls4ml.model.optimizer.passes import bit_exact

    def is_next(layer: Any) -> bool:
        return any(
            is_next(after)
            if isinstance(after, Concatenate | Reshape | Transpose)
            else isinstance(after, bit_exact.FixedPointQuantizer) and after.SAT not in ("SAT", "SAT_SYM")
            for after in bit_exact.get_output_layers(layer)
        )

    before = bit_exact.requested_by_non_saturating_quantizer
    bit_exact.requested_by_non_saturating_quantizer = is_next
    try:
        yield
    finally:
        bit_exact.requested_by_non_saturating_quantizer = before


def compile_hls(folder: Path) -> Path:
    """Compile the project's C++ model; return the shared library."""
    compiler = find_compiler()
    conifer = (folder / "firmware" / "BDT.cpp").is_file()
    sources = ["firmware/BDT.cpp"] if conifer else [f"firmware/{TOP}.cpp", f"{TOP}_bridge.cpp"]
    _use_complete_complex(folder / "firmware" / "ap_types")
    command = [
        *compiler.command, "-O1", "-fPIC", "-std=c++17", "-w", "-shared", "-fvisibility=default",
        "-Ifirmware/ap_types", '-DWEIGHTS_DIR="firmware/weights"',
        "-I.", *sources, "batch.cpp", "-o", LIBRARY,
    ]  # fmt: skip
    run_tool(command, cwd=folder, log=folder / "compile.log", timeout=1800)
    return folder / LIBRARY


def emulate(
    library: Path, x: npt.ArrayLike, in_size: int, out_shape: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Run hls4ml's compiled model: events (n, ...) of ``in_size`` values -> (n, \\*out_shape)."""
    events = np.ascontiguousarray(np.asarray(x, dtype=np.float64).reshape(-1, in_size))
    out_size = int(np.prod(out_shape))
    out = np.empty((len(events), out_size))
    # The weights are read, by a relative path, at the first call.
    with _working_directory(library.parent):
        function = load_library(library).emulate_batch
        pointer = ctypes.POINTER(ctypes.c_double)
        function.argtypes = [pointer, pointer, ctypes.c_long, ctypes.c_long, ctypes.c_long]
        function.restype = None
        function(events.ctypes.data_as(pointer), out.ctypes.data_as(pointer), len(events), in_size, out_size)
    return out.reshape(-1, *out_shape).astype(np.float32)


def _headers() -> Path:
    """Return where hls4ml has the open headers of ap_fixed."""
    spec = find_spec("hls4ml")
    assert spec is not None
    return Path((spec.submodule_search_locations or [""])[0]) / "templates" / "vivado" / "ap_types"


def _use_complete_complex(headers: Path) -> None:
    """Include <complex> where the headers only declare std::complex, which libc++ (zig, clang) rejects."""
    forward = re.compile(r"namespace std \{\s*template<typename _Tp> class complex;\s*\}")
    for path in headers.glob("ap_*_special.h"):
        path.write_text(forward.sub("#include <complex>", path.read_text()))


@contextlib.contextmanager
def _working_directory(folder: Path) -> Any:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
