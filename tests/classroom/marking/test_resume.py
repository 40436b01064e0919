"""Killed at any point and run again: every submission is graded once, and right."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.classroom.gradebook.gradebook import open_writer
from fpgaclass.classroom.layout import locked
from fpgaclass.core import ClassroomError
from fpgaclass.engine import NoJail, find_jail

LAB = "01_small"
GRADE = """
import sys
from pathlib import Path
from fpgaclass.classroom.grading.marking import Settings, mark
from fpgaclass.course import LatePolicy
root = Path(sys.argv[1])
mark(root, root.name, "01_small", f"sqlite:///{root / 'gradebook.db'}", lambda _: LatePolicy(),
     settings=Settings(jobs=2, jailed=sys.argv[2] == "1"))
"""


def _times(folder: Any) -> dict[str, int]:
    with sqlite3.connect(folder.root / "gradebook.db") as db:
        return dict(db.execute("SELECT student, times FROM fpgaclass_graded"))


def _killed(folder: Any, after: float) -> bool:
    """Grade in a process of its own, kill it after so many seconds, and say whether it had ended before."""
    jailed = "0" if isinstance(find_jail(), NoJail) else "1"
    process = subprocess.Popen(
        [sys.executable, "-c", GRADE, str(folder.root), jailed],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(after)
        return True
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        return False


def _kill_and_resume(folder: Any, kills: int, students: int) -> None:
    wrong = "def square(x):\n    return 2 * x"
    for n in range(students):
        folder.submit(f"s{n:02}", square=wrong if n % 3 == 0 else "def square(x):\n    return x * x")
    draw = random.Random(3)
    ended = 0
    for _ in range(kills):
        ended += _killed(folder, draw.uniform(1.0, 3.0))
        if ended:  # all is done: begin anew, so that the next kill meets work
            ended = 0
            with sqlite3.connect(folder.root / "gradebook.db") as db:
                db.execute("DELETE FROM fpgaclass_graded WHERE student > ?", (f"s{students // 2:02}",))
    done = folder.mark(jobs=2)
    assert len(done) == students
    assert {one.status for one in done.values()} <= {"graded", "unchanged"}
    times = _times(folder)
    assert set(times) == set(done), "none was lost"
    for n in range(students):
        assert folder.read(f"s{n:02}").total == (2 if n % 3 == 0 else 6)
    with sqlite3.connect(folder.root / "gradebook.db") as db:
        rows = db.execute("SELECT COUNT(*) FROM submitted_assignment").fetchone()[0]
        grades = db.execute("SELECT COUNT(*) FROM grade").fetchone()[0]
    assert rows == students
    assert grades == 5 * students
    assert {one.status for one in folder.mark().values()} == {"unchanged"}
    assert not list((folder.root / "autograded").rglob(".*"))


def test_killed_and_run_again(folder: Any) -> None:
    """A laptop's lid closes in the middle of grading."""
    _kill_and_resume(folder, kills=3, students=12)


@pytest.mark.proof
def test_killed_twenty_times(folder: Any) -> None:
    """Twenty random moments: clean-up, running, writing files, writing marks."""
    _kill_and_resume(folder, kills=20, students=40)


def test_a_dead_warm_kernel_is_started_again(folder: Any) -> None:
    """A failure of the machine is tried again, and costs nobody a mark."""
    from fpgaclass.engine import runner

    folder.submit("ada")
    folder.mark()
    for parent in runner._parents.values():
        parent._process.kill()
    folder.submit("ada", square="def square(x):\n    return x ** 2")
    assert folder.mark()["ada"].status == "graded"
    assert folder.read("ada").total == 6


def test_a_machine_that_fails_is_told_apart(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A student must not get a zero because a jail could not be made."""
    from fpgaclass.engine import EngineError, runner

    def broken(*_: Any, **__: Any) -> None:
        raise EngineError("the kernel refused a namespace")

    monkeypatch.setattr(runner, "warm_up", broken)
    folder.submit("ada")
    done = folder.mark()["ada"]
    assert done.status == "not run"
    assert "the machine failed, not ada: the kernel refused a namespace" in done.note
    assert _times(folder) == {}
    monkeypatch.undo()
    assert folder.mark()["ada"].status == "graded"


def test_the_second_instructor_is_told(tmp_path: Path) -> None:
    """Two who grade at once would each overwrite what the other wrote."""
    with locked(tmp_path / "course.lock", "working on this course"):
        code = (
            "import sys; from pathlib import Path; from fpgaclass.classroom.layout import locked\n"
            "with locked(Path(sys.argv[1]), 'working on this course'): pass"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "course.lock")],
            capture_output=True,
            text=True,
            check=False,
        )
    assert "another command is working on this course" in done.stderr


def test_a_full_disk_loses_nothing(folder: Any, tmp_path: Path) -> None:
    """The disk of a course fills in the week of the deadline."""
    if os.geteuid():
        pytest.skip("mounting a small disk takes root")
    small = tmp_path / "disk"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1500k", "none", str(small)], check=False
    ).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        subprocess.run(["cp", "-r", str(folder.root), str(small)], check=True)
        there = type(folder)(small / folder.root.name)
        for n in range(4):
            there.submit(f"s{n}")
        free = os.statvfs(small)
        (small / "ballast").write_bytes(b"x" * max(0, free.f_bavail * free.f_bsize - 20_000))
        with pytest.raises(ClassroomError, match=r"cannot be (written|used).*[Nn]ext: make room"):
            there.mark()
        (small / "ballast").unlink()
        assert {one.status for one in there.mark().values()} <= {"graded", "unchanged"}
        assert [there.read(f"s{n}").total for n in range(4)] == [6, 6, 6, 6]
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


def test_lateness_costs_what_the_course_says(folder: Any) -> None:
    """Two days at a quarter each, from the deadline on; an extension of a day gives one back."""
    from nbgrader.api import Gradebook

    from fpgaclass.course import LatePolicy

    folder.submit("ada", when="2100-01-02 12:00:00 UTC")
    folder.submit("emmy", when="2100-01-02 12:00:00 UTC")
    policy = LatePolicy(percent_per_day=25)
    folder.mark(late=policy)
    assert folder.read("ada").penalty == 3
    with Gradebook(folder.url, folder.root.name) as book:
        book.grant_extension(LAB, "emmy", days=1)
    assert folder.mark(late=policy)["emmy"].status == "unchanged", "nothing is run again for it"
    assert folder.read("emmy").penalty == 1.5
    with open_writer(folder.url, folder.root.name, LAB) as book:
        book.extend("ada", timedelta(days=2))
        book.extend("hedy", timedelta(days=2))  # before anything was submitted
        assert book.settle(lambda _: policy) == ("ada",)
    assert folder.read("ada").penalty is None, "at once, and nothing is run again"
    folder.submit("hedy", when="2100-01-02 12:00:00 UTC")
    assert {one.status for one in folder.mark(late=policy).values()} == {"unchanged", "graded"}
    assert folder.read("hedy").penalty is None
    assert folder.read("emmy").penalty == 1.5
    with Gradebook(folder.url, folder.root.name) as book:
        assert book.find_submission(LAB, "hedy").extension == timedelta(days=2), "nbgrader sees it, too"


def test_a_persons_marks_stay(folder: Any) -> None:
    """Grading again must not wipe out an evening of reading answers."""
    from nbgrader.api import Gradebook

    folder.submit(
        "ada",
        change=lambda cells: [c.update(source="So.") for c in cells if c["id"] == "answer_why"] and None,
    )
    folder.mark()
    assert folder.read("ada").waiting == ("answer_why",)
    with Gradebook(folder.url, folder.root.name) as book:
        grade = book.find_grade("answer_why", LAB, LAB, "ada")
        grade.manual_score, grade.needs_manual_grade = 2, False
        book.db.commit()
    time.sleep(0.1)
    folder.mark(again=True)
    with Gradebook(folder.url, folder.root.name) as book:
        assert book.find_submission(LAB, "ada").score == 8
        assert book.find_grade("answer_why", LAB, LAB, "ada").needs_manual_grade, "as nbgrader: look again"
