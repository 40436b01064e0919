"""Plain values on the way out of a process that is not trusted.

Numbers, text, bytes, arrays, dates, and containers of them go by value; a Keras model by configuration and
weights. Everything else (functions, classes, objects of classes of one's own) goes as a *handle*: it stays
where it is, and the other side can call it and read from it, but gets plain values only.
"""

from __future__ import annotations

import builtins
import datetime as dates
import decimal
import fractions
import inspect
import re
import sys
import types
from collections import Counter, OrderedDict, deque, namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fpgaclass.engine.wire import WireError

_DTYPE = re.compile(r"[<>|=]?[biufcSUMm]\d+(\[\d*\w+\])?\Z")
_DEEPEST = 100
_MOST = 3_000_000
_SEQUENCES: dict[str, Callable[..., Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": deque,
}
_MAPPINGS: dict[str, Callable[..., Any]] = {"dict": dict, "OrderedDict": OrderedDict, "Counter": Counter}
_DATES: dict[str, Any] = {"datetime": dates.datetime, "date": dates.date, "time": dates.time}

Buffer = bytes | bytearray | memoryview


class Encoder:
    """Turn values into a JSON tree and buffers; what cannot go by value becomes a handle.

    Args:
        handle: keeps an object and returns the number by which it can be asked for.
    """

    def __init__(self, handle: Callable[[Any], int]) -> None:
        self._handle = handle
        self.buffers: list[Buffer] = []

    def encode(self, value: Any, depth: int = 0) -> Any:
        """Return the tree of one value."""
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if depth > _DEEPEST:
            raise ValueError("a value is nested too deeply")
        if kind in (list, tuple, set, frozenset, deque):
            return {"t": kind.__name__, "v": [self.encode(one, depth + 1) for one in value]}
        if kind in (dict, OrderedDict, Counter):
            pairs = [[self.encode(k, depth + 1), self.encode(v, depth + 1)] for k, v in value.items()]
            return {"t": kind.__name__, "v": pairs}
        for attempt in (self._numeric, self._other, self._library):
            tree = attempt(value, depth)
            if tree is not None:
                return tree
        return self._object(value, depth)

    def _numeric(self, value: Any, depth: int) -> Any:
        if isinstance(value, np.ndarray):
            array = np.asarray(value)
            if array.dtype.kind == "O":
                items = [self.encode(one, depth + 1) for one in array.ravel().tolist()]
                return {"t": "objects", "s": list(array.shape), "v": items}
            if _DTYPE.match(array.dtype.str):
                return self._array("array", array)
        if isinstance(value, np.generic) and _DTYPE.match(value.dtype.str):
            return self._array("scalar", np.asarray(value))
        return None

    def _array(self, tag: str, array: Any) -> Any:
        self.buffers.append(np.ascontiguousarray(array).tobytes())
        return {"t": tag, "d": array.dtype.str, "s": list(array.shape), "b": len(self.buffers) - 1}

    def _other(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in (bytes, bytearray):
            self.buffers.append(bytes(value))
            return {"t": kind.__name__, "b": len(self.buffers) - 1}
        if kind is complex:
            return {"t": "complex", "v": [value.real, value.imag]}
        if kind in (range, slice):
            return {"t": kind.__name__, "v": [self.encode(n) for n in (value.start, value.stop, value.step)]}
        if kind is fractions.Fraction:
            return {"t": "fraction", "v": [value.numerator, value.denominator]}
        if kind is decimal.Decimal:
            return {"t": "decimal", "v": str(value)}
        if kind.__name__ in _DATES and kind is _DATES[kind.__name__]:
            return {"t": kind.__name__, "v": value.isoformat()}
        if kind is dates.timedelta:
            return {"t": "timedelta", "v": [value.days, value.seconds, value.microseconds]}
        if value is Ellipsis:
            return {"t": "ellipsis"}
        if isinstance(value, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
            items = [self.encode(one, depth + 1) for one in tuple(value)]
            return {"t": "namedtuple", "n": kind.__name__, "f": list(kind._fields), "v": items}
        return None

    def _library(self, value: Any, depth: int) -> Any:
        package = (type(value).__module__ or "").partition(".")[0]
        if package == "tensorflow" and callable(getattr(value, "numpy", None)):
            return self.encode(value.numpy(), depth + 1)
        if "keras" in sys.modules and isinstance(value, sys.modules["keras"].Model):
            from fpgaclass.engine.models import describe

            found = describe(value)
            if found is not None:
                text, weights = found
                return {"t": "model", "c": text, "w": [self.encode(np.asarray(one)) for one in weights]}
        return None

    def _object(self, value: Any, depth: int) -> Any:
        for plain in (int, float, str):  # a subclass is worth what its base is worth
            if isinstance(value, plain):
                return plain(value)
        for name in ("list", "tuple", "set", "frozenset"):
            base: Any = _SEQUENCES[name]
            if isinstance(value, base):
                return {"t": name, "v": [self.encode(one, depth + 1) for one in base.__iter__(value)]}
        if isinstance(value, dict):
            return {"t": "dict", "v": [[self.encode(k), self.encode(v)] for k, v in dict.items(value)]}
        tree: dict[str, Any] = {"t": "handle", "h": self._handle(value), "n": type(value).__name__}
        if isinstance(value, type):
            tree |= {"k": "class", "n": value.__name__}
            if issubclass(value, BaseException):
                tree |= {"k": "exception", "m": self._ancestry(value)}
        elif isinstance(value, types.FunctionType | types.MethodType):
            tree |= {"k": "function", "n": value.__name__, "p": _parameters(value), "doc": value.__doc__}
        elif callable(value):
            tree["k"] = "callable"
        return tree

    def _ancestry(self, error: type[BaseException]) -> list[Any]:
        """Return the classes of an exception, itself first: handles, and at last a builtin's name."""
        found: list[Any] = []
        for one in error.__mro__:
            if getattr(builtins, one.__name__, None) is one:
                return [*found, one.__name__]
            found.append([self._handle(one), one.__name__])
        return found

    def error(self, raised: BaseException) -> Any:
        """Return the tree of an exception: its classes, its text, and its arguments where they are plain."""
        try:
            text = str(raised)[:10_000]
        except Exception:
            text = "(its text cannot be shown)"
        return {"m": self._ancestry(type(raised)), "text": text}


def _parameters(function: Any) -> list[list[Any]] | None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    return [
        [one.name, int(one.kind), one.default is not inspect.Parameter.empty]
        for one in signature.parameters.values()
    ]


class Decoder:
    """Turn a tree that somebody untrusted sent into plain values; nothing in it is executed.

    Args:
        buffers: the message's buffers.
        remote: makes the stand-in of a handle.
    """

    def __init__(self, buffers: Sequence[Buffer], remote: Callable[[dict[str, Any]], Any]) -> None:
        self._buffers = buffers
        self._remote = remote
        self._count = 0

    def decode(self, tree: Any) -> Any:
        """Return the value of a tree.

        Raises:
            WireError: the tree is not one that `Encoder` makes.
        """
        try:
            return self._decode(tree)
        except WireError:
            raise
        except Exception as trouble:
            raise WireError(f"a value that cannot be read ({type(trouble).__name__})") from trouble

    def _decode(self, tree: Any) -> Any:
        self._count += 1
        if self._count > _MOST:
            raise WireError("a value with too many parts")
        if tree is None or type(tree) in (bool, int, float, str):
            return tree
        tag = tree["t"]
        if tag in _SEQUENCES:
            return _SEQUENCES[tag](self._decode(one) for one in tree["v"])
        if tag in _MAPPINGS:
            return _MAPPINGS[tag]({self._decode(k): self._decode(v) for k, v in tree["v"]})
        if tag in ("array", "scalar"):
            array = self._array(tree)
            return array if tag == "array" else array[()]
        if tag == "handle":
            return self._remote(tree)
        if tag in _DATES:
            return _DATES[tag].fromisoformat(tree["v"])
        return getattr(self, f"_{tag}_of")(tree) if re.fullmatch(r"[a-z]+", tag) else self._refuse(tag)

    def _refuse(self, tag: Any) -> Any:
        raise WireError(f"a value of an unknown kind {str(tag)[:40]!r}")

    def _array(self, tree: Any) -> Any:
        if not _DTYPE.match(tree["d"]):
            self._refuse(tree["d"])
        shape = tuple(int(n) for n in tree["s"])
        # Copied: what arrives is read-only, and what a check gets it may change.
        return np.frombuffer(self._buffers[tree["b"]], dtype=tree["d"]).reshape(shape).copy()

    def _objects_of(self, tree: Any) -> Any:
        array = np.empty(len(tree["v"]), dtype=object)
        for n, one in enumerate(tree["v"]):
            array[n] = self._decode(one)
        return array.reshape(tuple(int(n) for n in tree["s"]))

    def _bytes_of(self, tree: Any) -> Any:
        return bytes(self._buffers[tree["b"]])

    def _bytearray_of(self, tree: Any) -> Any:
        return bytearray(self._buffers[tree["b"]])

    def _complex_of(self, tree: Any) -> Any:
        return complex(*tree["v"])

    def _range_of(self, tree: Any) -> Any:
        return range(*tree["v"])

    def _slice_of(self, tree: Any) -> Any:
        return slice(*(self._decode(one) for one in tree["v"]))

    def _fraction_of(self, tree: Any) -> Any:
        return fractions.Fraction(*tree["v"])

    def _decimal_of(self, tree: Any) -> Any:
        return decimal.Decimal(tree["v"])

    def _timedelta_of(self, tree: Any) -> Any:
        return dates.timedelta(*tree["v"])

    def _ellipsis_of(self, tree: Any) -> Any:  # noqa: ARG002 - one signature for all kinds
        return Ellipsis

    def _namedtuple_of(self, tree: Any) -> Any:
        return namedtuple(tree["n"], tree["f"])(*(self._decode(one) for one in tree["v"]))

    def _model_of(self, tree: Any) -> Any:
        from fpgaclass.engine.models import rebuild

        return rebuild(tree["c"], [self._decode(one) for one in tree["w"]])
