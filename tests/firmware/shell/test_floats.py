"""The shell's conversions of floats against ap_fixed's own, as hls4ml's wrapper of a kernel uses it."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import StreamSimulator, compile_kernel, find_compiler
from fpgaclass.core import run_tool
from fpgaclass.firmware.shell import FloatWords

EVENTS = 10_000
_CASTS = """
#include <cstdio>
#include "ap_fixed.h"
int main() {
    for (float x; fread(&x, 4, 1, stdin) == 1;) {
        TYPE inside = (TYPE)x;
        float y = inside;
        fwrite(&y, 4, 1, stdout);
    }
}
"""


def _by_ap_fixed(kind: str, x: np.ndarray, folder: Path) -> np.ndarray:
    spec = importlib.util.find_spec("hls4ml")
    assert spec is not None
    types = Path(str(spec.origin)).parent / "templates/vivado/ap_types"
    (folder / "casts.cpp").write_text(_CASTS)
    command = [*find_compiler().command, "-std=c++17", "-w", f"-I{types}", f"-DTYPE={kind}", "casts.cpp"]
    run_tool([*command, "-o", "casts"], cwd=folder)
    done = subprocess.run([str(folder / "casts")], input=x.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.float32)


@pytest.mark.parametrize(
    ("kind", "word", "fraction", "signed"),
    [
        ("ap_fixed<16,6>", 2, 10, True),
        ("ap_ufixed<8,3>", 1, 5, False),
        pytest.param("ap_fixed<8,10>", 1, -2, True, marks=pytest.mark.proof),
        pytest.param("ap_fixed<24,9>", 4, 15, True, marks=pytest.mark.proof),
    ],
)
def test_a_float_goes_through_as_through_a_cast(
    standin: Any, tmp_path: Path, kind: str, word: int, fraction: int, signed: bool
) -> None:
    """hls4ml writes `in_local[i] = in[i].data`: what that gives is what a driver's user expects."""
    pytest.importorskip("hls4ml")
    floats = FloatWords(word, (fraction,), (fraction,), (signed,))
    # One word in, one out, times one: what comes back is what the core was given.
    simulator = StreamSimulator(compile_kernel(standin.stream_design(word, 4, word, word, 1, floats=floats)))
    x = standin.random_floats(np.random.default_rng(1), EVENTS).view(np.float32)
    x = np.where(np.isfinite(x), x, 0).astype(np.float32)
    edges = np.float32(2.0) ** -fraction * np.array([0.5, 1, 1.5, -0.5, -1, -1.5, 127, 128, -128, -129])
    x[: len(edges)] = edges
    x[len(edges) : len(edges) + 3] = [-1e-45, 1e-45, -0.0]
    if kind == "ap_fixed<24,9>":  # in a word of 32 bits: nothing above 24 of them
        x = (x % 256 - 128).astype(np.float32)
    y = np.zeros_like(x)
    simulator.map(0x1000_0000, x)
    simulator.map(0x2000_0000, y)
    assert simulator.transfer(0x1000_0000, x.nbytes, 0x2000_0000, y.nbytes) == y.nbytes
    expected = _by_ap_fixed(kind, x, tmp_path)
    assert (y.view(np.uint32) == expected.view(np.uint32)).all()
    assert len(np.unique(y)) > 50
