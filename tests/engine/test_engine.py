"""The engine by itself: cells in, outputs out, the two processes and the line between them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.engine import Cell, Job, NoJail, Outcome, WarmParent, execute, find_jail
from fpgaclass.engine.names import bound_names, imported_modules, imports

JAILED = not isinstance(find_jail(), NoJail)
Run = Callable[..., list[Any]]


def test_outputs_are_those_of_a_notebook(run: Run) -> None:
    """Feedback and formgrader show them, and a person marks by them."""
    (cell,) = run(
        (
            "student",
            "import sys\nprint('a', end='')\nprint('b')\nprint('c', file=sys.stderr)\n"
            "from IPython.display import display, HTML\ndisplay(HTML('<b>x</b>'))\n!echo shell\n{'k': 1}",
        )
    )
    kinds = [(out["output_type"], out.get("name")) for out in cell.outputs]
    assert kinds == [
        ("stream", "stdout"),
        ("stream", "stderr"),
        ("display_data", None),
        ("stream", "stdout"),
        ("execute_result", None),
    ]
    assert cell.outputs[0]["text"] == "ab\n"
    assert cell.outputs[2]["data"]["text/html"] == "<b>x</b>"
    assert cell.outputs[4]["data"] == {"text/plain": "{'k': 1}"}
    assert cell.ok


def test_functions_are_called_where_they_live(run: Run) -> None:
    """Defaults, keywords, exceptions, generators, methods, arguments changed in place, printed text."""
    student = """
calls = []
class MyError(ValueError):
    pass
class Counter:
    def __init__(self, start): self.n = start
    def up(self, by=1):
        self.n += by
        return self.n
def area(w, h=2, *, scale=1):
    "an area"
    calls.append(w)
    print("computing", w)
    return w * h * scale
def fail(): raise MyError("no")
def count():
    n = 0
    while True:
        yield n
        n += 1
def sort_it(a): a.sort()
"""
    check = """
import inspect, itertools, io, contextlib
assert area(3) == 6 and area(3, scale=2, h=1) == 6
assert str(inspect.signature(area)).startswith("(w, h=") and area.__doc__ == "an area"
try:
    fail()
except ValueError as e:
    assert type(e).__name__ == "MyError" and str(e) == "no"
else:
    raise AssertionError
try:
    fail()
except MyError:
    pass
assert list(itertools.islice(count(), 4)) == [0, 1, 2, 3]
c = Counter(5)
assert c.up() == 6 and c.up(by=4) == 10 and c.n == 10
assert isinstance(c, Counter)
numbers = [3, 1, 2]
sort_it(numbers)
assert numbers == [1, 2, 3]
text = io.StringIO()
with contextlib.redirect_stdout(text):
    area(1)
assert text.getvalue() == "computing 1\\n"
assert calls == [3, 3, 1]
"""
    cells = run(("student", student), ("check", check))
    assert cells[1].ok, cells[1].outputs


def test_names_of_the_author_cannot_be_taken(run: Run) -> None:
    """Not even by making the cell that binds them fail half-way."""
    author = "limit = compute()\nsecret = 5"
    student = "secret = 99\ndef compute():\n    raise ValueError\nlen = lambda x: 0"
    cells = run(
        ("student", student),
        ("locked", author),
        ("check", "assert secret == 99"),
        ("check", "assert len('a')"),
        reserved=("limit", "secret"),
        asked=("compute",),
    )
    assert not cells[2].ok
    assert cells[3].ok, "and a builtin is the builtin"


def test_files_that_cells_write_can_be_checked(run: Run) -> None:
    """But modules that they write are not imported by a check."""
    student = "open('out.csv', 'w').write('1,2')\nopen('statistics.py', 'w').write('mean = lambda x: 9')"
    cells = run(
        ("student", student),
        (
            "check",
            "assert open('out.csv').read() == '1,2'\nimport statistics\nassert statistics.mean([1, 3]) == 2",
        ),
    )
    assert cells[1].ok, cells[1].outputs


def test_random_numbers_are_those_of_one_kernel(run: Run) -> None:
    """A network is initialised by the student's function and trained by the author's cell."""
    cells = run(
        (
            "student",
            "import numpy as np\nimport random\ndef draw(): return np.random.rand(), random.random()",
        ),
        (
            "check",
            "import numpy as np, random\nnp.random.seed(1); random.seed(1)\na = (draw(), np.random.rand())\n"
            "np.random.seed(1); random.seed(1)\nb = ((np.random.rand(), random.random()), np.random.rand())\n"
            "assert a == b",
        ),
    )
    assert cells[1].ok, cells[1].outputs


def test_a_job_is_a_function_of_bytes() -> None:
    """What a worker elsewhere gets and gives."""
    job = Job("ada", (Cell(0, "student", "print(1)", None),), files={"a": b"\x00"}, jailed=JAILED)
    assert Job.from_bytes(job.to_bytes()) == job
    outcome = Outcome.from_bytes(execute(job.to_bytes()))
    assert outcome.cells[0].outputs[0]["text"] == "1\n"


def test_nothing_imported_starts_threads_that_a_fork_loses() -> None:
    """A fork keeps one thread; what the parent imports must not rely on more, and TensorFlow does not."""
    modules = ("tensorflow", "keras", "hgq.layers", "hls4ml", "fpgaclass.card", "pynq")
    parent = WarmParent(modules, jailed=JAILED)
    try:
        assert not parent.failed
        # The OpenBLAS of numpy and that of scipy alone have threads, and renew them after a fork.
        assert parent.threads <= 2 * (os.cpu_count() or 1)
        source = (
            "import numpy as np, keras, os\n"
            "assert len(os.listdir('/proc/self/task')) <= 2\n"
            "m = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dense(1)])\n"
            "m.compile('adam', 'mse')\n"
            "m.fit(np.zeros((64, 4)), np.zeros((64, 1)), verbose=0)\n"
            "print('trained', np.dot(np.ones((50, 50)), np.ones((50, 50))).sum())"
        )
        for _ in range(2):
            outcome = parent.run(Job("ada", (Cell(0, "student", source, None),), jailed=JAILED))
            assert outcome.cells[0].ok, outcome.cells[0].outputs
    finally:
        parent.close()


def test_an_ordinary_user_can_grade(tmp_path: Path) -> None:
    """Namespaces nest differently for root and for everybody else; both must hold."""
    if os.geteuid() or not JAILED:
        pytest.skip("run by an ordinary user, every test here shows it")
    python = Path(sys.executable).resolve()
    readable = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", str(python), "-c", "import numpy, IPython"],
        capture_output=True,
        cwd="/",
        check=False,
    )
    if readable.returncode:
        pytest.skip("this environment is readable by root alone")
    code = (
        "from fpgaclass.engine import *; print(execute_job(Job('a', (Cell(0, 'check', None, 'assert 1'),))))"
    )
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd="/",
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        check=False,
    )
    assert "ok=True" in done.stdout, done.stderr


def test_names_are_read_from_the_text() -> None:
    """Who answers for a name is decided before anything runs."""
    source = "%matplotlib inline\nimport numpy as np\nfrom a.b import c\n"
    source += "for k in x:\n    y, (z, *w) = 1\nwith f() as g: pass"
    assert bound_names(source) == {"np", "c", "k", "y", "z", "w", "g"}
    assert bound_names("def f(:") == frozenset()
    assert imports("import math\nx = 1") == ("import math",)
    assert imported_modules("from fpgaclass import muon\nimport numpy as np") == (
        "fpgaclass",
        "fpgaclass.muon",
        "numpy",
    )
