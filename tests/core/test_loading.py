"""A file that belongs to no package is imported as a module that pickles and dataclasses find."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from fpgaclass.core import load_file


def test_dataclasses_and_pickles_find_the_module(tmp_path: Path) -> None:
    """Both look it up by its name, and would fail on a module that only its caller has."""
    (tmp_path / "point.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n"
        "@dataclass(frozen=True, slots=True)\nclass Point:\n    x: int\n"
    )
    module = load_file("loading_point", tmp_path / "point.py")
    assert pickle.loads(pickle.dumps(module.Point(3))) == module.Point(3)


def test_a_file_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Else the second attempt would find half a module and no error."""
    (tmp_path / "bad.py").write_text("x = 1\nraise ValueError('no')\n")
    with pytest.raises(ValueError, match="no"):
        load_file("loading_bad", tmp_path / "bad.py")
    assert "loading_bad" not in sys.modules
