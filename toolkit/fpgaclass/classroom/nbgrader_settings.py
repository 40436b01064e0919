"""nbgrader's own configuration: the course, the exchange, the engine, and pages that run nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fpgaclass.classroom.gradebook.gradebook import gradebook_url


def configure(c: Any, *, course: Path, exchange: str, timeout: int | None = None) -> None:
    """Fill in nbgrader's configuration for the instructor's side.

    Args:
        c: a traitlets `Config`, or the ``c`` of an nbgrader_config.py.
        course: the course folder.
        exchange: where it is, as `fpgaclass.classroom.exchange.open_exchange` reads it.
        timeout: seconds that one cell may run when it is graded.
    """
    from fpgaclass.classroom.grading.execute import ensure_clear_button

    c.CourseDirectory.root = str(course)
    c.CourseDirectory.course_id = course.name
    c.CourseDirectory.db_url = gradebook_url(course)
    configure_exchange(c, exchange)
    c.Autograde.autograde_preprocessors = [
        "fpgaclass.classroom.grading.execute.JailedExecute",
        "nbgrader.preprocessors.IgnorePattern",
        "nbconvert.preprocessors.ClearMetadataPreprocessor",
        "nbgrader.preprocessors.LimitOutput",
        "nbgrader.preprocessors.SaveAutoGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
    c.Autograde.exporter_class = "fpgaclass.classroom.grading.execute.JailedExporter"
    c.OverwriteCells.add_missing_cells = True  # a deleted check counts, and fails
    c.AssignLatePenalties.plugin_class = "fpgaclass.classroom.gradebook.late.CourseLatePenalty"
    c.GenerateFeedback.preprocessors = [
        "fpgaclass.classroom.grading.redact.HideTests",
        "nbgrader.preprocessors.GetGrades",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    ensure_clear_button()
    _show_safely(c)
    if timeout:
        c.JailedExecute.timeout = timeout


def configure_exchange(c: Any, url: str) -> None:
    """Have nbgrader's steps, a student's or an instructor's, use the class's exchange."""
    steps = {
        "exchange": "HubExchange",
        "fetch_assignment": "FetchAssignment",
        "fetch_feedback": "FetchFeedback",
        "release_assignment": "ReleaseAssignment",
        "release_feedback": "ReleaseFeedback",
        "list": "List",
        "submit": "Submit",
        "collect": "Collect",
    }
    for step, name in steps.items():
        c.ExchangeFactory[step] = f"fpgaclass.classroom.exchange.plugins.{name}"
    c.HubExchange.url = url


def _show_safely(c: Any) -> None:
    """Keep what a student wrote from running in the browser of whoever marks it, or reads the feedback.

    The formgrader is a page of the instructor's own server: a script in it could do all that they can.
    """
    c.HTMLExporter.preprocessors = [
        "fpgaclass.classroom.grading.safe_text.CleanCells",
        "nbconvert.preprocessors.sanitize.SanitizeHTML",
    ]
    from fpgaclass.classroom.grading.safe_text import SAFE_TAGS

    c.SanitizeHTML.tags = list(SAFE_TAGS)
    c.SanitizeHTML.strip = True
    c.TemplateExporter.filters = {"markdown2html": "fpgaclass.classroom.grading.safe_text.markdown_to_html"}
    # A figure says itself twice, as an image and as HTML with its description: HTML is what is cleaned.
    c.NbConvertBase.display_data_priority = [
        "image/png",
        "image/jpeg",
        "text/html",
        "text/latex",
        "text/plain",
    ]
