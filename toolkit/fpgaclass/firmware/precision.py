"""Fixed-point types in hls4ml's notation: ``fixed<16,6>``, ``ufixed<8,0,RND,SAT>``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fpgaclass.core import InvalidInputError

_PATTERN = re.compile(r"(?:ap_)?(u?)fixed<\s*(\d+)\s*,\s*(-?\d+)\s*(?:,\s*(\w+)\s*)?(?:,\s*(\w+)\s*)?>$")
_ROUNDING = ("TRN", "RND", "RND_CONV")
_OVERFLOW = ("WRAP", "SAT", "SAT_SYM")


@dataclass(frozen=True)
class FixedPoint:
    """A fixed-point type.

    Attributes:
        width: bits in all.
        integer: bits left of the point, the sign included; may be negative or exceed the width.
        signed: two's complement or not.
        rounding: ``TRN`` (towards minus infinity), ``RND`` (half up) or ``RND_CONV`` (half to even).
        overflow: ``WRAP`` (drop the high bits), ``SAT`` or ``SAT_SYM``.
    """

    width: int
    integer: int
    signed: bool = True
    rounding: str = "RND"
    overflow: str = "SAT"

    @classmethod
    def parse(cls, text: str) -> FixedPoint:
        """Read hls4ml's notation; what it leaves out is RND and SAT here, not HLS' TRN and WRAP.

        Wrapping is what costs a post-training network its accuracy: a single value out of range flips sign.

        Example:
            >>> FixedPoint.parse("fixed<16,6>").fraction
            10
        """
        match = _PATTERN.match(text.strip())
        if match is None:
            raise InvalidInputError(
                f"{text!r} is not a fixed-point type", next_step="write it like fixed<16,6>"
            )
        unsigned, width, integer, rounding, overflow = match.groups()
        kind = cls(int(width), int(integer), not unsigned, rounding or "RND", overflow or "SAT")
        if kind.rounding not in _ROUNDING or kind.overflow not in _OVERFLOW or not 1 <= kind.width <= 32:
            raise InvalidInputError(
                f"{text!r} is out of what can be built",
                next_step=f"use 1 to 32 bits, rounding {_ROUNDING}, overflow {_OVERFLOW}",
            )
        return kind

    @property
    def fraction(self) -> int:
        """Bits right of the point."""
        return self.width - self.integer

    def __str__(self) -> str:
        sign = "" if self.signed else "u"
        return f"{sign}fixed<{self.width},{self.integer},{self.rounding},{self.overflow}>"
