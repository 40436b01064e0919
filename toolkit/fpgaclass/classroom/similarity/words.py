"""What of a cell is compared: its structure, without what a student changes in a minute."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TEXT = re.compile(r"\w+")
_EMPTY = re.compile(r"\s{50,}")


@dataclass(frozen=True)
class Word:
    """A unit of comparison.

    Attributes:
        symbol: what it is compared by.
        start, end: where it stands in the cell's text.
    """

    symbol: str
    start: int
    end: int


def words_of(kind: str, source: str) -> tuple[Word, ...]:
    """Return what a cell is compared by.

    Of code: keywords, operators, builtins and attributes as they are; names, numbers and strings by their
    kind alone, so that neither renaming nor a student's own parameters make a difference; comments and white
    space not at all. Of text: its words.

    Args:
        kind: ``"code"`` or ``"markdown"``.
        source: the cell's text.

    Example:
        >>> [word.symbol for word in words_of("code", "bend = 0.3 * q / abs(pt)  # in rad")]
        ['name', '=', 'number', '*', 'name', '/', 'abs', '(', 'name', ')']
    """
    if kind != "code":
        return tuple(Word(m[0].lower(), m.start(), m.end()) for m in _TEXT.finditer(source))
    return tuple(_code(source))


def numbers_of(source: str) -> frozenset[str]:
    """Return the numbers of a piece of code that say something: three digits or more that are not zero.

    Example:
        >>> sorted(numbers_of("x = 0.2998 * 3.8 + 1000"))
        ['0.2998']
    """
    from pygments.token import Number  # type: ignore[import-untyped]

    found = (text for kind, text, _ in _tokens(source) if kind in Number)
    return frozenset(text for text in found if len(re.sub(r"[^1-9]", "", text.split("e")[0])) >= 3)


def _code(source: str) -> Iterator[Word]:
    from pygments.token import Comment, Name, Number, String, Text

    before, in_string = "", False
    for kind, text, start in _tokens(source):
        was_string, in_string = in_string, kind in String
        if kind in Comment or kind in Text or kind in String.Doc or (in_string and was_string):
            continue
        symbol = text
        if in_string:
            symbol = "string"
        elif kind in Number:
            symbol = "number"
        elif kind in Name and kind not in Name.Builtin and before != ".":
            symbol = "name"
        before = text
        yield Word(symbol, start, start + len(text))


def _tokens(source: str) -> Iterator[tuple[object, str, int]]:
    """Yield (kind, text, place) of all that stands in a piece of code, whether or not it can be parsed."""
    from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

    place = 0
    # The lexer looks at each of a thousand empty lines a thousand times. No word stands in white space.
    source = _EMPTY.sub(lambda m: " " * (len(m[0]) - 1) + "\n", source)
    for kind, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(source):
        yield kind, text, place
        place += len(text)
