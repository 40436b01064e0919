"""The functions of a sweep live in a file, whatever it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fpgaclass.core import InvalidInputError
from fpgaclass.firmware.sweep.module import files_of, read_function


@pytest.mark.parametrize("name", ["json.py", "numpy.py", "2026-muons v2.py", "search.py"])
def test_a_file_may_be_called_as_anything(name: str, tmp_path: Path) -> None:
    """``json.py`` is no json, and ``2026-muons.py`` no module that import could name."""
    (tmp_path / "beside_it.py").write_text("answer = 41\n")
    (tmp_path / name).write_text("import json, beside_it\ndef train(): return beside_it.answer + 1\n")
    try:
        train = read_function(f"{tmp_path / name}:train", "train")
        assert train() == 42
        assert json.dumps({}) == "{}"
        import numpy as np

        assert np.zeros(1).size == 1
        again = read_function(str(tmp_path / name), "train")
        assert again is train, "one file is one module: its code is run once"
        assert list(files_of([train]).values()) == [str(tmp_path / name)]
    finally:
        import sys

        sys.modules.pop("beside_it", None)
        sys.path.remove(str(tmp_path))


def test_files_of_one_name_are_two(tmp_path: Path) -> None:
    """train and score may come from two folders."""
    for folder, value in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "sweep.py").write_text(f"def train(): return {value}\n")
    one, two = (read_function(str(tmp_path / folder / "sweep.py"), "train") for folder in "ab")
    assert (one(), two()) == (1, 2)
    assert len(files_of([one, two, print])) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def train(:\n", r"cannot be imported: SyntaxError.*line 1\).*see that python runs it"),
        ("\n\nimport no_such_package\n", r"No module named 'no_such_package'.*line 3"),
        ("raise SystemError('x\\ny')\n", r"cannot be imported: SystemError: x y"),
        ("def trian(): pass\n", r"has no function 'train'. Next: did you mean 'trian'\?"),
        ("train = 3\n", r"has no function 'train'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    """A traceback through importlib hides whose line it was."""
    (tmp_path / "sweep.py").write_text(text)
    with pytest.raises(InvalidInputError, match=said) as refused:
        read_function(f"{tmp_path}/sweep.py:train", "train")
    assert "\n" not in str(refused.value)
    with pytest.raises(InvalidInputError, match="there is no module"):
        read_function(f"{tmp_path}/none.py:train", "train")
