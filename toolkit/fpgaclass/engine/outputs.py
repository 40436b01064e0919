"""Outputs of cells that come over the line: taken apart and put together again, whatever they were."""

from __future__ import annotations

import re
from typing import Any

from fpgaclass.engine.wire import is_deep

_DEEPEST = 19
_PICTURES = ("image/png", "image/jpeg")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*\Z")
_SHORT = 1000
_WORDS = re.compile(r"[^\"'<>&`=]{0,2000}\Z")


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def error_output(name: str, text: str, lines: list[str]) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": lines}


def _fits(kind: str, part: Any) -> bool:
    """Tell whether nbformat allows this as data of a MIME type: text, or JSON where that says so."""
    if kind.endswith("json"):
        return not is_deep(part, _DEEPEST)  # what reads notebooks calls itself for each
    if kind in _PICTURES:
        return isinstance(part, str) and _BASE64.match(part) is not None
    return isinstance(part, str) or (isinstance(part, list) and all(isinstance(line, str) for line in part))


def _about(metadata: Any, depth: int = 0) -> dict[str, Any]:
    """Return what may be said about an output: widths and the like; pages take it into tags as it is."""
    if not isinstance(metadata, dict) or depth > 2:
        return {}
    kept = {
        key: _about(value, depth + 1) if isinstance(value, dict) else value
        for key, value in metadata.items()
        if isinstance(value, dict | int | float) or (isinstance(value, str) and _WORDS.match(value))
    }
    return {key: value for key, value in kept.items() if _WORDS.match(key)}


def clean_output(output: Any) -> dict[str, Any] | None:
    """Return an output that has exactly the fields of its kind, or None."""
    if not isinstance(output, dict):
        return None
    kind = output.get("output_type")
    if (
        kind == "stream"
        and output.get("name") in ("stdout", "stderr")
        and isinstance(output.get("text"), str)
    ):
        return {"output_type": kind, "name": output["name"], "text": output["text"]}
    if kind == "error":
        lines = [str(line) for line in as_list(output.get("traceback"))]
        return error_output(str(output.get("ename")), str(output.get("evalue")), lines)
    if kind in ("display_data", "execute_result"):
        data, metadata = output.get("data"), output.get("metadata")
        if not isinstance(data, dict):
            return None
        cleaned = {
            "output_type": kind,
            "data": {key: part for key, part in data.items() if _fits(key, part)},
            "metadata": _about(metadata),
        }
        if not cleaned["data"]:
            return None
        if kind == "execute_result":
            count = output.get("execution_count")
            cleaned["execution_count"] = count if type(count) is int else None
        return cleaned
    return None


def what_counts(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a check's outputs decide its mark by, in few bytes.

    An error, a number as its value (partial credit), something on stderr: nbgrader takes a check that shows
    none of them for passed, so none may be lost where a submission has used up the room for outputs.
    """
    short: dict[str, dict[str, Any]] = {}
    for output in outputs:
        kind = output["output_type"]
        if kind == "error":
            text = str(output["evalue"])[:_SHORT]
            short.setdefault(kind, error_output(str(output["ename"])[:_SHORT], text, [text]))
        elif kind == "execute_result":
            text = output["data"].get("text/plain")
            plain = {"text/plain": ("".join(text) if isinstance(text, list) else str(text or ""))[:_SHORT]}
            short.setdefault(kind, {**output, "data": plain, "metadata": {}})
        elif kind == "stream" and output["name"] == "stderr":
            short.setdefault("stderr", {**output, "text": str(output["text"])[:_SHORT]})
    return list(short.values())
