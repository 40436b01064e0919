"""Labs are read whole or refused with the line to mend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fpgaclass.core import CourseError
from fpgaclass.course import Lab
from fpgaclass.course.percent import read_percent

Make = Callable[..., Path]


def test_a_lab_is_read(make_lab: Make) -> None:
    """Names, points and roles are what everything else builds on."""
    lab = Lab.load(make_lab())
    assert (lab.name, lab.tasks, lab.points, lab.auto_points) == ("01_tiny", ("square",), 7, 3)
    ids = [cell.grade_id for cell in lab.cells if cell.role in ("task", "check", "answer", "locked")]
    assert ids == ["given_setup", "task_square", "check_square", "check_square_negative", "answer_why"]
    assert lab.of("wrong", "square")[1].loses == 1


def test_jupytext_reads_the_same_cells(make_lab: Make) -> None:
    """An instructor may edit the lab in JupyterLab through jupytext: both must see one lab."""
    import jupytext

    path = make_lab() / "lab.py"
    theirs = [c for c in jupytext.read(path).cells if c.cell_type != "raw"]
    ours = read_percent(path).cells
    assert [(c.kind, c.source) for c in ours] == [(c.cell_type, c.source) for c in theirs]
    for mine, their in zip(ours, theirs, strict=True):
        assert mine.metadata.items() <= dict(their.metadata).items()


def test_a_lab_survives_being_saved_by_jupytext(make_lab: Make) -> None:
    """jupytext adds its own key to the header and moves blank lines; the lab stays the same."""
    import jupytext

    opened = ("# seed: shared", "# seed: shared\n# jupyter:\n#   jupytext:\n#     formats: py:percent")
    path = make_lab(opened) / "lab.py"
    before = Lab.load(path)
    jupytext.write(jupytext.read(path), path, fmt="py:percent")
    after = Lab.load(path)
    assert [(c.role, c.source, c.grade_id) for c in before.cells] == [
        (c.role, c.source, c.grade_id) for c in after.cells
    ]
    assert "text_representation" in after.header.jupyter["jupytext"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("# minutes: 10", "# minutes: ten"), r"minutes: .*'ten'.*lab\.py:3"),
        (("# minutes: 10", "# minuets: 10"), "allowed here: jupyter, minutes, needs"),
        (("# seed: shared", "# seed: [shared"), "this is not YAML"),
        (("# seed: shared", "# seed: mine"), "'shared' or 'student'"),
        (("# ---\n# title", "# title"), "the lab has no header"),
        (('check="square" points=2', 'check="cube" points=2'), "no task 'cube'.*tasks here: square"),
        (('check="square" points=2', 'check="square"'), "a check cell needs points="),
        (('check="square" points=2', 'check="square" points=two'), 'points="two" or a number'),
        (('check="square" points=2', 'check="square" points=0'), "a whole number from 1 to 100"),
        (('check="square" points=2', 'check="square" points=2 level=1'), "no 'level'; allowed: name, points"),
        (('points=1 name="negative"', "points=1"), "'check_square' is already at line 37"),
        (('task="square"', 'task="Square it"'), "cannot be a name"),
        (('task="square"', 'tusk="square"'), "'tusk' is not known here.*locked, task, check"),
        (('task="square"', 'task="square" wrong="x"'), "one of task, wrong, not several"),
        (('hint="square" level=2', 'hint="square" level=1'), r"hints of levels \[1, 1, 3\]"),
        (("# %% [markdown] hint", "# %% hint"), r"a hint cell is \[markdown\]"),
        (("# %% [markdown] hint", "# %% [raw] hint"), r"not \[raw\]"),
        (("# Think of a", "Think of a"), r"lab\.py:\d+\)\. Next: start it with '# '"),
        (("    ### END SOLUTION\n\n", "\n\n"), "must come in turn"),
        (("    ### BEGIN SOLUTION\n", "    # BEGIN SOLUTION\n"), "a marker line must be exactly"),
        (("    ### BEGIN SOLUTION\n    return n * n\n    ### END SOLUTION", "    ..."), "nothing to write"),
        (('print("free code")', "### BEGIN SOLUTION\n### END SOLUTION"), "would reach the students"),
        (('print("free code")', "### BEGIN HIDDEN TESTS"), "would reach the students"),
        (("### END HIDDEN TESTS", ""), "must come in turn"),
        (('name="doubled" loses=3', 'name="doubled" loses=4'), "cannot lose 4: .* give 3"),
        (('check="square" points=2', 'check="square" points=2 name="n' + 60 * "n" + '"'), "40 at most"),
    ],
)
def test_a_wrong_lab_is_refused_with_the_reason(
    make_lab: Make, change: tuple[str, str], message: str
) -> None:
    """An author finds the slip from the message alone: file, line, what is allowed."""
    with pytest.raises(CourseError, match=message) as refused:
        Lab.load(make_lab(change))
    assert "lab.py:" in str(refused.value)


def test_a_task_without_a_check_or_a_wrong_answer_is_refused(make_lab: Make) -> None:
    """Such a task would give marks for nothing, or nobody would know whether it does."""
    folder = make_lab()
    text = (folder / "lab.py").read_text()
    (folder / "lab.py").write_text(text.split("# %% wrong")[0])
    with pytest.raises(CourseError, match="has no wrong answer"):
        Lab.load(folder)
    (folder / "lab.py").write_text(text.split("# %% check")[0])
    with pytest.raises(CourseError, match="has no check"):
        Lab.load(folder)


def test_a_lab_that_is_not_there(tmp_path: Path) -> None:
    """A typing slip in a path is the most usual of all."""
    with pytest.raises(CourseError, match="there is no such lab"):
        Lab.load(tmp_path)


def test_a_lab_that_is_not_text(make_lab: Make) -> None:
    """A lab saved in another encoding must not end in a stack of calls."""
    folder = make_lab()
    (folder / "lab.py").write_bytes(b"# ---\n\xff\xfe")
    with pytest.raises(CourseError, match="cannot be read"):
        Lab.load(folder)
