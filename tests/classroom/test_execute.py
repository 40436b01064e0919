"""One notebook in the jail: what it may not do, and that it gets no points for what it did not do."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from nbformat import v4

from fpgaclass.classroom.execute import JailedExecute
from fpgaclass.core import ClassroomError
from fpgaclass.engine.sandbox import NoJail, find_jail


def _run(folder: Path, *sources: str, **limits: Any) -> list[str]:
    """Execute cells as nbgrader does, and return for each what it printed and how it failed."""
    if isinstance(find_jail(), NoJail):
        pytest.skip(find_jail().reason)
    folder.mkdir(exist_ok=True)
    cells = [v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3"}
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    resources = {"nbgrader": {"student": "ada"}, "metadata": {"path": str(folder)}}
    done, _ = JailedExecute(**limits).preprocess(notebook, resources)
    return [
        "".join(o.get("text", f"{o.get('ename')}: {o.get('evalue')}") for o in c.outputs) for c in done.cells
    ]


def test_it_sees_its_own_files_and_nobody_elses(tmp_path: Path) -> None:
    """Data that was submitted along is needed; the gradebook two folders up is not."""
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "data.txt").write_text("of ada")
    (tmp_path / "gradebook.db").write_text("marks")
    printed = _run(
        folder,
        "print(open('data.txt').read())",
        f"import os; print(os.path.exists({str(tmp_path / 'gradebook.db')!r}), os.listdir('..'))",
        "from fpgaclass.lab import student_seed; print(student_seed() == student_seed('ada'))",
        "import socket; socket.create_connection(('127.0.0.1', 22), 5)",
        "open('data.txt', 'w').write('changed'); print(os.environ.get('JUPYTERHUB_API_TOKEN'))",
    )
    assert printed[0] == "of ada\n"
    assert "False" in printed[1]
    assert "gradebook.db" not in printed[1]
    assert printed[2] == "True\n", "a lab with a seed of one's own is graded with its author's"
    assert "refused" in printed[3] or "unreachable" in printed[3]
    assert printed[4] == "None\n"
    assert (folder / "data.txt").read_text() == "of ada", "what code writes stays in its jail"


def test_an_endless_loop_ends_and_the_next_cell_runs(tmp_path: Path) -> None:
    """The most common accident of a class, and the others wait for it."""
    started = time.monotonic()
    printed = _run(tmp_path / "lab", "while True: pass", "print('on')", timeout=2)
    assert "CellTimeoutError" in printed[0]
    assert printed[1] == "on\n"
    assert time.monotonic() - started < 30


def test_a_loop_that_ignores_interrupts_ends_the_notebook(tmp_path: Path) -> None:
    """With stock nbgrader every later cell waited for its own limit."""
    stubborn = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    printed = _run(tmp_path / "lab", stubborn, "print(1)", "print(2)", timeout=2)
    assert "the kernel did not answer any more" in printed[0]
    assert printed[1:] == printed[:1] * 2


def test_the_whole_notebook_has_a_limit(tmp_path: Path) -> None:
    """A hundred cells that each stay below the limit of one still hold up the class for hours."""
    naps = ["import time; time.sleep(1.5); print('slept')"] * 4
    printed = _run(tmp_path / "lab", *naps, timeout=20, total_timeout=4)
    assert printed[0] == "slept\n"
    assert "more than 4 s" in printed[-1] or "CellTimeoutError" in printed[-1]


def test_a_flood_of_output_is_cut(tmp_path: Path) -> None:
    """1 GB printed made the grader grow to 1.9 GB; a later cell must still be heard."""
    printed = _run(
        tmp_path / "lab", "for i in range(100): print('x' * 10**6)", "print('on')", output_limit=10**6
    )
    assert len(printed[0]) < 2.1e6
    assert printed[0].endswith("[the rest was cut]\n")
    assert printed[1] == "on\n"


def test_a_check_that_did_not_reach_its_end_fails(tmp_path: Path) -> None:
    """nbgrader takes a check without output for a check that passed."""
    if isinstance(find_jail(), NoJail):
        pytest.skip(find_jail().reason)
    (tmp_path / "lab").mkdir()
    check = v4.new_code_cell('assert True\nprint("check_a: passed")')
    check.metadata["nbgrader"] = {"grade": True, "solution": False, "grade_id": "a", "points": 1}
    hack = "get_ipython().input_transformers_post.append(lambda lines: ['pass\\n'])"
    kernel = {"name": "python3", "display_name": "Python 3"}
    for before, failed in (("x = 1", False), (hack, True)):
        notebook = v4.new_notebook(cells=[v4.new_code_cell(before), check.copy()])
        notebook.metadata["kernelspec"] = kernel
        resources = {"nbgrader": {"student": "ada"}, "metadata": {"path": str(tmp_path / "lab")}}
        done, _ = JailedExecute().preprocess(notebook, resources)
        names = [output.get("ename") for output in done.cells[1].outputs]
        assert ("NotRun" in names) is failed


def test_nothing_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that outlives its grading works on, for the next one's mark or for a miner."""
    import psutil

    daemon = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.environ["X"] = "1"; os.execvp("sleep", ["sleep", "987654"])
    os._exit(0)
print("started")
"""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert _run(tmp_path / "lab", daemon) == ["started\n"]
    time.sleep(0.5)
    assert not [p for p in psutil.process_iter(["cmdline"]) if "987654" in (p.info["cmdline"] or [])]
    assert [path.name for path in tmp_path.iterdir()] == ["lab"]


def test_a_server_of_a_class_with_jails_never_goes_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The formgrader's button must not run students' code where it can change the gradebook."""
    monkeypatch.setenv("FPGACLASS_SEAT", "jailed")
    monkeypatch.setenv("FPGACLASS_NO_JAIL", "1")
    find_jail.cache_clear()
    try:
        with pytest.raises(ClassroomError, match=r"cannot be run safely.*Next: run `fpgaclass grade`"):
            JailedExecute().preprocess(v4.new_notebook(), {"metadata": {"path": str(tmp_path)}})
    finally:
        find_jail.cache_clear()
