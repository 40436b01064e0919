"""Fixed-point types as HGQ2's quantisers: of values, of a table's addresses, of softmax' tables."""

from __future__ import annotations

import math
from typing import Any

from fpgaclass.firmware.quantisation.precision import FixedPoint

_TABLE_BITS = 10


def hgq_type(kind: FixedPoint, place: str, rounding: str | None = None, overflow: str | None = None) -> Any:
    """Return an HGQ2 quantiser of one type for all values.

    Args:
        kind: the type.
        place: what it is of, in HGQ2's terms: ``"datalane"``, ``"weight"``, ``"bias"`` or ``"table"``.
        rounding: in place of the type's own.
        overflow: in place of the type's own.
    """
    from hgq.config import QuantizerConfig

    return QuantizerConfig(
        "kif",
        place,
        k0=kind.signed,
        i0=kind.integer - kind.signed,
        f0=kind.fraction,
        round_mode=rounding or kind.rounding,
        overflow_mode=overflow or kind.overflow,
        homogeneous_axis=None,
        heterogeneous_axis=(),
        trainable=False,
    )


def table_input(kind: FixedPoint, bounded: bool, bits: int | None = None) -> FixedPoint:
    """Return the type in which a table is addressed.

    Args:
        kind: of the values that it is of.
        bounded: the function is flat beyond 8, and needs no more range.
        bits: of the address at most; 10 if left out, as in hls4ml's tables.
    """
    bits = bits or _TABLE_BITS
    integer = max(1, min(kind.integer, 4 if bounded else bits, bits))
    fraction = max(0, min(kind.fraction, bits - integer))
    return FixedPoint(integer + fraction, integer, kind.signed, kind.rounding, "SAT")


def softmax_types(classes: int) -> dict[str, Any]:
    """Return the tables of a softmax: exp of the distance to the largest, and one over the sum of them."""
    whole = math.ceil(math.log2(classes)) + 1
    return {
        "exp_iq_conf": hgq_type(FixedPoint(10, 4, False, "RND", "SAT"), "datalane"),
        "exp_oq_conf": hgq_type(FixedPoint(12, 1, False, "RND_CONV", "SAT"), "table"),
        "inv_iq_conf": hgq_type(FixedPoint(_TABLE_BITS, whole, False, "RND", "SAT"), "datalane"),
        "inv_oq_conf": hgq_type(FixedPoint(12, 1, False, "RND_CONV", "SAT"), "table"),
        "stable": True,
        "allow_heterogeneous_table": False,
    }
