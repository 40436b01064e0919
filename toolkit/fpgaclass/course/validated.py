"""YAML read into a pydantic model, with errors that name the file, the line, the key and what is allowed."""

from __future__ import annotations

from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from fpgaclass.core import CourseError

Model = TypeVar("Model", bound=BaseModel)

PLAIN_NAME = r"^[a-z][a-z0-9_-]*$"
"""A login name, a folder name and a URL part at once; nbgrader refuses '+'."""
LAB_NAME = r"^\d\d_[a-z0-9_]+$"
"""A lab's folder, which sorts as the course goes."""

_PATTERNS = {
    PLAIN_NAME: "small letters, digits, - and _, a letter first",
    LAB_NAME: "two digits, _ and small letters, such as 01_first_steps",
}
_PLAINLY = {
    "too_short": "at least 1 is needed",
    "tuple_type": "a list, such as [ada, emmy]",
    "string_type": "text; put it in quotes",
    "datetime_from_date_parsing": "a day and a time, such as 2027-03-15 23:59:00",
}
_SHOWN = 60


class Strict(BaseModel):
    """A model that cannot change and refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_yaml(text: str, model: type[Model], *, where: str, first_line: int = 1) -> Model:
    """Return the model that the YAML text describes.

    Args:
        text: the YAML.
        model: the pydantic model it must fit.
        where: the file's name, for messages.
        first_line: the line of the file at which the text starts.

    Raises:
        CourseError: with file, line, key and what is allowed.
    """
    try:
        data = yaml.safe_load(text)
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
    except ValueError as trouble:  # such as a day that no month has
        raise CourseError(f"a date or number in it is none: {trouble}", where=where) from trouble
    except yaml.YAMLError as trouble:
        mark = getattr(trouble, "problem_mark", None)
        line = first_line + (mark.line if mark else 0)
        problem = getattr(trouble, "problem", None) or str(trouble)
        raise CourseError(f"this is not YAML: {problem}", where=f"{where}:{line}") from trouble
    try:
        return model.model_validate({} if data is None else data)
    except ValidationError as trouble:
        # A mistyped key is both unknown and missing: the unknown one shows the slip.
        first = sorted(trouble.errors(), key=lambda error: error["type"] != "extra_forbidden")[0]
        location = first["loc"]
        line = first_line + _line_of(tree, location)
        key = ".".join(str(part) for part in location) or "the whole file"
        what = f"{key}: {_reason(first, model)}"
        more = len(trouble.errors()) - 1
        if more:
            what += f" (and {more} more)"
        raise CourseError(what, where=f"{where}:{line}") from trouble


def _reason(error: Any, model: type[BaseModel]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"no such key; allowed here: {', '.join(_fields(model, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return "this key is missing"
    if error["type"] == "value_error" and isinstance(error["input"], dict | list | tuple):
        return message  # it names what is wrong among them
    message = _PLAINLY.get(error["type"], message)
    if error["type"] == "string_pattern_mismatch":
        message = _PATTERNS.get(error["ctx"]["pattern"], message)
    given = repr(error["input"])
    return f"{message}, not {given if len(given) <= _SHOWN else given[: _SHOWN - 3] + '...'}"


def _fields(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys allowed at a place, walking down through nested models and lists of them."""
    for part in location:
        if isinstance(part, int):
            continue
        inner = model.model_fields[part].annotation
        found = [kind for kind in _flatten(inner) if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not found:
            return []
        model = found[0]
    return sorted(model.model_fields)


def _flatten(annotation: Any) -> list[Any]:
    arguments = getattr(annotation, "__args__", ())
    return [annotation] if not arguments else [leaf for arg in arguments for leaf in _flatten(arg)]


def _line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """Return the line (from 0) of the deepest node on the way to ``location``."""
    line = node.start_mark.line if node else 0
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next((p for p in node.value if p[0].value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line
