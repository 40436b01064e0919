"""The report as one page: the pairs, and each pair's answers side by side with what they share marked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from fpgaclass.classroom.similarity.comparing import Passage, SimilarityReport
from fpgaclass.classroom.similarity.submissions import Answer


def similarity_page(report: SimilarityReport) -> str:
    """Return the report as HTML that needs nothing else; what students wrote is text in it, and no more."""
    answers = {answer.student: answer for answer in report.answers}
    pairs = []
    for pair in report.pairs:
        sides = zip((pair.first, pair.second), pair.passages, strict=True)
        pairs.append((pair, [(name, list(_cells(answers[name], shared))) for name, shared in sides]))
    return str(_template().render(report=report, pairs=pairs))


def _cells(answer: Answer, shared: tuple[Passage, ...]) -> Iterator[tuple[str, list[tuple[str, bool]]]]:
    """Yield (name, pieces of its text and whether each is shared) of the cells that share something."""
    for n, part in enumerate(answer.parts):
        mine = [passage for passage in shared if passage.part == n]
        if not mine:
            continue
        pieces: list[tuple[str, bool]] = []
        place, text = 0, part.source
        for passage in mine:
            pieces += [(text[place : passage.start], False), (text[passage.start : passage.end], True)]
            place = passage.end
        yield part.name, [*pieces, (text[place:], False)]


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("page.html")
