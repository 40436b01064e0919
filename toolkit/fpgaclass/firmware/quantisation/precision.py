"""Fixed-point types in hls4ml's notation: ``fixed<16,6>``, ``ufixed<8,0,RND,SAT>``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fpgaclass.core import InvalidInputError

HOW = "write it like fixed<16,6>: the bits in all, and how many of them are left of the point"
_MODE = r"(?:,\s*(?:AP_)?(\w+)\s*)?"
_PATTERN = re.compile(r"(?:ap_)?(u?)fixed<\s*(\d+)\s*,\s*(-?\d+)\s*" + _MODE + _MODE + ">$")
_ROUNDING = ("TRN", "RND", "RND_CONV")
_OVERFLOW = ("WRAP", "SAT", "SAT_SYM")
_FARTHEST = 64  # places between the point and a type's first bit, on either side


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
    def parse(cls, text: str | FixedPoint) -> FixedPoint:
        """Read hls4ml's notation; what it leaves out is RND and SAT here, not HLS' TRN and WRAP.

        Wrapping is what costs a post-training network its accuracy: a single value out of range flips sign.

        Example:
            >>> FixedPoint.parse("fixed<16,6>").fraction
            10

        Raises:
            InvalidInputError: it is no such type, or one that cannot be built.
        """
        match = _PATTERN.match(text.strip()) if isinstance(text, str) else None
        if isinstance(text, FixedPoint):
            kind = text
        elif match is None:
            raise InvalidInputError(f"{text!r} is not a fixed-point type", next_step=HOW)
        else:
            unsigned, width, integer, rounding, overflow = match.groups()
            kind = cls(int(width), int(integer), not unsigned, rounding or "RND", overflow or "SAT")
        sizes = 1 <= kind.width <= 32 and abs(kind.integer) <= _FARTHEST
        if kind.rounding not in _ROUNDING or kind.overflow not in _OVERFLOW or not sizes:
            raise InvalidInputError(
                f"{str(text)!r} is out of what can be built",
                next_step=f"use 1 to 32 bits, rounding {', '.join(_ROUNDING)}, "
                f"overflow {', '.join(_OVERFLOW)}",
            )
        return kind

    @property
    def fraction(self) -> int:
        """Bits right of the point."""
        return self.width - self.integer

    @property
    def low(self) -> float:
        """Smallest value."""
        return -(2.0 ** (self.integer - 1)) if self.signed else 0.0

    @property
    def high(self) -> float:
        """Largest value."""
        return 2.0 ** (self.integer - self.signed) - 2.0**-self.fraction

    def wider(self, bits: int) -> FixedPoint:
        """Return the type with more integer bits."""
        return replace(self, width=self.width + bits, integer=self.integer + bits)

    def __str__(self) -> str:
        sign = "" if self.signed else "u"
        return f"{sign}fixed<{self.width},{self.integer},{self.rounding},{self.overflow}>"


def covering(kinds: Sequence[FixedPoint]) -> FixedPoint:
    """Return a type that holds every value of each of the types."""
    integer = max(kind.integer + (not kind.signed) for kind in kinds)
    fraction = max(kind.fraction for kind in kinds)
    if all(kind == kinds[0] for kind in kinds):
        return kinds[0]
    return FixedPoint(integer + fraction, integer, True, kinds[0].rounding, kinds[0].overflow)
