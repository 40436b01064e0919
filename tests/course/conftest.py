"""Tiny labs and courses, made up for the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

LAB = '''\
# ---
# title: A tiny lab
# minutes: 10
# objectives:
#   - square a number
# needs:
#   python: nothing replaces it
# seed: shared
# ---

# %% [markdown]
# ## Squares
# Read, then write.

# %% locked="setup"
from fpgaclass.lab import check

# %%
print("free code")

# %% task="square"
def square(n):
    """Return n squared."""
    ### BEGIN SOLUTION
    return n * n
    ### END SOLUTION

# %% [markdown] hint="square" level=1
# Think of a *carpet*.

# %% [markdown] hint="square" level=2
# Multiply the number by itself.

# %% [markdown] hint="square" level=3
# `return n * ...`

# %% check="square" points=2
check.equal("square(3)", square(3), 9)

# %% check="square" points=1 name="negative"
### BEGIN HIDDEN TESTS
check.equal("square(-3)", square(-3), 9)
### END HIDDEN TESTS

# %% wrong="square" name="doubled" loses=3
def square(n):
    return n + n

# %% wrong="square" name="sign_kept" loses=1
def square(n):
    return abs(n) * n

# %% [markdown] answer="why" points=4
# Why is a square never negative?
#
# ### BEGIN SOLUTION
# Because two signs cancel.
# ### END SOLUTION
'''

COURSE = """\
course_id: tiny101
title: A tiny course
timezone: Europe/Rome
notebooks: .
instructors: [teacher]
students: [ada]
labs:
  - name: 01_tiny
    points: 7
    deadline: 2027-07-01 12:00:00
    late: {grace_minutes: 10, percent_per_day: 25, days: 3}
"""


@pytest.fixture
def make_lab(tmp_path: Path) -> Callable[..., Path]:
    """Write the tiny lab with some of its text replaced, and return its folder."""

    def make(*changes: tuple[str, str], name: str = "01_tiny") -> Path:
        text = LAB
        for old, new in changes:
            assert text.count(old) >= 1, f"the tiny lab has no {old!r}"
            text = text.replace(old, new, 1)
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "lab.py").write_text(text)
        return folder

    return make


@pytest.fixture
def make_course(tmp_path: Path, make_lab: Callable[..., Path]) -> Callable[..., Path]:
    """Write the tiny course, and return the path of its course.yaml."""

    def make(*changes: tuple[str, str]) -> Path:
        make_lab()
        text = COURSE
        for old, new in changes:
            assert text.count(old) == 1, f"the tiny course has not one {old!r}"
            text = text.replace(old, new)
        (tmp_path / "course.yaml").write_text(text)
        return tmp_path / "course.yaml"

    return make
