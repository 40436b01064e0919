"""The repository itself: what must not be in it, and what must agree with what."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git clone")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_every_dependency_s_licence_is_listed() -> None:
    """Who installs this has a right to know under what terms."""
    named = set()
    for path in (ROOT / "docker" / "requirements").glob("*.in"):
        named |= {m.lower() for m in re.findall(r"^([A-Za-z][\w.-]*)", path.read_text(), re.MULTILINE)}
    listed = set(re.findall(r"^\| ([\w.-]+) \|", (ROOT / "docs" / "licences.md").read_text(), re.MULTILINE))
    assert named == listed - {"package"}


def test_no_pin_records_where_a_package_came_from() -> None:
    """A site's own mirror must work, and nobody's address belongs in a public file."""
    for path in (ROOT / "docker" / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        assert not re.search(r"^--(extra-)?index-url|^--find-links", text, re.MULTILINE)


def test_no_absolute_path_of_a_machine_is_tracked() -> None:
    """What works only in one home directory does not work."""
    pattern = re.compile(r"(?<![)}\w])/(?:home/(?!student|ada|emmy|lise|\{)\w+|root|work|Users)/\w")
    for path in _tracked():
        if path.suffix in {".png", ".ipynb"} or path.name == "student.Dockerfile" or path == Path(__file__):
            continue
        found = pattern.search(path.read_text(errors="replace"))
        assert found is None, f"{path}: {found and found.group()}"


def test_no_file_is_large() -> None:
    """A clone must stay small; pictures and data belong elsewhere or must be made."""
    large = [path.name for path in _tracked() if path.stat().st_size > 1_000_000]
    assert not large
