"""Waveforms: a VCD file read back, and drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from fpgaclass.core import InvalidInputError, ToolMissingError

if TYPE_CHECKING:
    from fpgaclass.core.figure import DescribedFigure

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}


@dataclass(frozen=True)
class Signal:
    """One signal over time.

    Attributes:
        name: with its scopes, such as ``"kernel.ap_start"``.
        width: bits.
        times: of its changes, in seconds, ascending.
        values: from each of these times on; None where it is not known.
    """

    name: str
    width: int
    times: tuple[float, ...]
    values: tuple[int | None, ...]

    def at(self, time: float) -> int | None:
        """Return the value at a time in seconds, None before the first change."""
        position = bisect_right(self.times, time) - 1
        return self.values[position] if position >= 0 else None


@dataclass(frozen=True)
class Waveform:
    """The signals of a VCD file.

    Attributes:
        path: of the file.
        signals: by name.
        end: the last time in it, in seconds.
    """

    path: Path
    signals: dict[str, Signal]
    end: float

    @classmethod
    def read(cls, path: str | Path) -> Waveform:
        """Read a VCD file.

        Raises:
            InvalidInputError: it cannot be read, or is not one.
            ToolMissingError: pyvcd is not installed.
        """
        try:
            from vcd.reader import TokenKind, VCDParseError, tokenize
        except ImportError as error:
            next_step = "pip install pyvcd"
            raise ToolMissingError("pyvcd is not installed", next_step=next_step) from error
        scopes: list[str] = []
        names: dict[str, tuple[str, int]] = {}
        changes: dict[str, list[tuple[float, int | None]]] = {}
        unit, now = 1e-12, 0.0
        try:
            with Path(path).open("rb") as file:
                for token in tokenize(file):
                    if token.kind is TokenKind.TIMESCALE:
                        unit = int(token.timescale.magnitude) * _UNITS[token.timescale.unit.value]
                    elif token.kind is TokenKind.SCOPE:
                        scopes.append(token.scope.ident)
                    elif token.kind is TokenKind.UPSCOPE:
                        scopes.pop()
                    elif token.kind is TokenKind.VAR:
                        names[token.var.id_code] = (".".join([*scopes, token.var.reference]), token.var.size)
                        changes.setdefault(token.var.id_code, [])
                    elif token.kind is TokenKind.CHANGE_TIME:
                        now = token.time_change * unit
                    elif token.kind is TokenKind.CHANGE_SCALAR:
                        changes[token.scalar_change.id_code].append((now, _known(token.scalar_change.value)))
                    elif token.kind is TokenKind.CHANGE_VECTOR:
                        changes[token.vector_change.id_code].append((now, _known(token.vector_change.value)))
        except OSError as error:
            raise InvalidInputError(f"it cannot be read: {error.strerror}", where=str(path)) from error
        except (IndexError, KeyError, UnicodeError, ValueError, VCDParseError) as error:
            raise InvalidInputError(f"this is not a VCD file ({error})", where=str(path)) from error
        signals = {}
        for code, (name, width) in names.items():
            times = tuple(time for time, _ in changes[code])
            signals[name] = Signal(name, width, times, tuple(value for _, value in changes[code]))
        if not signals:
            raise InvalidInputError("this is not a VCD file: it has no signals", where=str(path))
        return cls(Path(path), signals, now)

    def find(self, name: str) -> Signal:
        """Return a signal by its name or by the end of it, such as ``"ap_start"``; the outermost of several.

        Raises:
            InvalidInputError: there is none, or there are several side by side.
        """
        if name in self.signals:
            return self.signals[name]
        found = sorted((full for full in self.signals if full.endswith(f".{name}")), key=_depth)
        if len(found) == 1 or (found and _depth(found[0]) < _depth(found[1])):
            return self.signals[found[0]]
        what = f"several signals are called {name}" if found else f"there is no signal {name}"
        ends = {full.rpartition(".")[2]: full for full in self.signals}
        close = found[:5] or [ends[end] for end in get_close_matches(name, ends, 5)]
        near = f"use one of {', '.join(close)}" if close else "look at .signals"
        raise InvalidInputError(what, where=str(self.path), next_step=near)

    def plot(
        self, names: Sequence[str] = (), *, first_s: float = 0.0, last_s: float | None = None
    ) -> DescribedFigure:
        """Draw signals against time.

        Args:
            names: as for ``find``; the control and handshake signals of a kernel when ().
            first_s: seconds at the left edge.
            last_s: seconds at the right edge; the end when None.

        Returns:
            A matplotlib figure; its ``alt_text`` says in words what it shows.

        Raises:
            InvalidInputError: no such signal, or an empty stretch of time.
        """
        from fpgaclass.card.waves.plot import draw

        return draw(self, names, first_s, self.end if last_s is None else last_s)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.plot()._repr_mimebundle_(include, exclude)


def _depth(name: str) -> int:
    return name.count(".")


def _known(value: object) -> int | None:
    if isinstance(value, int):
        return value
    text = str(value)
    return int(text, 2) if text and set(text) <= {"0", "1"} else None
