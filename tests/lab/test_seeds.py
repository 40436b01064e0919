"""Each student has a seed, and keeps it when graded."""

from __future__ import annotations

import numpy as np
import pytest

from fpgaclass.lab import student_seed


def test_a_seed_never_changes() -> None:
    """Marks given last year must come out again: the value itself is part of the promise."""
    assert student_seed("ada") == 1986302342
    assert student_seed("ada", purpose="test") != student_seed("ada")


def test_seeds_differ_and_fit_numpy() -> None:
    """Two students with one seed would have one data set."""
    seeds = {student_seed(f"student{n}") for n in range(1000)}
    assert len(seeds) == 1000
    assert 0 <= min(seeds) <= max(seeds) < 2**31
    np.random.default_rng(max(seeds))


def test_whose_seed_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grader runs as itself, and must see the data that the student saw."""
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    monkeypatch.delenv("FPGACLASS_STUDENT", raising=False)
    assert student_seed() == student_seed("ada")
    monkeypatch.setenv("FPGACLASS_STUDENT", "emmy")
    assert student_seed() == student_seed("emmy")
    monkeypatch.delenv("FPGACLASS_STUDENT")
    monkeypatch.delenv("JUPYTERHUB_USER")
    monkeypatch.setattr("getpass.getuser", lambda: "lise")
    assert student_seed() == student_seed("lise")
