"""What the tests of the cohort share: a small course, and a state of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

COURSE = """\
course_id: fpgaclass101
title: Machine learning on FPGAs
timezone: Europe/Rome
instructors: [instructor]
students: [ada, emmy, lise]
boards: [u250]
cohort:
  name: spring27
  provider: aws
  region: eu-central-1
  zones: [eu-central-1a, eu-central-1b]
  hours: 40
  ssh_from: [131.154.0.0/16]
  seat: {size: m5.large, alternatives: [m6i.large], public_address: true, volume_gb: 20}
  cards: {board: u250, size: f2.6xlarge, count: 2, hours: 10}
  aws: {image: ami-0123456789abcdef0}
labs: [{name: 01_muon_momentum, points: 20}]
"""


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FPGACLASS_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture(scope="session")
def course_text() -> str:
    """A course.yaml with a cohort on AWS, as text."""
    return COURSE


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course.yaml with a cohort on AWS."""
    path = tmp_path / "course.yaml"
    path.write_text(COURSE)
    return path
