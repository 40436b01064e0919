"""What a submission tries against the engine, with real processes: marks without work, another's things."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import nbformat
import pytest

from fpgaclass.engine import (
    Job,
    Master,
    MasterCell,
    NoJail,
    Outcome,
    UnreadableError,
    execute_job,
    find_jail,
    read_cells,
    restore,
)
from fpgaclass.engine.models import rebuild
from fpgaclass.engine.names import imports
from fpgaclass.engine.outputs import clean_output
from fpgaclass.engine.wire import WireError

Run = Callable[..., list[Any]]
OutcomeOf = Callable[..., Outcome]
pytestmark = pytest.mark.skipif(isinstance(find_jail(), NoJail), reason="no jail on this machine")

TAKEN_OVER = """
import gc, struct, time
from fpgaclass.engine.answers import Answers
mine = [one for one in gc.get_objects() if isinstance(one, Answers)][0]._wire._sock
def send(head):
    mine.sendall(struct.pack("!II", len(head), 0) + head)
    time.sleep(60)
"""
"""A cell that speaks for itself on the line to the checking process."""


@pytest.mark.parametrize(
    "stop", ["StopIteration", "StopAsyncIteration", "type('Mine', (StopIteration,), {})"]
)
def test_an_exception_does_not_end_the_loop_of_a_check(run: Run, stop: str) -> None:
    """`all(map(f, cases))` is true at once if the first call raises StopIteration: full marks."""
    cells = run(
        ("student", f"stop = {stop}\ndef f(x):\n    raise stop"), ("check", "assert all(map(f, [1, 2, 3]))")
    )
    assert not cells[1].ok


def test_an_object_cannot_say_two_things_about_its_length(run: Run) -> None:
    """Three values by its length, and a loop over it looks at none: each of the two alone is plausible."""
    liar = "class Liar:\n    def __len__(self): return 3\n    def __iter__(self): return iter(())\nx = Liar()"
    honest = liar.replace("iter(())", "iter((1, 2, 3))")
    check = "assert len(x) == 3\nassert all(value > 0 for value in x)"
    assert not run(("student", liar), ("check", check))[1].ok
    assert run(("student", honest), ("check", check))[1].ok
    grows = (
        "class Bag:\n    def __init__(self): self.items = []\n    def add(self, x): self.items.append(x)\n"
        "    def __len__(self): return len(self.items)\n    def __iter__(self): return iter(self.items)"
    )
    use = "b = Bag()\nassert len(b) == 0\nb.add(5)\nassert list(b) == [5] and len(b) == 1"
    assert run(("student", grows), ("check", use))[1].ok


def test_files_of_the_author_cannot_be_written_over(run: Run) -> None:
    """A check reads its reference from a file: released beside the notebook, or written by a locked cell."""
    swap = """
from fpgaclass.engine.answers import Answers
forged = dict.fromkeys(("./truth.csv", "sub//more.csv", "made.csv", "./made.csv", "own.csv"), b"mine")
Answers._do_files = lambda self, asked, reply: forged
"""
    check = """
from pathlib import Path
assert Path("truth.csv").read_text() == Path("sub/more.csv").read_text() == "given"
assert Path("made.csv").read_text() == "made"
assert Path("own.csv").read_text() == "mine"
"""
    given = {"truth.csv": b"given", "sub/more.csv": b"given"}
    cells = run(
        ("locked", "open('made.csv', 'w').write('made')"),
        ("student", swap),
        ("check", check),
        ("check", check),
        given=given,
    )
    assert cells[2].ok, cells[2].outputs
    assert cells[3].ok


def test_a_file_that_the_author_writes_later_is_the_authors(run: Run) -> None:
    """Who has a file of its name first is not believed to the end: a locked cell's numbers stay its own."""
    cells = run(
        ("student", "open('made.csv', 'w').write('mine')\nopen('own.csv', 'w').write('1')"),
        ("check", "assert open('made.csv').read() == 'mine' and open('own.csv').read() == '1'"),
        ("locked", "open('made.csv', 'w').write('made')"),
        ("student", "open('made.csv', 'w').write('more')\nopen('own.csv', 'w').write('2')"),
        ("check", "assert open('made.csv').read() == 'made' and open('own.csv').read() == '2'"),
    )
    assert cells[1].ok, cells[1].outputs
    assert cells[4].ok, cells[4].outputs


@pytest.mark.parametrize("where", ["in the check's own call", "in cells before it"])
def test_a_flood_of_output_hides_nothing_that_a_mark_depends_on(run: Run, where: str) -> None:
    """nbgrader gives full marks to a check that shows nothing: the number for a part must not be cut."""
    flood = "print('x' * 1_999_990)"
    inside = f"def f():\n    {flood}\n    return 1"
    before = [("student", flood)] * 6 if where == "in cells before it" else []
    answer = ("student", inside if not before else "def f(): return 1")
    part = ("check", "0.5 if f() == 2 else 0.25")
    said = ("check", "import sys\nf()\nprint('wrong', file=sys.stderr)")
    *_, partial, told = run(*before, answer, part, said)
    shown = [one["data"] for one in partial.outputs if one["output_type"] == "execute_result"]
    assert shown == [{"text/plain": "0.25"}]
    assert any(one.get("name") == "stderr" for one in told.outputs)


def test_errors_take_no_more_room_than_other_outputs(outcome_of: OutcomeOf) -> None:
    """If each were kept, whatever it says, some hundred cells would take the grader's memory."""
    cry = "class E(Exception):\n    def _render_traceback_(self): return ['x' * 19_000] * 90\nraise E"
    outcome = outcome_of(*[("student", cry)] * 12, ("check", "assert 1 == 2, 'no'"))
    assert len(outcome.to_bytes()) < 11e6
    assert outcome.cells[-1].outputs[0]["evalue"] == "no"


def test_a_program_that_a_check_starts_imports_nothing_of_the_students(run: Run) -> None:
    """Their files lie in its working directory, where `python -m` would look first."""
    module = "open('statistics.py', 'w').write('print(\"theirs\")')"
    check = """
import subprocess, sys
told = subprocess.run([sys.executable, "-c", "import statistics"], capture_output=True, text=True)
assert not told.stdout, told.stdout
"""
    cells = run(("student", module), ("check", check))
    assert cells[1].ok, cells[1].outputs


WITH_A_KEY = """
import ctypes, os, subprocess, sys
from fpgaclass.engine import Person, find_jail
from fpgaclass.engine.parent import _POWERS
libc = ctypes.CDLL(None)
libc.syscall(250, 1, None)
libc.syscall(248, b"user", b"of the instructor", b"secret", 6, -3)
inside = '''
import ctypes, os
from fpgaclass.engine import namespaces
namespaces.enter_filter = lambda: None
libc = ctypes.CDLL(None)
def look(name):
    return libc.syscall(250, 10, -3, b"user", name, 0) > 0
print(look(b"of the instructor"), flush=True)
own = os.open("/proc/self/ns/pid", os.O_RDONLY)
for turn in range(2):
    namespaces.new_pid_namespace(own)
    pid = os.fork()
    if not pid:
        namespaces.enter(namespaces.Limits(), 61000 + turn if BY_ROOT else None)
        print(look(b"of the instructor"), look(b"from the first"), flush=True)
        libc.syscall(248, b"user", b"from the first", b"x", 1, -3)
        os._exit(0)
    os.waitpid(pid, 0)
'''
jail = find_jail()
words = [sys.executable, "-c", inside.replace("BY_ROOT", str(jail.by_root))]
person = Person("grader", None, "/tmp")
subprocess.run(jail.command(words, person, (), network=False, cwd="/", keep=_POWERS), check=True)
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of the calls are those of x86_64")
def test_the_keys_of_a_login_are_not_shared() -> None:
    """No namespace cuts the kernel's session keyring off: tickets to read, a place to leave answers.

    The filter of calls refuses to ask for a key at all; a machine for which there is none has this alone.
    """
    done = subprocess.run([sys.executable, "-c", WITH_A_KEY], capture_output=True, text=True, check=False)
    assert done.stdout == "True\nFalse False\nFalse False\n", done.stderr


def test_odd_outputs_leave_a_notebook_that_others_can_read(run: Run) -> None:
    """The formgrader and the feedback of the whole class read what is made of them."""
    deep: Any = 0
    for _ in range(400):
        deep = [deep]
    odd = [
        {
            "output_type": "display_data",
            "data": {"text/plain": 5, "image/png": {"a": 1}, "text/html": ["a", 1]},
        },
        {"output_type": "display_data", "data": {"text/plain": deep, "application/json": deep}},
        {"output_type": "display_data", "data": {"application/json": {"a": [1]}}, "metadata": {"a": deep}},
        {"output_type": "execute_result", "data": {"text/plain": ["a", "b"]}, "execution_count": "x"},
        {"output_type": "error", "ename": 3, "evalue": None, "traceback": {"a": 1}},
        {"output_type": "stream", "name": "stdout", "text": ["a"]},
        {"output_type": "update_display_data", "data": {}},
        [],
    ]
    cleaned = [one for one in map(clean_output, odd) if one]
    assert [one.get("data") for one in cleaned[:2]] == [
        {"application/json": {"a": [1]}},
        {"text/plain": ["a", "b"]},
    ]
    cell = nbformat.v4.new_code_cell("", outputs=[nbformat.from_dict(one) for one in cleaned])
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))
    head = json.dumps({"ok": True, "count": "x", "outputs": odd, "value": None, "#": []})
    cells = run(("student", f"{TAKEN_OVER}\nsend({head.encode()!r})"), ("check", "assert 1"), cell_seconds=2)
    assert cells[0].count is None
    assert cells[1].ok


@pytest.mark.parametrize(
    "head",
    [
        """b'{"outputs":[' + b'[],' * 30_000_000 + b'[]],"#":[]}'""",
        """b'{"value":' + b'[' * 5000 + b']' * 5000 + b',"#":[]}'""",
        """b'{"outputs":{"a":1},"value":{"t":"range","v":[]},"ok":true,"#":[0,0,-1]}'""",
    ],
    ids=["thirty million lists", "lists in lists", "sizes below nothing"],
)
def test_a_message_made_to_break_its_reader_costs_its_sender(outcome_of: OutcomeOf, head: str) -> None:
    """Called the machine's fault, it would be tried three times, and again with each run."""
    outcome = outcome_of(
        ("student", f"{TAKEN_OVER}\nsend({head})"),
        ("check", "assert 1"),
        ("check", "assert x"),
        cell_seconds=20,
        memory=1_500_000_000,
    )
    assert not outcome.trouble
    assert outcome.attempts == 1
    assert "cannot be read" in outcome.gone
    assert [cell.ok for cell in outcome.cells] == [False, True, False]


def test_a_value_that_takes_a_check_for_ever_is_the_students_fault(
    outcome_of: OutcomeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sum over ten billion numbers is one step of C, which no signal ends."""
    monkeypatch.setattr("fpgaclass.engine.parent._BACKSTOP", 2.0)
    started = time.monotonic()
    outcome = outcome_of(
        ("student", "x = range(10**13)"),
        ("check", "assert len(x)"),
        ("check", "assert sum(x) == 3"),
        cell_seconds=1,
        total_seconds=3,
    )
    assert time.monotonic() - started < 20
    assert (outcome.trouble, outcome.attempts) == ("", 1)
    assert "could not be stopped" in outcome.gone
    assert [cell.ok for cell in outcome.cells] == [True, True]


@pytest.mark.parametrize(
    "keep",
    [
        "files.append(libc.memfd_create(b'x', 0)); os.write(files[-1], block)",
        "m = mmap.mmap(-1, len(block)); m.write(block); files.append(m)",
    ],
    ids=["files without a name", "memory that is shared"],
)
def test_memory_that_is_no_processs_own_counts(outcome_of: OutcomeOf, keep: str) -> None:
    """Neither is in what a process has for itself: 1024 files of 100 MB fill any machine."""
    hungry = "import ctypes, mmap, os, time\nlibc = ctypes.CDLL(None)\n"  # some lack os.memfd_create
    hungry += "files, block = [], b'x' * 90_000_000\nfor _ in range(6):\n"
    hungry += f"    {keep}\n    time.sleep(.2)"
    quick = [("student", "pass")] * 3  # cells that end all the time do not hide it
    outcome = outcome_of(("student", hungry), ("student", "time.sleep(3)"), *quick, memory=300_000_000)
    assert "of memory were used" in outcome.gone


def test_a_text_keeps_its_pictures_and_nothing_else() -> None:
    """A person marks a plot that was pasted into an answer; a page with the student's HTML in it, nobody."""
    bundle = {"plot.png": {"image/png": "iVBO", "text/html": "<b>"}, 'x"y': {"image/png": "AAAA"}}
    attached = bundle | {"b": {"image/png": '" onerror="1'}, "c": 5, "d": {"image/svg+xml": "<svg>"}}
    text = {"cell_type": "markdown", "metadata": {}, "source": "![](attachment:plot.png)", "id": "a"}
    cell = MasterCell(
        "markdown", "", "", "a", {"grade_id": "a", "grade": True, "solution": True, "points": 1}
    )
    given = {"cells": [text | {"attachments": attached}], "metadata": {}}
    restored = restore(Master("lab", (cell,)), json.dumps(given))
    assert restored.notebook["cells"][0]["attachments"] == {"plot.png": {"image/png": "iVBO"}}
    nbformat.validate(nbformat.from_dict(restored.notebook))


def test_a_notebook_of_millions_of_parts_is_refused_unread() -> None:
    """Fifty megabytes of empty lists take a gigabyte of the grader's memory."""
    with pytest.raises(UnreadableError, match="millions of parts"):
        read_cells(b'{"cells": [' + b"[]," * 5_000_000 + b"[]]}")


def test_modules_of_the_solution_are_the_authors_wherever_it_imports_them() -> None:
    """A student who answers for `np` answers for `np.allclose`."""
    source = (
        "try:\n    import numpy as np\nexcept ImportError:\n    import cupy as np\ndef f():\n    import os"
    )
    assert imports(source) == ("import numpy as np", "import cupy as np")


def test_an_edited_import_does_not_make_its_module_the_students() -> None:
    """One comment in the first cell of a notebook, and `np.allclose` in every check is the student's word."""
    first = MasterCell("code", "import numpy as np\nlimit = 3", "import numpy as np\nlimit = 3", "first")
    grading = {"grade_id": "check", "grade": True, "solution": False, "points": 1, "locked": True}
    check = MasterCell("code", "assert np.allclose(1, 2)", "assert np.allclose(1, 2)", "check", grading)
    fake = "class np:\n    allclose = staticmethod(lambda *a: True)\nlimit = 4"
    cell = {"cell_type": "code", "metadata": {}, "source": fake, "id": "first"}
    restored = restore(Master("lab", (first, check)), json.dumps({"cells": [cell]}))
    outcome = execute_job(Job("mallory", restored.cells, restored.reserved, ("numpy",)))
    assert [one.ok for one in outcome.cells] == [True, False]
    assert "AssertionError" in str(outcome.cells[1].outputs)


@pytest.mark.parametrize("name", ["StringLookup", "TextVectorization", "FlaxLayer", "TFSMLayer", "Lambda"])
def test_models_bring_no_files_and_no_code(name: str) -> None:
    """Some layers of Keras read a file that their configuration names, or call what it names."""
    config = {"class_name": name, "module": "keras.layers", "config": {"vocabulary": "secret.txt"}}
    with pytest.raises(WireError, match=name):
        rebuild(json.dumps(config), [])
