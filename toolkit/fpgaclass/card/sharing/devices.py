"""Cards under pynq, real and virtual, take their turn in the queue of those who share them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fpgaclass.card.sharing.holding import hold, let_go


def ensure_devices_shared() -> None:
    """Make all of pynq's devices hold their card from ``download`` to ``close``, or to the process's end.

    It changes nothing where cards are not shared (no ``FPGACLASS_CARD_LOCKS``).
    """
    from pynq.pl_server.device import Device

    _wrap(Device, "__init__", _shared)


def _shared(make: Callable[..., Any]) -> Callable[..., Any]:
    """pynq imports its own kinds of devices as it looks for them: a class is known once it has a device."""

    @functools.wraps(make)
    def make_shared(device: Any, *args: Any, **kwargs: Any) -> None:
        for kind in type(device).__mro__:
            if "download" in vars(kind):
                _wrap(kind, "download", _held)
            if "close" in vars(kind):
                _wrap(kind, "close", _let_go)
        make(device, *args, **kwargs)

    return make_shared


def _wrap(kind: Any, name: str, around: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    method = getattr(kind, name)
    if not hasattr(method, "__wrapped__"):
        setattr(kind, name, around(method))


def _held(download: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(download)
    def download_held(device: Any, *args: Any, **kwargs: Any) -> Any:
        taken = hold(device.tag)
        try:
            return download(device, *args, **kwargs)
        except BaseException:
            if taken:
                let_go(device.tag)
            raise

    return download_held


def _let_go(close: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(close)
    def close_and_let_go(device: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return close(device, *args, **kwargs)
        finally:
            let_go(device.tag)

    return close_and_let_go
