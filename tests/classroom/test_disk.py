"""The class's disk: who is told what when there is hardly any room on it."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from fpgaclass.classroom.disk import disk_words
from fpgaclass.classroom.layout import Layout

_Usage = namedtuple("_Usage", "total used free")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A class of two, of whom one has much."""
    layout = Layout(tmp_path, "tiny101", "teacher")
    for name, size in (("ada", 1_000), ("emmy", 60_000_000)):
        layout.home(name).mkdir(parents=True)
        with (layout.home(name) / "data").open("wb") as file:
            file.write(b"x" * size)
    return layout


def _say(monkeypatch: pytest.MonkeyPatch, total: float, free: float) -> None:
    usage: Any = _Usage(total, total - free, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def test_who_fills_the_disk_is_named(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without quotas one student can take all of it, and then nobody can log in or submit."""
    _say(monkeypatch, total=1e12, free=1e9)
    words = disk_words(layout, ["ada", "emmy", "nobody"])
    assert words == "1.0 GB are left; the largest homes: emmy 0.1 GB, ada 0.0 GB, nobody 0.0 GB"


@pytest.mark.parametrize(("total", "free"), [(1e12, 20e9), (30e9, 4e9)])
def test_with_room_nobody_is_looked_at(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, total: float, free: float
) -> None:
    """Adding up homes takes time, and is nobody's business."""
    _say(monkeypatch, total, free)
    assert disk_words(layout, ["ada"]) is None


def test_files_that_nobody_can_count_are_said(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million small ones must not hold up who asks."""
    monkeypatch.setattr("fpgaclass.classroom.disk._SECONDS", 0.0)
    _say(monkeypatch, total=1e12, free=1e9)
    assert "ada (more files than can be counted)" in str(disk_words(layout, ["ada"]))
