"""The cohort part of course.yaml: wrong input is refused with file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaclass.cohort.spec import load_spec
from fpgaclass.core import CourseError, FpgaClassError


def test_the_cohort_is_read_from_the_course_or_alone(course: Path, tmp_path: Path) -> None:
    """A large school may keep the cohort apart from the course; both read the same."""
    inside = load_spec(course)
    assert inside.students == ("ada", "emmy", "lise")
    lines = course.read_text().split("cohort:\n")[1].split("labs:")[0].splitlines()
    alone = tmp_path / "cohort.yaml"
    alone.write_text("\n".join(line[2:] for line in lines))
    assert load_spec(alone).spec == inside.spec
    assert load_spec(tmp_path).spec == inside.spec, "a folder means its course.yaml"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("hours: 40", "hours: 0", r"cohort\.hours.*course\.yaml:12"),
        ("hours: 40", "houres: 40", r"no such key.*course\.yaml:12"),
        ("name: spring27", "name: Spring 27", r"cohort\.name"),
        ("provider: aws", "provider: azure", r"cohort\.provider"),
        ("[131.154.0.0/16]", "[0.0.0.0/0]", "whole internet"),
        ("[131.154.0.0/16]", "[0.0.0.0/1, 128.0.0.0/1]", "so much of the internet"),
        ("[131.154.0.0/16]", '["2000::/3"]', "your networks, /16 at most"),
        ("[131.154.0.0/16]", "[131.154.1.1/16]", "host bits"),
        ("[131.154.0.0/16]", "[]", "nobody could log in"),
        ("hours: 10}", "hours: 100}", "longer than the cohort"),
        ("region: eu-central-1", "region:", "needs a region"),
        ("region: eu-central-1", "region: eu-central-1b", "written like eu-central-1, not eu-central-1b"),
        ("eu-central-1a, ", "eu-west-1a, ", "zones: eu-west-1a is no zone of eu-central-1"),
        ("hours: 40", "starts: 1234\n  hours: 40", r"cohort\.starts"),
        (
            "hours: 40",
            "starts: 2027-03-28T02:30\n  hours: 40",
            r"2027-03-28 02:30 is on no clock of Europe/Rome.*cohort\.starts.*such as 2027-03-28T03:30",
        ),
        ("board: u250", "board: u55c", "no board u55c"),
        ("ami-0123456789abcdef0", "my-image", r"aws\.image"),
        ("  aws: {image: ami-0123456789abcdef0}\n", "", "needs its own part"),
        ("cohort:\n", "cohort: [\n", "not YAML"),
    ],
)
def test_a_wrong_spec_is_refused(course: Path, old: str, new: str, said: str) -> None:
    """Each of these would otherwise fail after money was spent, or open a door."""
    course.write_text(course.read_text().replace(old, new))
    with pytest.raises(FpgaClassError, match=said):
        load_spec(course)


def test_a_course_without_cohort_says_how_to_get_one(course: Path) -> None:
    """The first thing a new instructor meets."""
    course.write_text("course_id: x\n")
    with pytest.raises(CourseError, match=r"no cohort.*docs/cohort\.md"):
        load_spec(course)
    with pytest.raises(CourseError, match="cannot be read"):
        load_spec(course.parent / "nowhere.yaml")
