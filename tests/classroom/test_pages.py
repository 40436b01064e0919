"""The pages of a class, in a real Chromium where there is one: what they say, to whom, and to whose ears."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest
from traitlets.config import Config, PyFileConfigLoader

import fpgaclass.classroom
from fpgaclass.classroom import Classroom
from fpgaclass.classroom.exchange import open_desk
from fpgaclass.classroom.service.glance import Glance, LabView, Row, Watcher
from fpgaclass.classroom.service.pages import templates
from fpgaclass.classroom.service.saved import checks_of, read_saved
from fpgaclass.course import Lab, proof_line, student_notebook

LAB, COURSE = "01_square", "tiny101"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def _save(classroom: Classroom, student: str, *results: bool | None, minutes_ago: int = 0) -> bytes:
    """Save a notebook in a student's home: True for a check that passed, False for one that failed."""
    released = open_desk(classroom.layout).released(COURSE, LAB)[f"{LAB}.ipynb"]
    notebook = nbformat.reads(released.decode(), 4)
    checks = [cell for cell in notebook.cells if cell.id.startswith("check_")]
    for cell, result in zip(checks, results, strict=True):
        if result is None:
            continue
        cell.execution_count = 1
        passed = nbformat.v4.new_output("stream", name="stdout", text=f"{proof_line(cell.source)}\n")
        failed = nbformat.v4.new_output("error", ename="AssertionError", evalue="", traceback=["no"])
        cell.outputs = [passed if result else failed]
    data = nbformat.writes(notebook).encode()
    path = classroom.layout.home(student) / LAB / f"{LAB}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time.time() - 60 * minutes_ago,) * 2)
    return data


def _watch(classroom: Classroom) -> Watcher:
    return Watcher(classroom.layout, classroom.course.path, open_desk(classroom.layout))


def test_who_is_where_and_who_is_stuck(classroom: Classroom) -> None:
    """An instructor has two minutes to find the one who has been stuck for ten."""
    _save(classroom, "ada", True, True)
    _save(classroom, "emmy", True, False)
    _save(classroom, "hedy", False, False)
    _save(classroom, "ida", False, None, minutes_ago=300)
    watcher, now = _watch(classroom), datetime.now(UTC)
    watcher.look(classroom.students, now)
    later = now + timedelta(minutes=11)
    _save(classroom, "emmy", True, True)
    os.utime(classroom.layout.home("hedy") / LAB / f"{LAB}.ipynb", (later.timestamp(),) * 2)
    (lab,) = watcher.look(classroom.students, later).labs
    cells = {row.student: row.cells for row in lab.rows}
    assert cells["ada"] == cells["emmy"] == ("passed", "passed")
    assert cells["hedy"] == ("stuck", "failing"), "the first check that fails is where they are stuck"
    assert cells["ida"] == ("failing", "untouched"), "who went home hours ago is not asking for help"
    assert cells["vera"] == ("untouched", "untouched")
    assert lab.stuck == ("hedy",)
    assert lab.hardest() is not None


def test_a_student_cannot_lead_the_page_elsewhere(classroom: Classroom, tmp_path: Path) -> None:
    """The page reads, as the operator, a file that its student wrote: links, pipes and junk included."""
    good = _save(classroom, "ada", True, True)
    checks = checks_of(good)
    home = classroom.layout.home("ada")
    notebook = home / LAB / f"{LAB}.ipynb"
    assert read_saved(home, LAB, checks) is not None
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / notebook.name).write_bytes(good)
    notebook.unlink()
    notebook.symlink_to(tmp_path / "other" / notebook.name)
    assert read_saved(home, LAB, checks) is None
    notebook.unlink()
    os.mkfifo(notebook)
    assert read_saved(home, LAB, checks) is None
    notebook.unlink()
    notebook.parent.rmdir()
    notebook.parent.symlink_to(tmp_path / "other")
    assert read_saved(home, LAB, checks) is None
    notebook.parent.unlink()
    notebook.parent.mkdir()
    for junk in (b"", b"[]", b'{"cells": 7}', b'{"cells": [[]]}', b"[" * 100_000):
        notebook.write_bytes(junk)
        assert read_saved(home, LAB, checks) is None


def test_a_tick_does_not_promise_what_is_hidden(tmp_path: Path) -> None:
    """All ticks, and half of the points: what runs at grading alone is told beside each tick."""
    text = (Path(__file__).parent / "data" / "lab.txt").read_text()
    hidden = "### BEGIN HIDDEN TESTS\nassert square(-5) == 25\n### END HIDDEN TESTS"
    path = tmp_path / LAB / "lab.py"
    path.parent.mkdir()
    path.write_text(text.replace("assert square(-2) == 4", f"assert square(-2) == 4\n{hidden}"))
    checks = checks_of(student_notebook(Lab.load(path)).encode())
    assert [check.hides for check in checks] == [False, True]
    now = datetime.now(UTC)
    row = Row("ada", ("passed", "passed"), now, None, False, 0, None)
    view = LabView(LAB, checks, None, (row,))
    words = {"prefix": "/", "me": "ada", "zone": UTC, "glance": Glance("Tiny", "UTC", now, (view,))}
    mine = templates().get_template("mine.html").render(labs=[(view, row, [])], role="student", **words)
    assert "2 of 2 pass, as last saved; hidden tests run when it is graded" in mine
    assert mine.count("more is tested when it is graded") == mine.count("passes what is shown</span>") == 1
    theirs = templates().get_template("glance.html").render(role="instructor", **words)
    assert theirs.count("passes what is shown</span>") == 1


def test_validate_does_not_promise_what_is_hidden() -> None:
    """nbgrader's dialog says "passes all the tests"; a style sheet of ours says what it knows."""
    jupyter = Path(fpgaclass.classroom.__file__).parent / "jupyter"
    settings = Config()
    for role in ("common", "instructor"):  # an instructor tries Validate, too; what is theirs comes on top
        settings.merge(PyFileConfigLoader("jupyter_server_config.py", path=str(jupyter / role)).load_config())
    assert "headers" in settings.ServerApp.tornado_settings, "in which the formgrader may have its frame"
    assert settings.LabApp.custom_css is True
    (folder,) = settings.ServerApp.tornado_settings["static_custom_path"]
    style = (Path(folder) / "custom.css").read_text()
    parts = Path(sys.prefix, "share/jupyter/labextensions/@jupyter/nbgrader/static").glob("*.js")
    named = ".validation-success"
    assert named in style
    assert any(named.removeprefix(".") in part.read_text() for part in parts), "nbgrader calls it otherwise"


@contextmanager
def _up(classroom: Classroom) -> Iterator[tuple[str, dict[str, str]]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    try:
        url = classroom.up(port, foreground=False).url
        yield str(url), dict(line.split() for line in classroom.layout.logins.read_text().splitlines())
    finally:
        classroom.down()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here (apt-get install chromium)")
def test_what_they_see(classroom: Classroom, submit: Callable[..., Any]) -> None:
    """Marks once given back, times of one's own, nobody else's row, nothing that axe finds fault with."""
    playwright = pytest.importorskip("playwright.sync_api")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    _save(classroom, "ada", True, False)
    submit("ada")
    submit("emmy", "def square(x):\n    return 3 * x")
    classroom.grade(LAB)
    with _up(classroom) as (url, words), playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])

        def come(name: str, scheme: str) -> Any:
            context = browser.new_context(timezone_id="America/New_York", color_scheme=scheme)
            page = context.new_page()
            page.goto(f"{url}/services/class/")
            page.fill("#username_input", name)
            page.fill("#password_input", words[name])
            page.click("#login_submit")
            page.wait_for_selector("h1")
            faults = axe.run(page).response["violations"]
            assert not faults, [(fault["id"], fault["nodes"][0]["html"]) for fault in faults]
            return page

        teacher = come("teacher", "light")
        rows = teacher.locator("tbody tr").all_inner_texts()
        assert len(rows) == 6
        assert "ada" in rows[0]
        assert "3/3" in rows[0]
        assert teacher.locator("tbody tr").nth(0).locator(".state").all_inner_texts()[0].endswith("passes")
        teacher.keyboard.press("Tab")
        assert teacher.evaluate("document.activeElement.className") == "skip", (
            "the keyboard gets to the content"
        )

        wide = "(t => { t.style.paddingRight = '2000px'; return document.documentElement.scrollWidth; })"
        width = teacher.evaluate(f"{wide}(document.querySelector('.heat td'))")
        assert width <= teacher.viewport_size["width"], "a lab of many checks scrolls in its own frame"

        ada = come("ada", "dark")
        text = ada.inner_text("main")
        assert "none yet" in text, "a mark is shown when it is given back, not before"
        assert "emmy" not in text
        assert "31 Dec 2099, 19:00" in text, "midnight in UTC is evening in New York"
        classroom.feedback(LAB)
        ada.reload()
        assert "3 of 3" in ada.inner_text("main")
        ada.click("a[href*=feedback]")
        assert "Score: 3.0 / 3.0" in ada.inner_text("body")
        emmys = open_desk(classroom.layout).receipts(COURSE, LAB, "emmy")[0].timestamp
        assert ada.goto(f"{url}/services/class/feedback/{LAB}/{emmys}/{LAB}.html").status == 404
        browser.close()
