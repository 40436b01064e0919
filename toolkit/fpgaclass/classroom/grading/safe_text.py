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


class CleanOutputs(Preprocessor):
    """Leave of each output what a page can show as it is: widths that are numbers, pictures in base64."""

    def preprocess_cell(self, cell: Any, resources: Any, index: int) -> tuple[Any, Any]:  # noqa: ARG002
        """Return the cell with clean outputs."""
        if cell.cell_type == "code":
            cell.outputs = [nbformat.from_dict(one) for one in map(clean_output, cell.outputs) if one]
        return cell, resources
