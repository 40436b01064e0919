"""When is a point of a sweep the same one: a digest of what its functions do and of the data they use."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from fpgaclass.core import InvalidInputError, digest_of


def setting_text(setting: Mapping[str, Any]) -> str:
    """Return a setting as JSON with sorted keys; numpy's numbers count as Python's.

    Raises:
        InvalidInputError: a key is not a word, or a value is not a number, a word, or a list of these.
    """
    try:
        if not all(isinstance(key, str) and key.isidentifier() for key in setting):
            raise TypeError("its keys must be names of arguments of `train`")
        return json.dumps(dict(setting), sort_keys=True, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as bad:
        raise InvalidInputError(
            f"{setting!r} is not a setting: {bad}",
            next_step="use numbers, words, and lists of these; make objects inside `train`",
        ) from bad


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be written down")


def fingerprint(function: Any) -> str:
    """Return a digest (hex) of what a function does and of the values it takes from outside itself.

    Counted are its compiled code (so that a comment changes nothing), its defaults, and whatever it refers
    to: numbers, text, arrays, dataclasses, and functions of the same module or notebook, with all that these
    refer to. Of anything else (a library's function, a model) only the name or type counts.
    """
    return digest_of(*_parts(function, getattr(function, "__module__", None), set()))


def _parts(value: Any, home: str | None, seen: set[int]) -> Iterator[bytes | str]:
    if id(value) in seen:
        return
    if isinstance(value, (bool, int, float, complex, str, bytes, type(None), np.generic)):
        yield f"{type(value).__name__} {value!r}"
        return
    seen.add(id(value))
    if isinstance(value, FunctionType) and (value.__module__ == home or "<locals>" in value.__qualname__):
        yield from _function_parts(value, home, seen)
    elif isinstance(value, functools.partial):
        yield from _parts((value.func, value.args, value.keywords), home, seen)
    elif isinstance(value, np.ndarray):
        yield f"array {value.dtype} {value.shape}"
        yield repr(value.tolist()) if value.dtype.hasobject else np.ascontiguousarray(value).tobytes()
    elif isinstance(value, (list, tuple)):
        yield f"{type(value).__name__} {len(value)}"
        for item in value:
            yield from _parts(item, home, seen)
    elif isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            yield repr(key)
            yield from _parts(value[key], home, seen)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value).__qualname__
        for field in dataclasses.fields(value):
            yield from _parts(getattr(value, field.name), home, seen)
    elif isinstance(value, ModuleType):
        yield value.__name__
    else:
        named = value if hasattr(value, "__qualname__") else type(value)
        yield f"{getattr(named, '__module__', '')}.{named.__qualname__}"


def _function_parts(function: FunctionType, home: str | None, seen: set[int]) -> Iterator[bytes | str]:
    yield from _code_parts(function.__code__)
    yield from _parts(function.__defaults__, home, seen)
    yield from _parts(function.__kwdefaults__, home, seen)
    for cell in function.__closure__ or ():
        try:
            inside = cell.cell_contents
        except ValueError:  # a name that is given its value only later
            continue
        yield from _parts(inside, home, seen)
    for name in sorted(_names(function.__code__) & function.__globals__.keys()):
        yield name
        yield from _parts(function.__globals__[name], home, seen)


def _code_parts(code: CodeType) -> Iterator[bytes | str]:
    yield code.co_code
    yield repr(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_parts(constant)
        else:
            yield repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant)


def _names(code: CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)
