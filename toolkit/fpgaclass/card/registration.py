"""The virtual card joins pynq as soon as pynq is imported, and costs nothing where it never is.

pynq asks its device classes once, at the first ``Device.devices``: a class that comes later is not seen. It
also takes half a second to import, which whoever only builds firmware should not pay.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_DEVICES, _PYXRT = ("fpgaclass.card.device", "fpgaclass.card.zynq.device"), "fpgaclass.card.xrt.pyxrt_card"


class _PynqLoader(importlib.abc.Loader):
    """Runs pynq's own loader, then imports our device."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
            if module.__spec__ is not None:
                module.__spec__.loader = module.__loader__ = self._loader
            self._loader.exec_module(module)
            _register()


class _PynqFinder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "pynq":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _PynqLoader(spec.loader)
        return spec


def ensure_registered() -> None:
    """Register the virtual card with pynq: now if pynq is imported, else when it is."""
    if sys.modules.get("pynq") is not None:
        _register()
    elif not any(isinstance(finder, _PynqFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _PynqFinder())


def _register() -> None:
    for device in _DEVICES:
        importlib.import_module(device)
    if importlib.util.find_spec("pyxrt") is not None:
        importlib.import_module(_PYXRT)
    from fpgaclass.card.sharing.devices import ensure_devices_shared

    ensure_devices_shared()
