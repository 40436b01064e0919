"""The network's logic as C++ on vectors of events: what ``Firmware.predict`` runs.

The same integers as in the RTL, sixteen events at a time. A value is an integer and its fraction bits; every
operation of da4ml's list becomes one or two vector instructions. da4ml's own interpreter goes through the
list anew for each event, hls4ml's C++ computes each event with arbitrary-width types.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.card import find_compiler
from fpgaclass.core import FirmwareError, run_tool
from fpgaclass.firmware.events import checked_events
from fpgaclass.firmware.words import WordFormat

SOFTWARE = "software"
LIBRARY = "vector.so"
LANES = 16
_CHUNK = 100
_AT_ONCE = 1 << 22  # values between two looks at whether Ctrl-C was pressed
_ENTRY = "predict_floats"

_HEAD = """#include <cmath>
#include <cstdint>
#include <memory>
typedef {word} V __attribute__((vector_size({lanes} * sizeof({word}))));
static inline V wide(V x, int keep) {{ return (x << keep) >> keep; }}
"""

_RUN = """
// x * grid, cut to an integer; its low bits if it is beyond what a double counts by ones.
static inline {word} cut(float x, double grid) {{
    double value = x * grid;
    if (!(std::fabs(value) < 0x1p60)) value = std::fmod(value, 0x1p60);
    int64_t whole = (int64_t)value;
    return ({word})(whole - (value < (double)whole));
}}

extern "C" __attribute__((visibility("default")))
void {entry}(const float *in, float *out, long events) {{
    static const double grid_in[] = {{{grid_in}}};
    std::unique_ptr<V[]> all(new V[{size}]());
    V *b = all.get();
    for (long first = 0; first < events; first += {lanes}) {{
        long here = events - first < {lanes} ? events - first : {lanes};
        for (int j = 0; j < {inputs}; ++j) {{
            if (grid_in[j] == 0) continue;
            const float *x = in + first * {inputs} + j;
            V &given = b[{size} - {inputs} + j];
            for (long k = 0; k < here; ++k) given[k] = cut(x[k * {inputs}], grid_in[j]);
        }}
{calls}
        for (long k = 0; k < here; ++k) {{
            float *o = out + (first + k) * {outputs};
{stores}
        }}
    }}
}}
"""


def write_vector(logic: Any, folder: Path) -> bool:
    """Write the logic as C++ into ``folder``; False if it has what this cannot express."""
    from da4ml.types import minimal_kif

    kinds = [tuple(map(int, minimal_kif(op.qint))) for op in logic.ops]
    widest = max((sum(kind) for kind in kinds), default=0)
    if widest > 60 or any(abs(op.opcode) in (9, 10) for op in logic.ops):
        return False
    # An aligned operand may be a little wider than the sum; eight spare bits are more than any op needs.
    word = "int32_t" if widest <= 24 else "int64_t"
    bits = 32 if word == "int32_t" else 64
    inputs, outputs = logic.shape
    size = len(logic.ops) + inputs
    tables: list[str] = []
    lines: list[str] = []
    for index, op in enumerate(logic.ops):
        lines.append(f"b[{index}] = {_expression(logic, index, op, kinds, bits, tables)};")
    chunks = [lines[i : i + _CHUNK] for i in range(0, len(lines), _CHUNK)]
    parts = [f"static void part{i}(V *b) {{\n" + "\n".join(c) + "\n}" for i, c in enumerate(chunks)]
    stores = [_store(logic, j, kinds) for j in range(outputs)]
    text = _HEAD.format(word=word, lanes=LANES) + "\n".join([*tables, *parts])
    text += _RUN.format(
        grid_in=", ".join(repr(g) for g in _grid(logic, kinds)),
        entry=_ENTRY,
        size=size,
        lanes=LANES,
        inputs=inputs,
        outputs=outputs,
        word=word,
        calls="\n".join(f"        part{i}(b);" for i in range(len(parts))),
        stores="\n".join(f"            {store}" for store in stores),
    )
    (folder / "vector.cpp").write_text(text)
    return True


def compile_vector(folder: Path) -> Path:
    """Compile what ``write_vector`` wrote; return the shared library."""
    command = [*find_compiler().command, "-O1", "-fPIC", "-std=c++17", "-w", "-shared", "-fvisibility=hidden"]
    # Signed shifts out of range and casts wrap here, as they do in the hardware.
    command += ["-fwrapv", "vector.cpp", "-o", LIBRARY]
    run_tool(command, cwd=folder, log=folder / "vector.log", timeout=1800)
    return folder / LIBRARY


def run_vector(
    library: Path, inputs: WordFormat, outputs: WordFormat, x: npt.ArrayLike
) -> npt.NDArray[np.float32]:
    """Run the compiled logic on events (n, \\*inputs.shape) -> (n, \\*outputs.shape).

    Raises:
        InvalidInputError: the events do not fit.
        FirmwareError: the library cannot be loaded.
    """
    function = _entry(library)
    events = np.ascontiguousarray(checked_events(x, inputs.shape).reshape(-1, len(inputs.fields)))
    result = np.empty((len(events), len(outputs.fields)), np.float32)
    at_once = max(1, _AT_ONCE // max(1, len(inputs.fields)))
    for first in range(0, len(events), at_once):
        some = events[first : first + at_once]
        out = result[first : first + at_once]
        function(some.ctypes.data, out.ctypes.data, len(some))
    return result.reshape(-1, *outputs.shape)


def _entry(library: Path) -> Any:
    try:
        function = load_library(library)[_ENTRY]
    except AttributeError as bad:
        raise FirmwareError(
            "the firmware's software was made by another version of fpgaclass",
            where=str(library),
            next_step="build it again with firmware.build(model)",
        ) from bad
    function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long], None
    return function


def load_library(library: Path) -> Any:
    """Load what was compiled for this machine.

    Raises:
        FirmwareError: it is of another machine, damaged, or gone.
    """
    try:
        return ctypes.CDLL(str(library))
    except OSError as bad:
        raise FirmwareError(
            f"the firmware's software does not run on this machine: {bad}",
            where=str(library),
            next_step="build it again here with firmware.build(model)",
        ) from bad


def _grid(logic: Any, kinds: list[tuple[int, ...]]) -> list[float]:
    """Return, for each input, 2**fraction at which it is cut to an integer; 0 for one that is not read."""
    grid = [0.0] * logic.shape[0]
    for op, (_, _, fraction) in zip(logic.ops, kinds, strict=True):
        if op.opcode == -1:
            grid[op.id0] = 2.0**fraction
    return grid


def _expression(
    logic: Any, index: int, op: Any, kinds: list[tuple[int, ...]], bits: int, tables: list[str]
) -> str:
    """Return the C++ of one operation; see da4ml's ``Op`` for what the codes mean."""
    kind = kinds[index]
    fraction = kind[2]
    if op.opcode == -1:
        return _wrap(f"b[{len(logic.ops) + op.id0}]", kind, bits)
    if op.opcode in (0, 1):
        left = _shift(f"b[{op.id0}]", fraction - kinds[op.id0][2])
        right = _shift(f"b[{op.id1}]", fraction - (kinds[op.id1][2] - op.data))
        return f"{left} {'-' if op.opcode else '+'} {right}"
    if op.opcode in (2, -2):
        value = f"({'-' if op.opcode < 0 else ''}b[{op.id0}])"
        positive = f"({value} & ({value} > 0))"
        return _wrap(_shift(positive, fraction - kinds[op.id0][2]), kind, bits)
    if op.opcode in (3, -3):
        value = f"({'-' if op.opcode < 0 else ''}b[{op.id0}])"
        return _wrap(_shift(value, fraction - kinds[op.id0][2]), kind, bits)
    if op.opcode == 4:
        return f"{_shift(f'b[{op.id0}]', fraction - kinds[op.id0][2])} + ({op.data})"
    if op.opcode == 5:
        return f"V{{}} + ({op.data})"
    if op.opcode in (6, -6):
        which = op.data & 0xFFFFFFFF
        shift = (((op.data >> 32) & 0xFFFFFFFF) + (1 << 31)) % (1 << 32) - (1 << 31)
        sign, integer, part = kinds[which]
        condition = f"(b[{which}] < 0)" if sign else f"(b[{which}] >= {1 << max(0, integer + part - 1)})"
        first = _shift(f"b[{op.id0}]", fraction - kinds[op.id0][2])
        second = _shift(f"b[{op.id1}]", fraction - (kinds[op.id1][2] - shift))
        second = f"(-{second})" if op.opcode < 0 else second
        return _wrap(f"(({first} & {condition}) | ({second} & ~{condition}))", kind, bits)
    if op.opcode == 7:
        have = kinds[op.id0][2] + kinds[op.id1][2]
        return _shift(f"(b[{op.id0}] * b[{op.id1}])", fraction - have)
    if op.opcode == 8:
        return _lookup(logic, index, op, kinds, tables)
    raise ValueError(f"operation {op.opcode} is not known")


def _lookup(logic: Any, index: int, op: Any, kinds: list[tuple[int, ...]], tables: list[str]) -> str:
    table = logic.lookup_tables[op.data]
    values = np.nan_to_num(table.padded_table(logic.ops[op.id0].qint), nan=0.0).astype(np.int64)
    width = sum(kinds[op.id0])
    out_sign, out_integer, out_fraction = (int(v) for v in table.spec.out_kif)
    out_bits = out_sign + out_integer + out_fraction
    if out_sign:
        values = np.where(values >= 1 << (out_bits - 1), values - (1 << out_bits), values)
    name = f"table{len(tables)}"
    rows = ", ".join(str(int(value)) for value in values)
    tables.append(
        f"static const int64_t {name}_v[] = {{{rows}}};\n"
        f"static inline V {name}(V x) {{ V r; for (int k = 0; k < {LANES}; ++k) "
        f"r[k] = {name}_v[x[k] & {(1 << width) - 1}]; return r; }}"
    )
    return _shift(f"{name}(b[{op.id0}])", kinds[index][2] - out_fraction)


def _store(logic: Any, output: int, kinds: list[tuple[int, ...]]) -> str:
    index = logic.out_idxs[output]
    if index < 0:
        return f"o[{output}] = 0;"
    scale = 2.0 ** (logic.out_shifts[output] - kinds[index][2]) * (-1 if logic.out_negs[output] else 1)
    return f"o[{output}] = b[{index}][k] * {scale!r};"


def _shift(value: str, left: int) -> str:
    if left == 0:
        return value
    return f"({value} << {left})" if left > 0 else f"({value} >> {-left})"


def _wrap(value: str, kind: tuple[int, ...], bits: int) -> str:
    """Keep the low bits of a value, as its type does: sign-extended, or not."""
    width = sum(kind)
    if width <= 0:
        return f"({value} & 0)"
    return f"wide({value}, {bits - width})" if kind[0] else f"({value} & {(1 << width) - 1})"
