"""A course small enough that a whole class is up in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

LAB = """\
# ---
# title: Squares
# minutes: 5
# objectives: [square a number]
# needs: {}
# seed: shared
# ---

# %% [markdown]
# Write a function that squares a number.

# %% task="square"
### BEGIN SOLUTION
def square(x):
    return x * x
### END SOLUTION

# %% [markdown] hint="square" level=1
# What is 3 times 3?

# %% [markdown] hint="square" level=2
# Multiply the number by itself.

# %% [markdown] hint="square" level=3
# `return x * ...`

# %% check="square" points=2
assert square(3) == 9

# %% check="square" name="sign" points=1
assert square(-2) == 4

# %% wrong="square" name="doubled" loses=1
def square(x):
    return 2 * x
"""

COURSE = """\
course_id: tiny101
title: A tiny course
notebooks: notebooks
instructors: [teacher]
students: [ada, emmy]
labs:
  - {name: 01_square, points: 3, deadline: 2100-01-01 00:00:00, late: {percent_per_day: 50}}
"""


@pytest.fixture
def tiny_course(tmp_path: Path) -> Path:
    """The path of a course.yaml with one lab and two students."""
    folder = tmp_path / "course"
    (folder / "notebooks" / "01_square").mkdir(parents=True)
    (folder / "notebooks" / "01_square" / "lab.py").write_text(LAB)
    (folder / "course.yaml").write_text(COURSE)
    return folder / "course.yaml"
