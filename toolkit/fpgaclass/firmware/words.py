"""How events lie in a card's buffer: one integer word a value, one slot an event.

Word ``j`` holds ``floor(x[j] * 2**fraction[j])`` in two's complement. A slot is padded to a power of two
bytes (to a multiple of 64 bytes past one beat), so that an event never straddles a 512-bit beat of the bus
and the kernel needs no barrel shifter.

On a Zynq board a value may travel as a float instead, as hls4ml does it: 32 bits a value, nothing between two
events. The kernel then makes the same word of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import InvalidInputError
from fpgaclass.firmware.events import checked_events

BEAT_BYTES = 64
FLOAT = np.dtype(np.float32)
_WORD_BITS = (8, 16, 32)


@dataclass(frozen=True)
class Field:
    """One value's fixed-point format: sign bit (0 or 1), integer bits, fraction bits; all zero if unused."""

    sign: int
    integer: int
    fraction: int

    @property
    def width(self) -> int:
        """Bits in all; zero for an input that the network does not read."""
        return max(0, self.sign + self.integer + self.fraction)


@dataclass(frozen=True)
class WordFormat:
    """The layout of one side of a kernel (its input or its output).

    Attributes:
        fields: the format of each value of an event, in order.
        word_bits: 8, 16 or 32 in the kernel; the same for both of its sides.
        shape: the shape of one event as the model sees it.
        floats: a value lies in a buffer as a float, and the kernel converts it.
    """

    fields: tuple[Field, ...]
    word_bits: int
    shape: tuple[int, ...]
    floats: bool = False

    @property
    def slot_bytes(self) -> int:
        """Bytes from one event to the next, in a buffer."""
        if self.floats:
            return len(self.fields) * FLOAT.itemsize
        used = len(self.fields) * self.word_bits // 8
        if used <= BEAT_BYTES:
            return 1 << max(0, (used - 1).bit_length())
        return -(-used // BEAT_BYTES) * BEAT_BYTES

    @property
    def slot_words(self) -> int:
        """Words from one event to the next: the second axis of a packed buffer."""
        return self.slot_bytes // self.dtype.itemsize

    @property
    def core_bytes(self) -> int:
        """Bytes of an event in the kernel."""
        return self.slot_words * self.word_bits // 8

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type of a word in a buffer."""
        return FLOAT if self.floats else np.dtype(f"int{self.word_bits}")

    def encode(self, x: npt.ArrayLike) -> npt.NDArray[Any]:
        """Pack events: floats (n, \\*shape) become words (n, slot_words).

        A value beyond its field's range keeps its low bits, as the hardware would. Words that are floats are
        the values of the fields (exact up to 24 bits); of plain float32 events the kernel makes the same.

        Raises:
            InvalidInputError: the shape does not fit, or there are values that are not finite.
        """
        events = self.bounded(x)
        scale = np.exp2([field.fraction for field in self.fields])
        whole = np.floor(events * scale)
        if self.floats:
            span = np.exp2([field.width for field in self.fields])
            below = np.where([field.sign for field in self.fields], span / 2, 0)
            values: npt.NDArray[Any] = (np.mod(whole + below, span) - below) / scale
            return values.astype(self.dtype)
        words = np.zeros((len(events), self.slot_words), self.dtype)
        limit = 2.0 ** (self.word_bits - 1)
        if whole.size and (whole.max() >= limit or whole.min() < -limit):
            whole = np.mod(np.mod(whole, 2 * limit) + limit, 2 * limit) - limit
        words[:, : len(self.fields)] = whole.astype(self.dtype)
        return words

    def decode(self, words: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Unpack words (n, slot_words) into floats (n, \\*shape).

        Raises:
            InvalidInputError: their shape or their type does not fit.
        """
        raw = np.asarray(words)
        self._check_type(raw)
        if raw.ndim != 2 or raw.shape[1] != self.slot_words:
            raise InvalidInputError(
                f"words have shape {raw.shape}, not (n, {self.slot_words})",
                next_step="pass the buffer as the kernel wrote it",
            )
        if self.floats:
            return raw.astype(np.float32).reshape(-1, *self.shape)
        whole = raw[:, : len(self.fields)].astype(np.int64)
        unsigned = np.array([field.sign == 0 for field in self.fields])
        whole = np.where(unsigned, whole & ((1 << self.word_bits) - 1), whole)
        values = whole * np.exp2([-field.fraction for field in self.fields])
        return values.reshape(-1, *self.shape).astype(np.float32)

    def _check_type(self, raw: npt.NDArray[Any]) -> None:
        """Refuse words that would lose bits, as floats would that become integers."""
        if raw.dtype == self.dtype:
            return
        fits = raw.dtype.kind in ("iuf" if self.floats else "iu")
        if fits and not self.floats and raw.size:
            ends = np.iinfo(self.dtype)
            fits = ends.min <= int(raw.min()) and int(raw.max()) <= ends.max
        if not fits:
            raise InvalidInputError(
                f"words are of type {raw.dtype}, not {self.dtype}",
                next_step="pass the buffer as the kernel wrote it",
            )

    def out_of_range(self, x: npt.ArrayLike) -> int:
        """Count the events with a value that its field cannot hold, and that therefore wraps."""
        events = self.events(x)
        used = np.array([field.width > 0 for field in self.fields])
        high = np.exp2([field.integer for field in self.fields])
        low = np.array([-(2.0**field.integer) * field.sign for field in self.fields])
        return int((((events < low) | (events >= high)) & used).any(axis=1).sum())

    def bounded(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return checked events (n, values) in which what is far too large has wrapped already.

        A double of 2**52 and more has no low bits to be cut by floor, nor fits the host's integers.
        """
        events = self.events(x)
        span = np.exp2([field.sign + field.integer for field in self.fields])
        return np.fmod(events, span, out=events, where=np.abs(events) >= 2.0**31)

    def events(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Check events (n, \\*shape), round them to float32 as the model does, and flatten to (n, values).

        Raises:
            InvalidInputError: the shape does not fit, or there are values that are not finite.
        """
        events = checked_events(x, self.shape)
        return events.reshape(len(events), math.prod(self.shape)).astype(np.float64)


def word_bits_for(fields: Sequence[Field]) -> int:
    """Return the smallest word that holds every field.

    Raises:
        InvalidInputError: a value needs more than 32 bits.
    """
    widest = max(field.width for field in fields)
    for bits in _WORD_BITS:
        if widest <= bits:
            return bits
    raise InvalidInputError(
        f"a value of the model needs {widest} bits, a word holds {_WORD_BITS[-1]}",
        next_step="quantise the inputs and outputs to 32 bits or fewer",
    )
