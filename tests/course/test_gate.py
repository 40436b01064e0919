"""The gate catches labs whose checks do not check. Real grading, in real forks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fpgaclass.core import UsageError
from fpgaclass.course import Lab, gate
from fpgaclass.course._trials import trial_notebooks
from fpgaclass.course.release import given_files
from fpgaclass.engine import NoJail, find_jail

Make = Callable[..., Path]


def test_a_good_lab_passes(make_lab: Make) -> None:
    """Solution full, blank nothing, each wrong answer at most what it may keep; two at once."""
    report = gate(Lab.load(make_lab()), jobs=2)
    assert report.ok, report.table()
    assert {run.name: run.score for run in report.runs} == {
        "solution": 3,
        "blank": 0,
        "square/doubled": 0,
        "square/sign_kept": 2,
    }
    assert "square(-3) is -9; expected 9" in report.table()
    assert report.to_dict()["runs"][0]["name"] == "solution"


@pytest.mark.parametrize(
    ("change", "only", "reason"),
    [
        (("return n * n", "return n * n * n"), "solution", "the solution raises in check_square"),
        (('print("free code")', "1 / 0"), "solution", "the solution raises in code-.*ZeroDivisionError"),
        (
            ("### BEGIN HIDDEN", "import sys; print('x', file=sys.stderr)\n### BEGIN HIDDEN"),
            "solution",
            "writes to stderr in check_square_negative",
        ),
        (
            ('check.equal("square(3)", square(3), 9)', "try:\n    square(3)\nexcept Exception:\n    pass"),
            "blank",
            "nothing was written, and 2 points were given",
        ),
        (("return abs(n) * n", "return n * n + 0"), "square/sign_kept", "it should get at most 2"),
        (("return abs(n) * n", "return missing"), "square/sign_kept", "ends in NameError, not in Assert"),
    ],
)
def test_a_lab_whose_checks_do_not_check_is_caught(
    make_lab: Make, change: tuple[str, str], only: str, reason: str
) -> None:
    """Each of these labs looks right and marks wrongly."""
    report = gate(Lab.load(make_lab(change)), only=only)
    assert not report.ok
    (run,) = report.runs
    assert re.search(reason, run.reason), run.reason


def test_a_check_that_ends_early_gives_no_proof(make_lab: Make) -> None:
    """Full marks for a cell that stopped before its asserts is nbgrader's own rule, and not ours."""
    skip = "get_ipython().input_transformers_cleanup.append(lambda lines: ['pass\\n'])"
    (run,) = gate(Lab.load(make_lab(('print("free code")', skip))), only="solution").runs
    assert not run.ok
    assert "gave marks without running to the end" in run.reason


def test_a_wrong_answer_may_say_how_it_ends(make_lab: Make) -> None:
    """Some mistakes end in an error of their own, such as a hung kernel."""
    crash = ("return abs(n) * n", 'raise TimeoutError("the kernel hangs")')
    raises = ('name="sign_kept" loses=1', 'name="sign_kept" loses=3 raises="TimeoutError"')
    (run,) = gate(Lab.load(make_lab(crash, raises)), only="*/sign_kept").runs
    assert run.ok, run.reason


def _two_tasks(folder: Path) -> Lab:
    """Write a second task, cubes, behind the first."""
    text = (folder / "lab.py").read_text()
    second = text.split("# %% task=", 1)[1].split("# %% [markdown] answer")[0]
    second = second.replace("square", "cube").replace("n * n", "n * n * n").replace("9", "27")
    second = second.replace("cube(-3), 27", "cube(-3), -27").replace("abs(n) * n", "abs(n) * n * n")
    text = text.replace("# %% [markdown] answer", f"# %% task={second}# %% [markdown] answer")
    (folder / "lab.py").write_text(text)
    return Lab.load(folder)


def test_wrong_answers_run_without_the_checks_of_other_tasks(make_lab: Make) -> None:
    """Otherwise a lab that trains for minutes could not be proved in the time there is."""
    lab = _two_tasks(make_lab())
    assert lab.tasks == ("square", "cube")
    short, whole = (gate(lab, only="cube/doubled", whole=way).runs[0] for way in (False, True))
    assert (short.of, short.score) == (3, 0)
    assert (whole.of, whole.score) == (6, 3)
    assert short.ok


def test_wrong_answers_to_all_tasks_share_a_notebook(make_lab: Make) -> None:
    """What stands between the tasks runs once; each task rests on the solution of those before it."""
    lab = _two_tasks(make_lab())
    (notebook,) = trial_notebooks(lab, lab.of("wrong"), whole=False)
    assert [trial.name for trial in notebook.trials] == [
        *("square/doubled", "square/sign_kept", "control"),
        *("cube/doubled", "cube/sign_kept", "control"),
    ]
    assert len(list(trial_notebooks(lab, lab.of("wrong"), whole=False, parts=2))) == 2
    report = gate(lab, only="*/*")
    assert [run.score for run in report.runs] == [0, 2, 0, 2]
    assert len({run.seconds for run in report.runs}) == 1


def test_a_task_that_is_disturbed_takes_no_other_with_it(
    make_lab: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answers before it count, its own run alone, and those behind it run again."""
    broken = ("return n + n", "import os\n    os._exit(1)")
    said = ('name="doubled" loses=3', 'name="doubled" loses=3 raises="GoneError"')
    lab = _two_tasks(make_lab(broken, said))
    report = gate(lab, only="*/*")
    assert capsys.readouterr().err.count("disturbs the next") == 2
    assert [(run.name, run.score) for run in report.runs] == [
        ("square/doubled", 0),
        ("square/sign_kept", 2),
        ("cube/doubled", 0),
        ("cube/sign_kept", 2),
    ]
    assert report.ok, report.table()


def test_the_lab_in_the_guide_passes(tmp_path: Path) -> None:
    """An author starts by copying it."""
    guide = (Path(__file__).parents[2] / "docs" / "labs.md").read_text()
    (tmp_path / "lab.py").write_text(guide.split("```python\n")[1].split("```")[0])
    report = gate(Lab.load(tmp_path))
    assert report.ok, report.table()


def test_wrong_answers_of_a_task_share_a_notebook(make_lab: Make) -> None:
    """A lab that trains before the task trains once for all of them."""
    report = gate(Lab.load(make_lab()), only="square/*")
    assert [run.score for run in report.runs] == [0, 2]
    assert report.runs[0].seconds == report.runs[1].seconds


def test_an_answer_that_disturbs_the_next_does_not_count_for_it(
    make_lab: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a dead kernel every answer loses its points, and any check would look as if it checked."""
    broken = ("return n + n", "import os\n    os._exit(1)")
    said = ('name="doubled" loses=3', 'name="doubled" loses=3 raises="GoneError"')
    harmless = ("return abs(n) * n", "return n * n + 0")
    report = gate(Lab.load(make_lab(broken, said, harmless)), only="square/*")
    assert "disturbs the next" in capsys.readouterr().err
    assert [(run.name, run.score, run.ok) for run in report.runs] == [
        ("square/doubled", 0, True),
        ("square/sign_kept", 3, False),
    ]


def test_an_answer_cannot_break_the_checks_of_the_next(make_lab: Make) -> None:
    """Checks run in a process of their own: what an answer does to their module is lost on them."""
    broken = "return n + n\n\ndef refuse(*_):\n    raise AssertionError\n\ncheck.equal = refuse"
    harmless = ("return abs(n) * n", "return n * n + 0")
    report = gate(Lab.load(make_lab(("return n + n", broken), harmless)), only="square/*")
    assert [(run.score, run.ok) for run in report.runs] == [(0, True), (3, False)]


def test_a_solution_that_ends_the_kernel_is_told(make_lab: Make) -> None:
    """A lab that dies half-way must say so, and not only that marks are missing."""
    folder = make_lab(('print("free code")', "import os\nos._exit(1)"))
    (run,) = gate(Lab.load(folder), only="solution").runs
    assert "does not run to its end: the checking process ended" in run.reason


def test_what_stands_beside_the_lab_is_there(make_lab: Make) -> None:
    """Data files are released with the notebook, and the gate must run with them; caches are not."""
    folder = make_lab(('print("free code")', 'print(open("data/numbers.txt").read())'))
    (folder / "data").mkdir()
    (folder / "data" / "numbers.txt").write_text("1 2 3")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.txt").write_text("")
    lab = Lab.load(folder)
    assert list(given_files(lab)) == ["data/numbers.txt"]
    (run,) = gate(lab, only="solution").runs
    assert run.ok, run.reason


def test_the_jail_gives_the_same_marks(make_lab: Make) -> None:
    """What the gate proves outside must hold where submissions run."""
    if isinstance(find_jail(), NoJail):
        pytest.skip(find_jail().reason)
    report = gate(Lab.load(make_lab()), jailed=True)
    assert [run.score for run in report.runs] == [3, 0, 0, 2]
    assert report.ok, report.table()


def test_a_name_that_fits_nothing_is_refused(make_lab: Make) -> None:
    """A gate that ran nothing must not look green."""
    with pytest.raises(UsageError, match="one of: solution, blank, square/doubled"):
        gate(Lab.load(make_lab()), only="squares")
    with pytest.raises(UsageError, match="jobs is 0"):
        gate(Lab.load(make_lab()), jobs=0)
