"""What students wrote, as HTML that runs nothing: nbconvert lets through whatever Markdown allows."""

from __future__ import annotations

from typing import Any

import nbformat
from jinja2 import pass_context
from nbconvert.preprocessors import Preprocessor

from fpgaclass.engine.outputs import clean_output

_TAGS = (
    "a b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i li ol p pre span strong "
    "sub summary sup table tbody td th thead tr ul"
)
SAFE_TAGS = tuple(_TAGS.split())
"""What a text may be made of."""

_ATTRIBUTES = {
    "*": ["class", "id", "title", "style"],
    "a": ["href"],
    "img": ["src", "alt", "width", "height"],
    "ol": ["start"],
}
_MOST_TEXT, _MOST_PLAIN = 20_000, 100_000
"""Characters of a text cell, and of what is shown as it is."""
_MOST_TAGS, _MOST_TAGS_OF_ALL = 3_000, 15_000
"""How often ``<`` may stand in a piece of HTML, and in a whole notebook; 60 rows of 12 columns take 1,800."""
_PROTOCOLS = ("http", "https", "mailto")


@pass_context
def markdown_to_html(context: Any, source: str) -> str:
    """Return a cell's text as HTML: nbconvert's, without links that run and pictures from elsewhere.

    Used by nbconvert's templates, in place of its filter ``markdown2html``.
    """
    from bleach.css_sanitizer import CSSSanitizer  # type: ignore[import-untyped]
    from bleach.sanitizer import Cleaner  # type: ignore[import-untyped]
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=False, attachments=context.get("cell", {}).get("attachments", {}))
    html = MarkdownWithMath(renderer=renderer).render(source)
    cleaner = Cleaner(
        tags=[*SAFE_TAGS, "img"],
        attributes=_is_safe,
        protocols=[*_PROTOCOLS, "data"],
        css_sanitizer=CSSSanitizer(allowed_css_properties=["text-align"]),
        strip=True,
    )
    return str(cleaner.clean(html))


def _is_safe(tag: str, name: str, value: str) -> bool:
    """Tell whether a tag may have an attribute; the cleaner has looked at its protocol."""
    if name not in (*_ATTRIBUTES["*"], *_ATTRIBUTES.get(tag, ())):
        return False
    if name == "href":
        return not value.strip().lower().startswith("data:")
    # A picture that its text brings along; one from elsewhere tells who looks at it, and when.
    return name != "src" or value.startswith("data:image/")


class CleanCells(Preprocessor):
    """Leave of each cell what a page can show as it is, and in a time that somebody can wait.

    What makes HTML safe takes time with the square of what it is given, hours for what an output may hold: it
    would stop the formgrader, and everybody's feedback, for one student's long line.
    """

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Return the notebook with cells that can be shown."""
        self._room = _MOST_TAGS_OF_ALL
        cleaned: tuple[Any, Any] = super().preprocess(nb, resources)  # type: ignore[no-untyped-call]
        return cleaned

    def preprocess_cell(self, cell: Any, resources: Any, index: int) -> tuple[Any, Any]:  # noqa: ARG002
        """Return the cell with widths that are numbers, pictures in base64, and texts of bearable length."""
        if cell.cell_type == "code":
            cell.source = _cut(cell.source, _MOST_PLAIN)
            cleaned = (one for one in map(clean_output, cell.outputs) if one)
            cell.outputs = [nbformat.from_dict(self._shown(one)) for one in cleaned]
        else:
            cell.source = self._bearable(_cut(cell.source, _MOST_TEXT))
        return cell, resources

    def _shown(self, output: dict[str, Any]) -> dict[str, Any]:
        if output["output_type"] == "stream":
            return output | {"text": _cut(output["text"], _MOST_PLAIN)}
        if output["output_type"] == "error":
            lines = [_cut(line, _MOST_TEXT) for line in output["traceback"][:200]]
            return output | {"traceback": lines, "evalue": _cut(output["evalue"], _MOST_TEXT)}
        data = {kind: _whole(part) for kind, part in output["data"].items()}
        if any(kind.startswith("image/") for kind in data):
            data.pop("text/html", None)  # a page shows the picture
        html = data.get("text/html")
        if html is not None and (len(html) > _MOST_PLAIN or self._bearable(html) != html):
            del data["text/html"]
            data.setdefault("text/plain", f"[HTML of {len(html)} characters is not shown here]")
        for kind in ("text/plain", "text/latex"):
            if kind in data:
                data[kind] = _cut(data[kind], _MOST_PLAIN)
        return output | {"data": data}

    def _bearable(self, text: str) -> str:
        """Return a text that may be HTML; its tags as text where they, or all of a page, are too many."""
        many = text.count("<")
        if many > min(_MOST_TAGS, self._room):
            return text.replace("<", "&lt;")
        self._room -= many
        return text


def _whole(part: Any) -> Any:
    """Return text that nbformat may have as a list of lines as one text."""
    return "".join(part) if isinstance(part, list) and all(isinstance(one, str) for one in part) else part


def _cut(text: str, most: int) -> str:
    rest = len(text) - most
    return text if rest <= 0 else f"{text[:most]}\n[{rest} more characters are not shown here]"
