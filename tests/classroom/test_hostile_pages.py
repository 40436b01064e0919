"""What a student writes must not run in the browser of whoever reads it."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbconvert.exporters import HTMLExporter
from traitlets.config import Config

from fpgaclass.classroom.nbgrader_settings import configure

_EVIL = '<img src=x onerror="alert(1)"><script>alert(2)</script><a href="javascript:alert(3)">x</a>'

_LINKS = """[a plot](javascript:alert(8)) [another](JaVaScript&#58;alert(9)) [more](data:text/html;base64,xx)

![mine](attachment:plot.png) ![theirs](http://tracker.example/x.png) [the docs](https://docs.python.org) [ref]

[ref]: vbscript:alert(10)
"""


def _notebook() -> nbformat.NotebookNode:
    output = nbformat.v4.new_output
    picture = {"image/png": "iVBORw0KGgo=", "text/html": f"<b>the picture</b>{_EVIL}"}
    code = nbformat.v4.new_code_cell("show()")
    code.outputs = [
        output("display_data", {"text/html": f"<b>of the code</b>{_EVIL}"}),
        output("display_data", {"application/javascript": "alert(4)"}),
        output("display_data", {"image/svg+xml": "<svg onload='alert(5)'></svg>"}),
        output("display_data", picture),
    ]
    breaks_out = {"image/png": {"width": '1" onload="alert(6)//', "height": 40}}
    code.outputs.append(output("display_data", {"image/png": "AAAA"}, metadata=breaks_out))
    code.outputs.append(output("display_data", {"image/png": '" onerror="alert(7)'}))
    text = f"# A heading\n\n<details><summary>a hint</summary>inside</details>\n\n$p_T$ {_EVIL}\n\n{_LINKS}"
    markdown = nbformat.v4.new_markdown_cell(text, attachments={"plot.png": {"image/png": "BBBB"}})
    return nbformat.v4.new_notebook(cells=[markdown, code])


def _page(notebook: nbformat.NotebookNode, tmp_path: Path) -> str:
    """Return what the formgrader shows of a notebook."""
    config = Config()
    configure(config, course=tmp_path / "course", exchange="")
    config.HTMLExporter.template_name = "classic"
    page, _ = HTMLExporter(config=config).from_notebook_node(notebook)
    return str(page[page.index("<body") :])


def test_nothing_of_a_submission_runs_in_the_page(tmp_path: Path) -> None:
    """The formgrader is a page of the instructor's server: a script in it could give itself full marks."""
    shown = _page(_notebook(), tmp_path)
    assert "A heading" in shown
    assert "<summary>a hint</summary>" in shown
    assert "of the code" in shown
    assert "iVBORw0KGgo=" in shown, "pictures stay"
    assert "data:image/png;base64,BBBB" in shown, "those of a text, too"
    assert 'href="https://docs.python.org"' in shown
    assert re.search(r"AAAA|height=.?40", shown)
    running = (r"<script", r"onerror", r"(java|vb)script:", r"<svg", r"alert\([4-9]", r"onload", r"data:text")
    for evil in (*running, "tracker"):
        assert not re.search(evil, shown), evil


def test_nothing_of_a_submission_keeps_the_page_for_hours(tmp_path: Path) -> None:
    """What cleans HTML takes 70 s for 100 kB of `<div>` (measured), four times that for twice as much.

    Feedback of the whole class waits for it, and so does the instructor's server.
    """
    output, many = nbformat.v4.new_output, "<div>" * 20_000
    code = nbformat.v4.new_code_cell("show()")
    table = "<table>" + "<tr><td>the cell</td></tr>" * 700 + "</table>"
    code.outputs = [
        output("display_data", {"text/html": many, "text/plain": "in its place"}),
        output("display_data", {"text/html": many}),
        output("display_data", {"text/html": [many, many]}),
        output("display_data", {"text/html": table}),
        output("display_data", {"text/html": many, "image/png": "iVBORw0KGgo="}),
        output("stream", name="stdout", text="\x1b[31m" * 400_000),
    ]
    notebook = nbformat.v4.new_notebook(cells=[code])
    for source in (many, "\\(a" * 100_000, "|a|b|\n|-|-|\n" + "|a|b|\n" * 100_000):
        notebook.cells.append(nbformat.v4.new_markdown_cell(source))
    notebook.cells.append(nbformat.v4.new_raw_cell(many))
    shown = _page(notebook, tmp_path)
    assert "in its place" in shown
    assert shown.count("characters is not shown here") == 2
    assert shown.count("<td>the cell</td>") == 700, "what a person displays is there"
    assert "iVBORw0KGgo=" in shown
    assert shown.count("more characters are not shown here") == 5
    assert len(shown) < 2_000_000


def test_all_of_a_notebook_is_not_more_than_a_page(tmp_path: Path) -> None:
    """Each piece may be small: five times two megabytes of them may be submitted."""
    piece, code = "<p>x</p>" * 1_500, nbformat.v4.new_code_cell("show()")
    code.outputs = [nbformat.v4.new_output("display_data", {"text/html": piece}) for _ in range(300)]
    shown = _page(nbformat.v4.new_notebook(cells=[code]), tmp_path)
    assert shown.count("characters is not shown here") == 295
