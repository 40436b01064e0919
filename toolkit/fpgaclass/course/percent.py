"""Read the percent format: a Python file whose ``# %%`` lines start the cells of a notebook.

This is the format that jupytext, VS Code, Spyder and PyCharm open as a notebook. It is read here, and not by
jupytext, for one reason: every message about a lab can then name the line to mend. A test holds the two
readings equal on the course's own labs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpgaclass.core import CourseError

_MARKER = re.compile(r"^# %%(?P<rest>.*)$")
_KIND = re.compile(r"^\s*(?:\[(?P<kind>\w+)\])?\s*")
_PAIR = re.compile(r'(?P<key>[A-Za-z_]\w*)\s*=\s*(?P<value>"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^\s"\[\]]+)\s*')
_KINDS = {None: "code", "markdown": "markdown", "md": "markdown"}


@dataclass(frozen=True)
class PercentCell:
    """One cell as it stands in the file.

    Attributes:
        kind: ``"code"`` or ``"markdown"``.
        source: the text, with the comment marks of markdown taken away and no blank lines at the ends.
        metadata: the ``key=value`` pairs of the marker line.
        line: the number of the marker line, from 1.
    """

    kind: str
    source: str
    metadata: dict[str, Any]
    line: int


@dataclass(frozen=True)
class PercentFile:
    """A whole file: the YAML text of its header, the line it starts at, and the cells."""

    header: str
    header_line: int
    cells: tuple[PercentCell, ...]


def read_percent(path: Path) -> PercentFile:
    """Read a file of the percent format.

    Raises:
        CourseError: the file cannot be read, or a line does not fit; the message names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as missing:
        step = "write it there, or mend the name in course.yaml"
        raise CourseError("there is no such lab", where=str(path), next_step=step) from missing
    except (OSError, UnicodeDecodeError) as trouble:
        raise CourseError(f"the lab cannot be read: {trouble}", where=str(path)) from trouble
    header, first = _header(lines, path)
    starts = [n for n in range(first, len(lines)) if _MARKER.match(lines[n])]
    stray = next((n for n in range(first, starts[0] if starts else len(lines)) if lines[n].strip()), None)
    if stray is not None:
        raise CourseError(
            "text before the first cell", where=f"{path}:{stray + 1}", next_step="put '# %%' above it"
        )
    ends = [*starts[1:], len(lines)]
    cells = tuple(_cell(lines, start, end, path) for start, end in zip(starts, ends, strict=True))
    return PercentFile(header, 2, cells)


def _header(lines: list[str], path: Path) -> tuple[str, int]:
    """Return the YAML between the two ``# ---`` lines, and the index of the line after them."""
    if not lines or lines[0].rstrip() != "# ---":
        raise CourseError("the lab has no header", where=f"{path}:1", next_step="start it with '# ---', YAML")
    for n, line in enumerate(lines[1:], start=1):
        if line.rstrip() == "# ---":
            return "\n".join(text[2:] for text in lines[1:n]), n + 1
        if not line.startswith("#"):
            raise CourseError("a line of the header is not a comment", where=f"{path}:{n + 1}")
    raise CourseError("the header has no end", where=f"{path}:1", next_step="close it with '# ---'")


def _cell(lines: list[str], start: int, end: int, path: Path) -> PercentCell:
    where = f"{path}:{start + 1}"
    marker = _MARKER.match(lines[start])
    assert marker is not None, "starts are lines that match"
    rest = marker["rest"]
    head = _KIND.match(rest)
    assert head is not None, "every part of the pattern is optional"
    if head["kind"] not in _KINDS:
        raise CourseError(f"cells are code or [markdown], not [{head['kind']}]", where=where)
    kind = _KINDS[head["kind"]]
    metadata = _pairs(rest[head.end() :], where)
    body = lines[start + 1 : end]
    if kind == "markdown":
        body = _uncomment(body, start + 2, path)
    return PercentCell(kind, "\n".join(body).strip("\n").rstrip(), metadata, start + 1)


def _pairs(text: str, where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    position = 0
    while position < len(text):
        pair = _PAIR.match(text, position)
        if pair is None:
            raise CourseError(f"cannot read '{text[position:]}'", where=where, next_step='write key="value"')
        try:
            found[pair["key"]] = json.loads(pair["value"])
        except json.JSONDecodeError as trouble:
            step = f'write {pair["key"]}="{pair["value"]}" or a number'
            raise CourseError(f"'{pair['value']}' is not a value", where=where, next_step=step) from trouble
        position = pair.end()
    return found


def _uncomment(body: list[str], first: int, path: Path) -> list[str]:
    plain = []
    for n, line in enumerate(body):
        if line.strip() and not line.startswith("#"):
            raise CourseError(
                "a line of markdown is not a comment",
                where=f"{path}:{first + n}",
                next_step="start it with '# '",
            )
        plain.append(line[2:] if line.startswith("# ") else line[1:])
    return plain
