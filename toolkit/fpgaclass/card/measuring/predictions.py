"""What a kernel answered, small enough to travel with a measurement and exact enough to compare."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import InvalidInputError, digest_of

KEPT = 1024
_LARGEST = 1 << 26


@dataclass(frozen=True)
class Predictions:
    """The results of a batch: a digest of all of them, and the words of the first ones.

    Attributes:
        events: how many there were.
        words: words of a result.
        dtype: of a word.
        sent: SHA-256 (hex) of the events that went in.
        digest: SHA-256 (hex) of the results.
        first: the first results (at most 1,024 events), zlib and base64.
    """

    events: int
    words: int
    dtype: str
    sent: str
    digest: str
    first: str

    @classmethod
    def of(cls, sent: npt.NDArray[Any], results: npt.NDArray[Any]) -> Predictions:
        """Take them of the events (n, words_in) that went in and the results (n, words_out) that came out."""
        kept = np.ascontiguousarray(results[:KEPT])
        return cls(
            events=len(results),
            words=results.shape[1],
            dtype=results.dtype.name,
            sent=digest_of(np.ascontiguousarray(sent).tobytes()),
            digest=digest_of(np.ascontiguousarray(results).tobytes()),
            first=base64.b64encode(zlib.compress(kept.tobytes(), 9)).decode(),
        )

    def kept(self) -> npt.NDArray[Any]:
        """Return the first results, shape (at most 1,024, words).

        Raises:
            InvalidInputError: the text is damaged.
        """
        try:
            packed = zlib.decompressobj()
            raw = packed.decompress(base64.b64decode(self.first, validate=True), _LARGEST)
            words = np.frombuffer(raw, np.dtype(self.dtype)).reshape(-1, self.words)
        except (binascii.Error, TypeError, ValueError, zlib.error) as error:
            raise InvalidInputError(f"the predictions are damaged ({error})") from error
        if len(words) != min(self.events, KEPT):
            raise InvalidInputError(f"{len(words)} of {self.events} predictions are not the first ones")
        return words

    def first_difference(self, other: Predictions) -> int | None:
        """Return the index of the first event in which two runs differ, or None.

        Only events whose words were kept, in both, can be told apart; the digests cover the rest: runs that
        differ later give the first index that was not kept.

        Raises:
            InvalidInputError: the runs did not get the same events, or answer in another format.
        """
        if (self.words, self.dtype) != (other.words, other.dtype):
            raise InvalidInputError("their results have other words")
        if self.events == other.events:
            if self.sent != other.sent:
                raise InvalidInputError("they did not get the same events")
            if self.digest == other.digest:
                return None
        mine, theirs = self.kept(), other.kept()
        common = min(len(mine), len(theirs))
        differs = (mine[:common] != theirs[:common]).any(axis=1)
        if differs.any():
            return int(differs.argmax())
        return common if self.events == other.events else None
