"""The table of hostile and broken submissions: each has a mark and a message, and hurts nobody else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from fpgaclass.engine import NoJail, find_jail

LAB = "01_small"
pytestmark = pytest.mark.skipif(isinstance(find_jail(), NoJail), reason="no jail on this machine")


def _errors(notebook: Any) -> str:
    """Return all errors of a graded notebook."""
    return "\n".join(
        f"{output['ename']}: {output['evalue']}"
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
        if output["output_type"] == "error"
    )


def _first(code: str) -> Callable[[list[dict[str, Any]]], None]:
    """Put a cell of the student's own at the top."""

    def change(cells: list[dict[str, Any]]) -> None:
        cells.insert(0, _cell(code))

    return change


def _cell(code: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": code, "outputs": [], "execution_count": None}


EQUAL = """
class Anything:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __gt__ = __le__ = __ge__ = __contains__ = __lt__
    def __bool__(self): return True
    def __call__(self, *a, **k): return self
    def __getattr__(self, name): return self
    def __getitem__(self, key): return self
    def __iter__(self): return iter([self])
    def __len__(self): return 3
    def __float__(self): return 1.0
    def __array__(self, dtype=None, copy=None): return __import__("numpy").array([1.0, 4.0])
    def __sub__(self, other): return 0.0
    __add__ = __mul__ = __rsub__ = __radd__ = __rmul__ = __sub__
square = order = best = Anything()
"""
TRANSFORMER = """
from IPython import get_ipython
get_ipython().input_transformers_post.append(lambda lines: ["print('check_square: passed')\\n"])
rewrite = type("T", (), {"visit": lambda self, node: __import__("ast").parse("1")})
get_ipython().ast_transformers.append(rewrite())
"""
PATCHES = """
import builtins, sys
from fpgaclass.lab import check
for name in check.__all__:
    setattr(check, name, lambda *a, **k: None)
builtins.AssertionError = None
import numpy
numpy.array_equal = numpy.allclose = lambda *a, **k: True
LIMIT = 1e9
table = {"one": 1, "two": 2}
doubled = [0, 2, 8]
def __getattr__(name): return None
"""
FORGED_LINE = """
import socket, os, json, struct
for fd in range(3, 64):
    try:
        forged = {"cell": 5, "ok": True, "outputs": [], "count": 1, "done": True, "value": 9, "#": []}
        head = json.dumps(forged).encode()
        os.write(fd, struct.pack("!II", len(head), 0) + head)
    except OSError:
        pass
"""


@pytest.mark.parametrize(
    ("code", "most"),
    [(EQUAL, 0), (TRANSFORMER, 0), (PATCHES, 0), (FORGED_LINE, 0)],
    ids=["an object equal to everything", "input transformers", "patched helpers", "forged messages"],
)
def test_tricks_give_nothing(folder: Any, code: str, most: float) -> None:
    """Both of the first gave full marks on a blank notebook with every grader that was tried."""
    folder.submit("mallory", square=None, order=None, change=lambda cells: cells.append(_cell(code)))
    folder.submit("trudy", square=code, order=code)
    folder.submit("ada")
    done = folder.mark(jobs=2, cell_seconds=20)
    assert folder.read("mallory").total <= most
    assert folder.read("trudy").total <= most
    assert folder.read("ada").total == 6, "and the honest one beside them has what is theirs"
    assert done["mallory"].status == done["trudy"].status == "graded"


def test_an_endless_loop_costs_its_own_cell(folder: Any) -> None:
    """The most common accident of a class: the task after it still counts."""
    folder.submit("ada", square="while True: pass")
    done = folder.mark(cell_seconds=2)
    assert "CellTimeoutError" in _errors(folder.graded("ada"))
    assert done["ada"].status == "graded"
    assert folder.read("ada").points["check_order"] == 2


def test_a_loop_that_ignores_interrupts_ends_its_notebook(folder: Any) -> None:
    """Stock autograding gave such a submission no score and said nothing."""
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    folder.submit("ada", order=stubborn)
    started = time.monotonic()
    done = folder.mark(cell_seconds=2)
    assert time.monotonic() - started < 40
    assert "did not answer any more" in done["ada"].note
    assert folder.read("ada").total == 3, "what was checked before counts"


def test_a_function_that_never_returns_fails_its_check(folder: Any) -> None:
    """The check calls it: the time of a cell holds there, too."""
    folder.submit("ada", square="def square(x):\n    while x == -2: pass\n    return x * x")
    folder.mark(cell_seconds=2)
    points = folder.read("ada").points
    assert (points["check_square"], points["check_square_sign"], points["check_order"]) == (2, 0, 2)
    assert "took longer" in _errors(folder.graded("ada"))


def test_the_whole_notebook_has_a_limit(folder: Any) -> None:
    """A hundred cells that each stay below the limit of one still hold up the class for hours."""

    def slow(cells: list[dict[str, Any]]) -> None:
        cells[:0] = [_cell("import time; time.sleep(1.5)")] * 5

    folder.submit("ada", change=slow)
    done = folder.mark(cell_seconds=20, total_seconds=3)
    assert "more than 3 s" in done["ada"].note
    assert folder.read("ada").total < 6


def test_a_flood_of_output_is_cut(folder: Any) -> None:
    """1 GB printed made the stock grader grow to 1.9 GB."""
    import psutil

    flood = (
        "for i in range(1000): print('x' * 10**6)\nimport os\nfor i in range(300): os.write(1, b'y' * 10**6)"
    )
    folder.submit("ada", change=_first(flood))
    before = psutil.Process().memory_info().rss  # of tests that ran before, TensorFlow among them
    folder.mark()
    assert folder.read("ada").total == 6
    assert len((folder.root / "autograded" / "ada" / LAB / f"{LAB}.ipynb").read_text()) < 12e6
    assert psutil.Process().memory_info().rss - before < 300e6


def test_a_function_that_prints_without_end_is_cut(folder: Any) -> None:
    """What a check's call prints comes over the same line as its answer."""
    folder.submit("ada", square="def square(x):\n    print('x' * 50_000_000)\n    return x * x")
    folder.mark()
    assert folder.read("ada").total == 6
    assert len((folder.root / "autograded" / "ada" / LAB / f"{LAB}.ipynb").read_text()) < 25e6


def test_a_fork_bomb_is_refused(folder: Any) -> None:
    """Sixty forks all succeeded with stock grading; here the limit is the submission's own."""
    bomb = """
import os, time
n = 0
try:
    while n < 3000:
        if os.fork() == 0:
            time.sleep(100)
            os._exit(0)
        n += 1
except OSError as trouble:
    print("refused", n, trouble)
"""
    folder.submit("mallory", change=_first(bomb))
    folder.submit("ada")
    folder.mark(jobs=2)
    text = json.dumps(folder.graded("mallory"))
    assert "refused" in text or "processes ran at once" in text
    assert folder.read("ada").total == 6


def test_a_fork_bomb_without_end_is_ended(folder: Any) -> None:
    """It would hold every processor of the machine for as long as a cell may take, which is ten minutes."""
    folder.submit(
        "mallory",
        change=_first(
            "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
        ),
    )
    folder.submit("ada")
    started = time.monotonic()
    done = folder.mark(jobs=2)
    assert time.monotonic() - started < 120
    assert "more than 128 processes ran at once" in done["mallory"].note
    assert folder.read("mallory").total == 0
    assert folder.read("ada").total == 6


def test_nothing_stays_behind(folder: Any) -> None:
    """A child that outlives its grading works on, for the next one's mark or for a miner."""
    import psutil

    daemon = """
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "987654"])
    os._exit(0)
"""
    folder.submit("ada", change=_first(daemon))
    folder.mark()
    deadline = time.monotonic() + 30
    while [p for p in psutil.process_iter(["cmdline"]) if "987654" in (p.info["cmdline"] or [])]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_gradebook_solutions_and_grader_are_out_of_reach(folder: Any) -> None:
    """With stock grading one cell set every student's marks to 99, and another printed the solution."""
    probe = f"""
import os, signal
found = []
for path in ({str(folder.root)!r}, {str(folder.root / "gradebook.db")!r}, {str(folder.root / "source")!r}):
    found.append(os.path.exists(path))
def reaches(pid):
    try:
        os.kill(pid, 0)
        return True
    except OSError:
        return False
import socket
try:
    socket.create_connection(("127.0.0.1", 22), 2)
    found.append(True)
except OSError:
    found.append(False)
others = [pid for pid in range(2, 5000) if reaches(pid)]
print("FOUND", found, "OTHERS", others, "PARENT", os.getppid())
text = "".join(repr(v) for v in list(globals().values()))
import gc
print("HIDDEN", any("doubled == [0, 2, 8]" in o for o in gc.get_objects() if isinstance(o, str)))
"""
    folder.submit("ada", change=lambda cells: cells.append(_cell(probe)))
    folder.mark()
    text = json.dumps(folder.graded("ada"))
    assert "FOUND [False, False, False, False] OTHERS [] PARENT 0" in text
    assert "HIDDEN False" in text, "hidden tests never enter the student's process"


def test_memory_is_limited(folder: Any) -> None:
    """6 GB of memory grew until the machine's own killer chose a victim."""
    hungry = "parts = []\nfor n in range(60):\n    parts.append(bytearray(100_000_000))"
    folder.submit("ada", change=_first(hungry))
    folder.mark(memory=1_000_000_000)
    assert "MemoryError" in _errors(folder.graded("ada"))
    assert folder.read("ada").total == 6


def test_memory_of_all_children_together_is_limited(folder: Any) -> None:
    """Ten children of 200 MB each stay below the limit of one process."""
    family = """
import os, time
for _ in range(10):
    if os.fork() == 0:
        block = bytearray(200_000_000)
        for k in range(0, len(block), 4096): block[k] = 1
        time.sleep(60)
        os._exit(0)
time.sleep(30)
"""
    folder.submit("ada", change=_first(family))
    done = folder.mark(memory=800_000_000, cell_seconds=50)
    assert "of memory were used" in done["ada"].note
    assert folder.read("ada").total == 0


def test_large_files_are_refused(folder: Any) -> None:
    """A full /tmp of the grading machine stops everybody."""
    folder.submit("ada", change=_first("open('big', 'wb').write(b'x' * 200_000_000)"))
    folder.mark()
    assert "File too large" in _errors(folder.graded("ada"))
    assert folder.read("ada").total == 6


@pytest.mark.parametrize(
    "code", ["import os; os._exit(0)", "import ctypes; ctypes.string_at(0)", "import sys; sys.exit(3)"]
)
def test_a_kernel_that_ends_says_so(folder: Any, code: str) -> None:
    """Stock grading leaves such a submission without a mark, and says so nowhere."""
    folder.submit("ada", order=code)
    done = folder.mark()["ada"]
    assert done.status == "graded"
    assert folder.read("ada").total == 3
    assert "the kernel died" in done.note or "SystemExit" in _errors(folder.graded("ada"))


def test_checks_points_and_locks_come_from_the_release(folder: Any) -> None:
    """Deleted, edited, doubled, stripped: nbgrader gave no score, or a misleading error."""

    def deleted(cells: list[dict[str, Any]]) -> None:
        cells[:] = [cell for cell in cells if not cell["id"].startswith("check")]

    def edited(cells: list[dict[str, Any]]) -> None:
        for cell in cells:
            if cell["id"].startswith(("check", "given")):
                cell["source"] = "pass"
                cell["metadata"]["nbgrader"]["points"] = 50
                cell["metadata"]["nbgrader"]["locked"] = False

    def stripped(cells: list[dict[str, Any]]) -> None:
        for cell in cells:
            cell["metadata"] = {}

    def doubled(cells: list[dict[str, Any]]) -> None:
        cells += [json.loads(json.dumps(cell)) for cell in cells]

    def swapped(cells: list[dict[str, Any]]) -> None:
        cells.reverse()

    def retyped(cells: list[dict[str, Any]]) -> None:
        for cell in cells:
            cell["cell_type"] = "markdown" if cell["cell_type"] == "code" else "code"

    def claimed(cells: list[dict[str, Any]]) -> None:
        for cell in cells:
            if cell["metadata"].get("nbgrader"):
                cell["metadata"]["nbgrader"] |= {"grade": False, "solution": True, "task": False}

    for n, change in enumerate((deleted, edited, stripped, doubled, swapped, retyped, claimed)):
        folder.submit(f"right{n}", change=change)
        folder.submit(f"wrong{n}", square="def square(x):\n    return 0", order=None, change=change)
    done = folder.mark(jobs=2)
    assert {one.status for one in done.values()} == {"graded"}
    for n in range(7):
        assert folder.read(f"right{n}").total == 6, n
        assert folder.read(f"wrong{n}").total == 0, n
    assert "check_square was missing and put back" in done["right0"].note
    assert "was there 2 times" in done["right3"].note


def test_what_is_no_notebook_is_named_and_the_batch_goes_on(folder: Any) -> None:
    """Thirty notebooks wait behind the one that a student edited by hand."""
    for student, text in {
        "corrupt": '{"cells": [',
        "empty": "",
        "list": "[]",
        "deep": "[" * 100_000,
        "binary": "\x00\xff",
        "null": '{"cells": null}',
        "numbers": '{"cells": [1, 2, {"cell_type": "code", "source": 3}], "metadata": 7}',
    }.items():
        folder.submit(student, text=lambda _, text=text: text)
    folder.submit("elsewhere", name="my answer.ipynb")
    folder.submit("ada")
    done = folder.mark(jobs=2)
    assert folder.read("ada").total == 6
    for student in ("corrupt", "empty", "list", "deep", "binary", "null", "elsewhere"):
        assert done[student].status == "failed"
        assert f"ask {student} to" in done[student].note
    assert done["numbers"].status == "graded"
    assert folder.read("numbers").total == 0
    assert "there is my answer.ipynb" in done["elsewhere"].note


def test_one_submission_leaves_nothing_for_the_next(folder: Any) -> None:
    """A fork that could change what the next one finds would make marks depend on the order."""
    leave = """
import os, sys, builtins, numpy, ctypes
left = []
package = os.path.dirname(numpy.__file__)
for place in ("/tmp", "/dev/shm", "/", "/dev", "/var/tmp", "/usr", sys.prefix, package):
    try:
        open(os.path.join(place, "left_behind"), "w").write("x")
        left.append(place)
    except OSError:
        pass
numpy.left_behind = builtins.left_behind = True
libc = ctypes.CDLL(None, use_errno=True)
segment = libc.shmget(0x1234, 4096, 0o1666)
print("WROTE", left, "SEGMENT", segment >= 0)
writable = [line for line in open("/proc/self/maps") if "rw-s" in line]
print("SHARED", writable)
others = [pid for pid in range(2, 50) if pid != os.getpid()]
print("TRACED", libc.ptrace(16, 1, 0, 0), [libc.ptrace(16, pid, 0, 0) for pid in others].count(0))
libc.syscall(248, b"user", b"left_behind", b"x", 1, -4)
"""
    look = """
import os, builtins, numpy, ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
places = ("/tmp", "/dev/shm", "/", "/dev", "/var/tmp", "/usr", sys.prefix, os.path.dirname(numpy.__file__))
print("FILES", [p for p in places if os.path.exists(os.path.join(p, "left_behind"))])
print("NAMES", hasattr(numpy, "left_behind"), hasattr(builtins, "left_behind"))
segment, key = libc.shmget(0x1234, 4096, 0o666), libc.syscall(249, b"user", b"left_behind", 0, 0)
print("SEGMENT", segment >= 0, "KEY", key > 0)
"""
    folder.submit("a", change=_first(leave))
    folder.submit("b", change=_first(look))
    folder.mark(jobs=1)
    left, found = json.dumps(folder.graded("a")), json.dumps(folder.graded("b"))
    assert "SHARED []" in left
    assert "WROTE ['/tmp', '/dev/shm', '/var/tmp'] SEGMENT True" in left
    assert "TRACED -1 0" in left
    assert "FILES []" in found
    assert "NAMES False False" in found
    assert "SEGMENT False KEY False" in found


def test_what_lies_beside_the_notebook_stops_nobody(folder: Any) -> None:
    """A folder where a released file is, a file where its folder is, folders in folders without end."""
    source = folder.root / "source" / LAB
    (source / "truth.csv").write_text("given")
    (source / "sub").mkdir()
    (source / "sub" / "more.csv").write_text("given")
    ada = folder.submit("ada")
    (ada / "truth.csv").mkdir()
    (ada / "truth.csv" / "x").write_text("mine")
    (ada / "sub").write_text("mine")
    (ada / "own.csv").write_text("mine")
    deep = folder.submit("bea") / ("d/" * 480)
    deep.mkdir(parents=True)
    (deep / "x").write_text("mine")
    cleo = folder.submit("cleo") / f"{LAB}.ipynb"
    cleo.unlink()
    cleo.mkdir()
    (folder.submit("dora") / "link").symlink_to("/etc/passwd")
    folder.submit("emmy")
    done = folder.mark(jobs=2)
    assert {name: one.status for name, one in done.items()} == {
        **dict.fromkeys(("ada", "bea", "dora", "emmy"), "graded"),
        "cleo": "failed",
    }
    assert folder.read("ada") == folder.read("bea") == folder.read("emmy")
    graded = folder.root / "autograded" / "ada" / LAB
    assert (graded / "truth.csv").read_text() == (graded / "sub" / "more.csv").read_text() == "given"
    assert (graded / "own.csv").read_text() == "mine"
    assert not (folder.root / "autograded" / "dora" / LAB / "link").exists()
