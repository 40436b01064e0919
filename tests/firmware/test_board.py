"""Boards as data files."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaclass.core import InvalidInputError
from fpgaclass.firmware import board_names, load_board


@pytest.mark.parametrize("name", board_names())
def test_every_board_is_complete(name: str) -> None:
    """A new board is one file; this is what makes it one that works."""
    board = load_board(name)
    assert board.name == name
    assert board.resources.lut >= 5_000
    assert min(board.resources.ff, board.resources.dsp, board.resources.bram) > 0
    assert 10 <= board.clock_mhz <= 500
    assert board.levels_per_clock >= 1
    assert board.bram_kbit in (4, 18, 36)
    assert bool(board.banks) == (board.link is not None) == (board.form != "lattice")


def test_the_course_s_boards_are_all_there() -> None:
    """The labs and the cohort's plans name them."""
    course = {"pynq-z2", "zcu102", "kv260", "u50", "u55c", "u200", "u250", "aws-f2", "ecp5-85k", "icebreaker"}
    assert set(board_names()) == course


def test_a_board_of_ones_own_is_read_and_a_bad_one_named(tmp_path: Path) -> None:
    """A site brings its own card; a missing key must be said with the file."""
    source = Path(__file__).parents[2] / "toolkit" / "fpgaclass" / "firmware" / "boards" / "u250.toml"
    mine = tmp_path / "mine.toml"
    mine.write_text(source.read_text().replace("clock_mhz = 200.0", "clock_mhz = 250.0"))
    assert load_board(mine).clock_mhz == 250.0
    mine.write_text(source.read_text().replace("clock_mhz = 200.0", ""))
    with pytest.raises(InvalidInputError, match="clock_mhz"):
        load_board(mine)
    for good, bad, said in (
        ("clock_mhz = 200.0", 'clock_mhz = "fast"', "clock_mhz is 'fast', not a number above zero"),
        ("clock_mhz = 200.0", "clock_mhz = 0", "clock_mhz is 0"),
        ("adder_level_ns = 1.0", "adder_level_ns = -1.0", "adder_level_ns is -1.0"),
        ("lut = 1728000", "lut = -5", r"resources\.lut is -5, not a count"),
        ("clock_mhz = ", "clock_mz = ", "has a key 'clock_mz': did you mean 'clock_mhz'"),
        ("[resources]", "[resource]", "has a key 'resource': did you mean 'resources'"),
        ("lut = 1728000\n", "", r"\[resources\] has no 'lut'"),
        ('tag = "bank0"', 'tga = "bank0"', r"\[\[banks\]\] has a key 'tga'"),
        ('kind = "DDR4"', 'kind = "DDR9"', "file is not right: bank bank0 is of kind 'DDR9'"),
        ("pcie_generation = 3", "", r"\[link\] has a key 'pcie_lanes'"),
        ('family = "xcup"', 'family = "foo"', "family 'foo' is not one of ecp5"),
    ):
        mine.write_text(source.read_text().replace(good, bad))
        with pytest.raises(InvalidInputError, match=said):
            load_board(mine)
    mine.write_text("name = ")
    with pytest.raises(InvalidInputError, match=str(mine)):
        load_board(mine)


def test_a_board_s_name_may_be_in_capitals_and_is_proposed() -> None:
    """A U250 is what AMD calls it."""
    assert load_board("U250") == load_board("u250")
    for name, said in (
        ("zcu-102", "did you mean 'zcu102'"),
        ("arty", "use one of aws-f2"),
        ("Alveo U250", "did you mean 'u250'"),
        ("xilinx_u55c_gen3x16_xdma", "did you mean 'u55c'"),
        (7, "a int is no"),
    ):
        with pytest.raises(InvalidInputError, match=said):
            load_board(name)  # type: ignore[arg-type]


def test_a_board_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A folder, a picture, a file that is not there."""
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "picture.toml").write_bytes(b"\x89PNG\xff")
    for name, said in (
        ("folder", "no such board file"),
        ("none", "no such board file"),
        ("picture", "is not right"),
    ):
        with pytest.raises(InvalidInputError, match=said):
            load_board(tmp_path / f"{name}.toml")
