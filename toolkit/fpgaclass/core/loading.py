"""Modules that are files and belong to no package: a sweep's factory, a benchmark, a driver."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load_file(name: str, path: Path) -> ModuleType:
    """Import a file as the module ``name``, which pickles and dataclasses then find.

    Raises:
        Exception: whatever the file's own code raises; nothing of it stays behind.
    """
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
