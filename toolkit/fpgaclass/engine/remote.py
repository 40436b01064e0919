"""Stand-ins, in the checking process, for what lives in the student's process.

They can be called, read and iterated over, and give plain values. What they cannot do is take part in a
check themselves: comparing one with a value, or asking for its truth, raises `NotPlainError`, since an
object of a student's own could answer anything. That is what an object that equals everything runs into.
"""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Protocol

_KINDS = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD,
)


class NotPlainError(AssertionError):
    """A check needs a number, a text, an array or the like, and the notebook has an object instead."""


class Line(Protocol):
    """What a stand-in needs of the line to the student's process.

    Attributes:
        lengths: what stand-ins, by number, said of their length since anything of the student's was called.
    """

    lengths: dict[int, int]

    def ask(self, op: str, payload: Any = ..., **header: Any) -> Any: ...
    def call(self, number: int, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any: ...
    def iterate(self, number: int) -> Iterator[Any]: ...


class Remote:
    """An object in the student's process."""

    __slots__ = ("_line", "_number", "_type")

    def __init__(self, line: Line, number: int, type_name: str) -> None:
        object.__setattr__(self, "_line", line)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_type", type_name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__enter__", "__exit__", "__name__", "__doc__"):
            raise AttributeError(f"'{self._type}' has no {name} that a check could use")
        return self._line.ask("attribute", h=self._number, name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._line.ask("assign", payload=value, h=self._number, name=name)

    def __getitem__(self, key: Any) -> Any:
        return self._line.ask("item", payload=key, h=self._number)

    def __len__(self) -> int:
        told = self._line.lengths[self._number] = int(self._line.ask("length", h=self._number))
        return told

    def __iter__(self) -> Iterator[Any]:
        count = 0
        for value in self._line.iterate(self._number):
            count += 1
            yield value
        told = self._line.lengths.get(self._number, count)
        if told != count:  # three by its length, and a loop over it looks at none
            raise NotPlainError(
                f"the notebook has a {self._type} of length {told} that yields {count} values"
            )

    def __float__(self) -> float:
        return float(self._convert("float", float))

    def __int__(self) -> int:
        return int(self._convert("int", int))

    def __complex__(self) -> complex:
        return complex(self._convert("complex", complex))

    def __str__(self) -> str:
        return str(self._convert("str", str))

    def __repr__(self) -> str:
        return str(self._convert("repr", str))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        import numpy as np

        array = self._convert("array", np.ndarray)
        return array if dtype is None else array.astype(dtype)

    def _convert(self, to: str, kind: type) -> Any:
        value = self._line.ask("convert", h=self._number, to=to)
        if not isinstance(value, kind) or getattr(getattr(value, "dtype", None), "kind", "") == "O":
            raise NotPlainError(f"the notebook has a {self._type} where a plain value is needed")
        return value

    def __hash__(self) -> int:
        return hash(self._number)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Remote):
            return bool(self._line.ask("equal", h=self._number, **{"with": other._number}) is True)
        return self._refuse("compared")

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __instancecheck__(self, instance: object) -> bool:
        if not isinstance(instance, Remote):
            return False
        return bool(self._line.ask("instance", h=instance._number, of=self._number) is True)

    def _refuse(self, what: str) -> bool:
        raise NotPlainError(
            f"the notebook has a {self._type} where a plain value is needed, and that cannot be {what}"
        )

    def __bool__(self) -> bool:
        return self._refuse("taken for true or false")

    def __lt__(self, other: object) -> bool:
        return self._refuse("compared")

    __le__ = __gt__ = __ge__ = __lt__


class RemoteCallable(Remote):
    """An object in the student's process that can be called: a class, a method, a function of a library."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._line.call(self._number, arguments, keywords)

    def __bool__(self) -> bool:
        return True


def remote_function(line: Line, number: int, tree: dict[str, Any]) -> Callable[..., Any]:
    """Return a function that calls one of the student's; it has its name, signature and description."""

    def function(*arguments: Any, **keywords: Any) -> Any:
        return line.call(number, arguments, keywords)

    function.__name__ = function.__qualname__ = str(tree.get("n"))[:100]
    function.__doc__ = tree["doc"][:10_000] if isinstance(tree.get("doc"), str) else None
    function.__module__ = "__main__"
    try:
        kinds: dict[int, Any] = {int(kind): kind for kind in _KINDS}
        parameters = [
            inspect.Parameter(name, kinds[kind], default=... if default else inspect.Parameter.empty)
            for name, kind, default in tree["p"]
        ]
        function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    except (KeyError, TypeError, ValueError, IndexError):
        pass
    return function


_LOOPS_END_WITH = (StopIteration, StopAsyncIteration)


def builtin_error(name: Any) -> type[Exception]:
    """Return a builtin exception by name; what would end a process, or a loop, becomes a RuntimeError.

    ``all(map(f, cases))`` is true at once when ``f`` raises StopIteration: no case has been looked at.
    """
    found = getattr(builtins, name, None) if isinstance(name, str) else None
    if isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, _LOOPS_END_WITH):
        return found
    return RuntimeError
