"""What people see, in a real Chromium: menus by role, the lab, the formgrader inside JupyterLab.

With ``FPGACLASS_PICTURES=docs/pictures`` the course is the real one, and README's pictures are taken anew.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.classroom.exchange import open_desk
from fpgaclass.classroom.hub.seats import WELCOME
from fpgaclass.classroom.layout import Layout
from fpgaclass.course import Course

PICTURES = os.environ.get("FPGACLASS_PICTURES")
ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MENU = ".lm-MenuBar-itemLabel >> text=Nbgrader"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.journey,
    pytest.mark.slow,
    pytest.mark.xdist_group("hub"),  # one class at a time: root's classes share the students' uids
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here (apt-get install chromium)"),
]


@pytest.fixture
def course(tiny_course: Path) -> Path:
    """The tiny course, or the real one for README's pictures."""
    return ROOT / "course" / "course.yaml" if PICTURES else tiny_course


class Witness:
    """Remembers what went wrong in a page, for the one time in fifteen that a test fails.

    Args:
        name: whose page it is.
        page: Playwright's.
    """

    def __init__(self, name: str, page: Any) -> None:
        self.name, self.page = name, page
        self.seen: list[str] = []
        self._began = time.monotonic()
        page.on(
            "console", lambda said: said.type in ("error", "warning") and self._note(said.type, said.text)
        )
        page.on("pageerror", lambda error: self._note("uncaught", error))
        page.on("requestfailed", lambda asked: self._note("failed", asked.url, asked.failure))
        page.on("response", lambda got: got.status >= 400 and self._note(got.status, got.url))
        page.on("framenavigated", lambda frame: self._note("at", frame.url))

    def _note(self, *words: Any) -> None:
        self.seen.append(f"{time.monotonic() - self._began:6.1f} s  {' '.join(map(str, words))[:300]}")

    def tell(self, folder: Path) -> str:
        """Return what was seen, with the text of open dialogs and where the picture of the page is."""
        picture = folder / f"failed-{self.name}.png"
        try:
            self.page.screenshot(path=picture)
            dialogs = self.page.locator(".jp-Dialog, .jp-toast-error, .Toastify__toast").all_inner_texts()
            tabs = self.page.locator(".lm-TabBar-tabLabel").all_inner_texts()
        except Exception as trouble:  # the page itself may be what is broken
            dialogs, tabs = [f"the page does not answer: {trouble}"], []
        now = [f"{self.page.url}, picture: {picture}", f"dialogs: {dialogs}", f"tabs: {tabs}"]
        return "\n".join([f"--- the page of {self.name}", *now, *self.seen[-60:]])


@contextmanager
def _telling(operator: Any, witnesses: list[Witness], folder: Path) -> Iterator[None]:
    """Add to a failure what the pages and the servers have to say."""
    try:
        yield
    except Exception as trouble:
        for witness in witnesses:
            trouble.add_note(witness.tell(folder))
        for log in sorted([*operator.state.glob("seats/*/server.log"), operator.state / "hub" / "hub.log"]):
            if log.is_file():
                lines = log.read_text(errors="replace").splitlines()[-60:]
                trouble.add_note("\n".join([f"--- {log}", *lines]))
        raise


@pytest.fixture
def page_of() -> Iterator[Any]:
    """Log in as somebody in a browser of their own, and give the page with JupyterLab open."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)

        def open_page(url: str, name: str, password: str) -> Any:
            page = browser.new_page(viewport={"width": 1360, "height": 850})
            open_page.witnesses.append(Witness(name, page))  # type: ignore[attr-defined]
            page.set_default_timeout(180_000)
            page.goto(f"{url}/hub/login")
            page.fill("#username_input", name)
            page.fill("#password_input", password)
            page.click("#login_submit")
            page.wait_for_selector(MENU)
            # Who comes for the first time sees where the work is; it would come before what is opened next.
            with suppress(playwright.TimeoutError):
                if WELCOME in page.url:
                    page.wait_for_selector(".jp-MarkdownViewer h1")
            return page

        open_page.witnesses = []  # type: ignore[attr-defined]
        yield open_page
        browser.close()


def test_what_student_and_instructor_see(
    course: Path,
    operators: Callable[..., Any],
    page_of: Any,
    tmp_path: Path,
) -> None:
    """nbgrader shows everybody everything, and its formgrader is blank in a hub of today."""
    pictures = Path(PICTURES).resolve() if PICTURES else tmp_path
    operator = operators(course)
    with _class_up(operator) as url, _telling(operator, page_of.witnesses, tmp_path):
        lab = Course.load(course).labs[0].name
        words = operator.passwords()
        teacher = Course.load(course).instructors[0]
        students = Course.load(course).students
        _hand_in(operator, lab, students, teacher)
        report = operator.does("grade", lab)
        assert report["marks"][0]["score"] == report["marks"][0]["max_score"]

        student = page_of(url, students[0], words[students[0]])
        assert _menu(student) == ["Assignment List"]
        _fetch_and_open(student, lab)
        student.screenshot(path=pictures / "student.png")

        instructor = page_of(url, teacher, words[teacher])
        assert {"Create assignment", "Formgrader"} < set(_menu(instructor))
        frame = _open_formgrader(instructor)
        frame.goto(f"{url}/user/{teacher}/formgrader/manage_submissions/{lab}")
        frame.wait_for_selector(f"text={students[0]}")
        time.sleep(1)  # the table sorts itself after it has appeared
        instructor.screenshot(path=pictures / "formgrader.png")
        asked = _watch_requests(instructor)
        _look_at_submission(frame, f"{url}/user/{teacher}/formgrader", lab)
        instructor.screenshot(path=tmp_path / "submission.png")
        instructor.goto(f"{url}/services/class/")
        instructor.wait_for_selector("h1:has-text('The class at a glance')")
        instructor.screenshot(path=pictures / "glance.png", full_page=True)
        own = (url, "data:", "blob:", "about:")
        assert all(address.startswith(own) for address in asked), "no internet is needed"
        for name in ("student.png", "formgrader.png", "glance.png"):
            assert 20_000 < (pictures / name).stat().st_size < 400_000, "README loads it each time"


def _watch_requests(page: Any) -> list[str]:
    """Return a list that fills with the addresses that the page asks for from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


def _look_at_submission(frame: Any, formgrader: str, lab: str) -> None:
    """Open the first submission as its marker does: figures and formulas must be there, scripts must not."""
    frame.goto(f"{formgrader}/gradebook/{lab}/{lab}")
    frame.locator("td a").first.click()
    frame.wait_for_selector("#notebook-container")
    frame.wait_for_function("!!window.MathJax && MathJax.isReady === true")
    if PICTURES:
        frame.wait_for_selector(".MathJax", state="attached")
        loaded = "[...document.images].filter(i => i.src.startsWith('data:') && i.naturalWidth > 100).length"
        assert frame.evaluate(loaded) > 0, "the student's figures are what is marked"
        frame.locator("#notebook-container img").first.scroll_into_view_if_needed()


@contextmanager
def _class_up(operator: Any) -> Iterator[str]:
    try:
        yield operator.does("up", port=operator.port, foreground=False)["url"]
    finally:
        operator.does("down")


def _hand_in(operator: Any, lab: str, students: tuple[str, ...], teacher: str) -> None:
    """Hand in for three students: all right, half of it right, nothing done."""
    import nbformat

    course = Course.load(operator.course)
    layout = Layout(operator.state, course.course_id, teacher)
    source = layout.course / "source" / lab / f"{lab}.ipynb"
    answers = {cell.id: cell.source for cell in nbformat.read(source, 4).cells}
    for student, part in zip(students, (1.0, 0.5, 0.0), strict=False):
        desk = open_desk(layout, student)
        files = dict(desk.released(course.course_id, lab))
        notebook = nbformat.reads(files[f"{lab}.ipynb"].decode(), 4)
        tasks = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")]
        for cell in tasks[: round(part * len(tasks))]:
            cell.source = answers[cell.id]
        files[f"{lab}.ipynb"] = nbformat.writes(notebook).encode()
        desk.submit(course.course_id, lab, files)


def _menu(page: Any) -> list[str]:
    """Open the menu Nbgrader and return its entries."""
    page.click(MENU)
    page.wait_for_selector(".lm-Menu-item")
    entries = sorted(text.strip() for text in page.locator(".lm-Menu-itemLabel").all_inner_texts())
    page.keyboard.press("Escape")
    return [entry for entry in entries if entry]


def _fetch_and_open(page: Any, lab: str) -> None:
    """Fetch the lab from the assignment list, open it and run it to the first task."""
    page.click(MENU)
    page.click(".lm-Menu-itemLabel >> text=Assignment List")
    page.click("button:has-text('Fetch')")
    page.wait_for_selector("button:has-text('Submit')")
    # From the list, as people do: a notebook's address, opened while JupyterLab brings back its last screen,
    # is once in fifteen times under load not opened.
    page.click(f"a.assignment-notebooks-link:has-text('{lab}')")
    page.click(f".assignment-notebooks a:text-is('{lab}')")
    page.wait_for_selector(".jp-NotebookPanel .jp-MarkdownOutput h1")
    page.wait_for_selector("text=Python 3 (ipykernel) | Idle")
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
    page.wait_for_selector(".jp-OutputArea-output:has-text('NotImplementedError')", state="attached")
    if PICTURES:
        _scroll_to_figure(page)


def _scroll_to_figure(page: Any) -> None:
    """Show the first figure; JupyterLab makes a cell's elements only when it comes near to view."""
    page.locator(".jp-MarkdownOutput h1").scroll_into_view_if_needed()
    page.mouse.move(800, 500)
    figure = page.locator(".jp-OutputArea-output img").first
    for _ in range(60):
        box = figure.bounding_box() if figure.count() else None
        if box and box["y"] + box["height"] < 800:
            break
        page.mouse.wheel(0, 80)
        time.sleep(0.2)
    time.sleep(2)  # formulas and fonts settle


def _open_formgrader(page: Any) -> Any:
    """Open the formgrader from the menu and return its frame, which must have something in it."""
    page.click(MENU)
    page.click(".lm-Menu-itemLabel:text-is('Formgrader')")
    page.frame_locator("iframe").locator("text=Manage Assignments").first.wait_for()
    return next(frame for frame in page.frames if "formgrader" in frame.url)
