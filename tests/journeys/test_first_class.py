"""A first class, from `up` to feedback: an instructor at a terminal, two students in their browsers."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from fpgaclass.engine.sandbox import NoJail, find_jail
from fpgaclass.engine.seccomp import why_none

LAB, COURSE = "01_square", "tiny101"
PLAIN_UID = 61234

pytestmark = [pytest.mark.journey, pytest.mark.slow, pytest.mark.xdist_group("hub")]


@pytest.fixture(params=["whoever runs the tests", "an ordinary user"])
def operator(
    request: pytest.FixtureRequest, tiny_course: Path, operators: Callable[..., Any]
) -> Iterator[Any]:
    """Somebody with a course, root and not: the jails, the owners of files and the uids differ."""
    prefix: list[str] = []
    if request.param == "an ordinary user":
        if os.geteuid() != 0:
            pytest.skip("the other half of this test ran as an ordinary user already")
        prefix = _become_ordinary(tiny_course.parents[1])
    operator = operators(tiny_course, prefix)
    yield operator
    operator.does("down")


def _become_ordinary(folder: Path) -> list[str]:
    """Return the words that run a command as a user without an account, who can read this Python."""
    jail = find_jail()
    if isinstance(jail, NoJail):
        pytest.skip(f"root needs bubblewrap to show its Python to another user: {jail.reason}")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, PLAIN_UID, PLAIN_UID)
    view = [jail.bwrap, "--dev-bind", "/", "/"]
    closed = [p for p in Path(sys.base_prefix).parents if not p.stat().st_mode & 0o001]
    if closed:  # such as /root: show the Python alone of what is in there
        top = str(closed[-1])
        view += ["--perms", "0755", "--tmpfs", top]
        between = [str(p) for p in reversed(Path(sys.base_prefix).parents) if p.is_relative_to(top)][1:]
        for path in between:
            view += ["--perms", "0755", "--dir", path]
        view += ["--ro-bind", sys.base_prefix, sys.base_prefix]
    who = ["--reuid", str(PLAIN_UID), "--regid", str(PLAIN_UID), "--clear-groups"]
    return [*view, "setpriv", *who, "env", f"HOME={folder}", "XDG_CACHE_HOME=", "PATH=/usr/bin:/bin"]


def test_from_up_to_feedback(operator: Any, person: Any) -> None:
    """What the course promises an instructor: nothing of it may need a look into the machinery."""
    status = operator.does("up", port=operator.port, foreground=False)
    passwords = operator.passwords()
    assert set(passwords) >= {"teacher", "ada", "emmy"}
    assert operator.does("status")["url"] == status["url"]

    wrong = person(status["url"], "ada", passwords["emmy"])
    assert wrong.log_in().status_code == 403

    for name, answer in {"ada": _solution(operator), "emmy": "def square(x):\n    return 3 * x"}.items():
        _work(person(status["url"], name, passwords[name]), answer, operator.state)
    assert operator.does("status")["submissions"] == {LAB: 2}

    report = operator.does("grade", LAB)
    marks = {mark["student"]: mark for mark in report["marks"]}
    assert (marks["ada"]["score"], marks["ada"]["status"]) == (3, "graded")
    assert (marks["emmy"]["score"], marks["emmy"]["status"]) == (2, "graded")
    assert marks["vera"]["status"] == "missing"
    assert operator.does("feedback", LAB, jobs=2)["students"] == ["ada", "emmy"]

    _restart(operator, status["url"])
    assert operator.passwords() == passwords
    page = _fetch_feedback(person(status["url"], "emmy", passwords["emmy"]))
    assert "AssertionError" in page
    assert "Score: 2.0 / 3.0" in page
    _look_at_formgrader(person(status["url"], "teacher", passwords["teacher"]), operator)

    assert operator.does("down") is True
    left = [p for p in psutil.process_iter(["cmdline"]) if str(operator.state) in str(p.info["cmdline"])]
    assert left == []
    assert operator.does("status")["url"] is None


def _solution(operator: Any) -> str:
    """Return the solution as the instructor's version of the notebook has it."""
    import nbformat

    source = operator.state / "homes" / "teacher" / COURSE / "source" / LAB / f"{LAB}.ipynb"
    cells = nbformat.read(source, 4).cells
    return str(next(cell.source for cell in cells if cell.id == "task_square"))


_KNOCK = """
import json, os, socket
def open_here(port):
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
own = os.environ["JUPYTERHUB_SERVICE_URL"].split(":")[2].split("/")[0]
print(own, json.dumps([port for port in {ports} if open_here(port)]))
"""


def _work(student: Any, answer: str, state: Path) -> None:
    """Log in, fetch the lab, answer, run everything, submit."""
    student.log_in()
    assert student.start_server().url.path.endswith("/lab/tree/START_HERE.md"), "the first page of all"
    assert _is_limited(state, student.name)
    lab = {"course_id": COURSE, "assignment_id": LAB}
    listed = student.call("GET", "/assignments", params={"course_id": COURSE})["value"]
    assert [(entry["assignment_id"], entry["status"]) for entry in listed] == [(LAB, "released")]
    student.call("POST", "/assignments/fetch", json=lab)

    path = f"{LAB}/{LAB}.ipynb"
    notebook = student.call("GET", f"/api/contents/{path}")["content"]
    assert "return x * x" not in json.dumps(notebook), "the solution stays with the instructor"
    next(cell for cell in notebook["cells"] if cell["id"] == "task_square")["source"] = answer
    student.call("PUT", f"/api/contents/{path}", json={"type": "notebook", "content": notebook})

    look = "import os; print([os.environ['JUPYTERHUB_USER'], *os.listdir(os.path.expanduser('~/..'))])"
    code = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    connections = psutil.net_connections("tcp")
    ports = sorted({one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN})
    calls = "print('Seccomp:\\t2' in open('/proc/self/status').read())"
    *printed, filtered, reached = student.run([*code, look, calls, _KNOCK.format(ports=ports)], path=path)
    assert filtered.strip() == "True" or why_none() or isinstance(find_jail(), NoJail), "all calls allowed"
    own = {int(student.url.rsplit(":", 1)[1]), int(reached.split()[0])}
    found = set(json.loads(reached.split(maxsplit=1)[1]))
    assert found <= own or isinstance(find_jail(), NoJail), "a seat has a network of its own"
    assert "check_square_sign: passed" in printed[2] or "3 * x" in answer
    software = set(Path(sys.prefix).parts[2:3])  # the environment itself may stand below /home
    seen = set(ast.literal_eval(printed[-1])) - software
    assert seen == {student.name} or isinstance(find_jail(), NoJail), "nobody else's home"

    submitted = student.call("POST", "/assignments/submit", json=lab)
    assert submitted["success"], submitted
    formgrader = student.web.get(f"{student.base}/formgrader")
    assert formgrader.status_code == 404, "students have no formgrader"
    teacher = student.web.get(f"{student.url}/user/teacher/api/contents")
    assert teacher.status_code in (403, 404), "nor the instructor's files"


def _is_limited(state: Path, name: str) -> bool:
    """Tell whether all of somebody's processes have an end of memory, seen from outside their jail."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if (
                environment.get("FPGACLASS_STATE_OF") == str(state)
                and environment.get("JUPYTERHUB_USER") == name
            ):
                group = f"/fpgaclass/{name}" in Path(f"/proc/{process.pid}/cgroup").read_text()
                most = re.search(r"Max data size +(\S+)", Path(f"/proc/{process.pid}/limits").read_text())
                found.append(group or (most is not None and most[1] != "unlimited"))
        except (psutil.Error, OSError):
            continue
    return bool(found) and all(found)


def _restart(operator: Any, url: str) -> None:
    """Take the class down and up again: people go home in between."""
    assert operator.does("down") is True
    again = operator.does("up", port=operator.port, foreground=False)
    assert again["url"] == url


def _fetch_feedback(student: Any) -> str:
    """Fetch the feedback and return the page, with the work still in the home."""
    student.log_in()
    student.start_server()
    lab = {"course_id": COURSE, "assignment_id": LAB}
    listed = student.call("POST", "/assignments/fetch_feedback", json=lab)["value"]
    (submission,) = next(entry for entry in listed if entry["status"] == "submitted")["submissions"]
    notebook = student.call("GET", f"/api/contents/{LAB}/{LAB}.ipynb")["content"]
    kept = next(cell for cell in notebook["cells"] if cell["id"] == "task_square")
    assert "3 * x" in kept["source"], "everybody's work is kept"
    folder = submission["local_feedback_path"]
    return str(student.call("GET", f"/api/contents/{folder}/{LAB}.html")["content"])


def _look_at_formgrader(teacher: Any, operator: Any) -> None:
    """See the marks in the formgrader, which must be allowed to show inside JupyterLab; press its buttons."""
    teacher.log_in()
    teacher.start_server()
    assert _is_limited(operator.state, "teacher")
    page = teacher.web.get(f"{teacher.base}/formgrader/gradebook")
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("frame-ancestors 'self'")
    rows = teacher.call("GET", f"/formgrader/api/submissions/{LAB}")
    assert {row["student"]: row["score"] for row in rows if row["autograded"]} == {"ada": 3, "emmy": 2}
    collected = teacher.call("POST", f"/formgrader/api/assignment/{LAB}/collect")
    assert collected["success"], collected
    graded = teacher.call("POST", f"/formgrader/api/submission/{LAB}/ada/autograde")
    if isinstance(find_jail(), NoJail) or operator.prefix or os.geteuid() != 0:
        assert graded["success"], graded
    else:
        assert not graded["success"], "root's jails do not nest, and code must not run beside the gradebook"
        assert "fpgaclass grade" in graded["log"], graded
    autograded = operator.state / "homes" / "teacher" / COURSE / "autograded" / "ada" / LAB
    assert autograded.is_dir(), "a refusal takes nothing away"
