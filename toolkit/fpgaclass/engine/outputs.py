"""Outputs of cells that come over the line: taken apart and put together again, whatever they were."""

from __future__ import annotations

from typing import Any


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def error_output(name: str, text: str, lines: list[str]) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": lines}


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
        if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
            return None
        cleaned = {
            "output_type": kind,
            "data": data,
            "metadata": metadata if isinstance(metadata, dict) else {},
        }
        if kind == "execute_result":
            count = output.get("execution_count")
            cleaned["execution_count"] = count if type(count) is int else None
        return cleaned
    return None
