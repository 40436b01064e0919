"""Functions of a file that is no installed module: ``sweep.py:train``, here and in the workers of a sweep."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from fpgaclass.core import InvalidInputError, load_file
from fpgaclass.firmware.nearest import did_you_mean

# A file may be called json.py, or 2026-muons.py: it gets a name that no other module has.
_PREFIX = "fpgaclass_sweep_"


def read_function(text: str, usual: str) -> Callable[..., Any]:
    """Return the function that ``file.py:name`` names.

    Args:
        text: file and name; the name may be left out.
        usual: the name if none is given.

    Raises:
        InvalidInputError: no such file or function, or the file cannot be imported.
    """
    file, _, name = text.partition(":")
    path, name = Path(file), name or usual
    if path.suffix != ".py" or not path.is_file():
        raise InvalidInputError(
            f"there is no module {file!r}", where=str(path.absolute()), next_step=f"give module.py:{usual}"
        )
    module = _module(path.resolve())
    found = getattr(module, name, None)
    if not callable(found):
        callables = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        close = did_you_mean(name, callables)
        raise InvalidInputError(
            f"{file} has no function {name!r}", next_step=close or f"define it, or give module.py:{usual}"
        )
    function: Callable[..., Any] = found
    return function


def files_of(functions: Iterable[Any]) -> dict[str, str]:
    """Return module name -> file of those of the functions that ``read_function`` found."""
    names = {str(getattr(function, "__module__", "")) for function in functions}
    return {name: str(sys.modules[name].__file__) for name in sorted(names) if name.startswith(_PREFIX)}


def load_beside(name: str, path: Path) -> ModuleType:
    """Import a file as the module ``name``; what lies beside it can be imported by it."""
    # At the end: a neighbour that is called as an installed package is must not stand in for it.
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    return load_file(name, path)


def _module(path: Path) -> ModuleType:
    stem = name = _PREFIX + re.sub(r"\W", "_", path.stem)
    count = 1
    while name in sys.modules:
        if sys.modules[name].__file__ == str(path):
            return sys.modules[name]
        count += 1
        name = f"{stem}_{count}"
    try:
        return load_beside(name, path)
    except Exception as bad:  # whatever the file's own code raises
        line = bad.lineno if isinstance(bad, SyntaxError) else _line(bad, path)
        raise InvalidInputError(
            f"{path.name} cannot be imported: {type(bad).__name__}: {' '.join(str(bad).split())}",
            where=f"{path}, line {line}" if line else str(path),
            next_step="see that python runs it",
        ) from bad


def _line(bad: BaseException, path: Path) -> int | None:
    """Return the last line of the file that an exception went through."""
    trace, line = bad.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
