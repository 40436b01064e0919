"""Fixed-point types in hls4ml's notation: ``fixed<16,6>``, ``ufixed<8,0,RND,SAT>``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fpgaclass.core import InvalidInputError

_MODE = r"(?:,\s*(?:AP_)?(\w+)\s*)?"
_PATTERN = re.compile(r"(?:ap_)?(u?)fixed<\s*(\d+)\s*,\s*(-?\d+)\s*" + _MODE + _MODE + ">$")
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


@dataclass(frozen=True)
class Precisions:
    """The types of a whole model: one for all, and others for some layers.

    Attributes:
        default: for everything that is not named.
        layers: layer name -> what (``"weight"``, ``"bias"``, ``"result"``) -> type.
    """

    default: FixedPoint
    layers: Mapping[str, Mapping[str, FixedPoint]] = field(default_factory=dict)

    @classmethod
    def of(cls, precision: str | Mapping[str, Any]) -> Precisions:
        """Read a type, or hls4ml's configuration: ``{"Model": {"Precision": ...}, "LayerName": {...}}``.

        In a configuration, ``"auto"`` means the default, and what is not about precision is passed over.

        Example:
            >>> types = Precisions.of({"Model": {"Precision": "fixed<16,6>"},
            ...                        "LayerName": {"first": {"Precision": {"weight": "fixed<8,2>"}}}})
            >>> types.weight("first").width, types.result("first").width
            (8, 16)
        """
        if isinstance(precision, str):
            return cls(FixedPoint.parse(precision))
        given = precision.get("Model", {}).get("Precision", "fixed<16,6>")
        default = _types(given).get("default", FixedPoint.parse("fixed<16,6>"))
        layers = {
            name: _types(about["Precision"])
            for name, about in precision.get("LayerName", {}).items()
            if "Precision" in about
        }
        return cls(default, layers)

    def weight(self, layer: str) -> FixedPoint:
        """The type of a layer's weights."""
        return self._find(layer, "weight", "scale")

    def bias(self, layer: str) -> FixedPoint:
        """The type of a layer's biases."""
        return self._find(layer, "bias")

    def result(self, layer: str) -> FixedPoint:
        """The type that a layer's results are rounded to."""
        return self._find(layer, "result")

    def _find(self, layer: str, *names: str) -> FixedPoint:
        about = self.layers.get(layer, {})
        return next((about[name] for name in (*names, "default") if name in about), self.default)


def _types(given: str | Mapping[str, str]) -> dict[str, FixedPoint]:
    named = {"default": given} if isinstance(given, str) else given
    return {what: FixedPoint.parse(text) for what, text in named.items() if text not in ("auto", None)}
