"""Pictures that a student put into a text, as Jupyter keeps them in the cell: a person marks by them."""

from __future__ import annotations

import re
from typing import Any

_KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*\Z")
_NAME = re.compile(r"[\w .()-]{1,200}\Z")


def pictures_of(cell: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return a cell's attachments: pictures under plain names, and nothing else.

    Example:
        >>> pictures_of({"attachments": {"plot.png": {"image/png": "iVBO"}, "x.html": {"text/html": "<b>"}}})
        {'plot.png': {'image/png': 'iVBO'}}
    """
    given = cell.get("attachments")
    found: dict[str, dict[str, str]] = {}
    for name, bundle in given.items() if isinstance(given, dict) else ():
        if not isinstance(bundle, dict) or not _NAME.match(str(name)):
            continue
        kept = {kind: bundle[kind] for kind in _KINDS if isinstance(bundle.get(kind), str)}
        kept = {kind: data for kind, data in kept.items() if _BASE64.match(data)}
        if kept:
            found[str(name)] = kept
    return found
