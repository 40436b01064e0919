"""How long a class takes to be graded, against `nbgrader autograde` on the same submissions.

Both are commands, timed from their start to their end, on notebooks that were collected before. nbgrader
grades one after the other, so that where the whole class would take it minutes its time follows from one
notebook and from a few; the row says so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fpgaclass.course import Course, release
from fpgaclass.engine import NoJail, find_jail

LAB = "01_bench"
_HEAD = (
    "# ---\n# title: Bench\n# minutes: 5\n# objectives: [be graded]\n# needs: {}\n# seed: shared\n# ---\n\n"
)
_HINTS = "".join(f'# %% [markdown] hint="a" level={n}\n# Think.\n\n' for n in (1, 2, 3))
TRIVIAL = (
    _HEAD
    + '# %% task="a"\n### BEGIN SOLUTION\ndef square(x):\n    return x * x\n### END SOLUTION\n\n'
    + _HINTS
    + '# %% check="a" points=2\nassert square(3) == 9\n\n# %% check="a" name="sign" points=1\n'
    + 'assert square(-2) == 4\n\n# %% wrong="a" name="zero" loses=1\ndef square(x):\n    return 0\n'
)
TENSORFLOW = (
    _HEAD
    + '# %% locked="setup"\nimport numpy as np\nimport keras\n\nx = np.linspace(-1, 1, 64).reshape(-1, 1)\n\n'
    + '# %% task="a"\n### BEGIN SOLUTION\ndef make_model():\n    return keras.Sequential([keras.Input((1,)),'
    + ' keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])\n### END SOLUTION\n\n'
    + _HINTS
    + '# %% check="a" points=2\nmodel = make_model()\nassert model.output_shape[-1] == 1\n'
    + "assert model(x).shape == (64, 1)\n\n"
    + '# %% wrong="a" name="none" loses=1\ndef make_model():\n    return None\n'
)
_OURS = """
import sys
from pathlib import Path
from fpgaclass.classroom.grading.marking import Settings, mark
from fpgaclass.course import LatePolicy
root = Path(sys.argv[1])
done = mark(root, root.name, sys.argv[2], f"sqlite:///{root / 'gradebook.db'}", lambda _: LatePolicy(),
            settings=Settings(jobs=2, jailed=sys.argv[3] == "1"))
assert all(one.status == "graded" for one in done), done
print(len(done))
"""


def rows(trivial: int = 50, tensorflow: int = 30) -> list[dict[str, Any]]:
    """Measure, and return the rows of the benchmark table.

    Args:
        trivial: submissions of a lab whose cells take no time.
        tensorflow: submissions of a light lab that imports TensorFlow.
    """
    return [
        _row(f"grade.trivial_{trivial}", TRIVIAL, trivial, peer=trivial),
        _row(f"grade.tensorflow_{tensorflow}", TENSORFLOW, tensorflow, peer=6),
    ]


def _row(name: str, lab: str, many: int, peer: int) -> dict[str, Any]:
    """Grade ``many`` submissions of a lab with ours, and ``peer`` of them or all with nbgrader."""
    jailed = "0" if isinstance(find_jail(), NoJail) else "1"
    with tempfile.TemporaryDirectory() as folder:
        root = _course(Path(folder), lab, many)
        if peer == many:
            theirs = _seconds(_peer(root, "*"), root)
            how = "measured"
        else:
            one = _seconds(_peer(root, "s000"), root)
            some = _seconds(_peer(root, f"s00[1-{peer}]"), root)
            theirs = one + (many - 1) * (some - one) / (peer - 1)
            how = f"estimate from 1 ({one:.1f} s) and {peer} ({some:.1f} s) of them"
        shutil.rmtree(root / "autograded")
        ours = _seconds([sys.executable, "-c", _OURS, str(root), LAB, jailed], root)
    return {
        "name": name,
        "ours": round(ours, 2),
        "peer": round(theirs, 1),
        "ratio": round(theirs / ours, 1),
        "unit": "s",
        "how": f"measured: wall time of a command, {many} submissions, 2 jobs, jailed: {jailed == '1'};"
        f" peer: nbgrader autograde of the same submissions, {how}",
    }


def _peer(root: Path, students: str) -> list[str]:
    words = [sys.executable, "-m", "nbgrader", "autograde", LAB, "--student", students, "--force"]
    words += ["--Execute.timeout=600", "--Execute.startup_timeout=300"]  # for a machine that is busy
    return [*words, "--course-dir", str(root), "--course", root.name]


def _seconds(words: list[str], cwd: Path) -> float:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    started = time.perf_counter()
    done = subprocess.run(words, env=environment, cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{words[:4]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


def _course(folder: Path, lab: str, many: int) -> Path:
    """Release a lab, and put the solution into the folder of each student."""
    (folder / "notebooks" / LAB).mkdir(parents=True)
    (folder / "notebooks" / LAB / "lab.py").write_text(lab)
    points = sum(int(part.split()[0]) for part in lab.split("points=")[1:])
    course = {"course_id": "bench", "title": "Bench", "notebooks": "notebooks", "instructors": ["teacher"]}
    (folder / "course.yaml").write_text(json.dumps(course | {"labs": [{"name": LAB, "points": points}]}))
    root = folder / "bench"
    root.mkdir()
    release(Course.load(folder), LAB, root)
    words = [sys.executable, "-m", "nbgrader", "generate_assignment", LAB]
    _seconds([*words, "--course-dir", str(root), "--course", root.name, "--create"], root)
    answer = lab.split("### BEGIN SOLUTION\n")[1].split("### END SOLUTION")[0]
    notebook = json.loads((root / "release" / LAB / f"{LAB}.ipynb").read_text())
    for cell in notebook["cells"]:
        if cell["id"] == "task_a":
            cell["source"] = answer
    for n in range(many):
        target = root / "submitted" / f"s{n:03}" / LAB
        target.mkdir(parents=True)
        (target / f"{LAB}.ipynb").write_text(json.dumps(notebook))
    return root
