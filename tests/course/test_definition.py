"""course.yaml: one definition of the course, refused with file, line and key when it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fpgaclass.core import CourseError, UsageError
from fpgaclass.course import Course, LatePolicy

Make = Callable[..., Path]
ROOT = Path(__file__).parents[2]


def test_the_courses_own_definition_loads() -> None:
    """What ships must be right; its labs are looked at by the gate."""
    course = Course.load(ROOT / "course")
    assert course.course_id == "fpgaclass101"
    assert [entry.name for entry in course.labs] == ["01_muon_momentum", "02_onto_the_card"]
    assert course.folder == ROOT / "notebooks"


def test_a_deadline_without_a_zone_is_in_the_courses_zone(make_course: Make) -> None:
    """Noon in Rome is ten in UTC in summer; nbgrader wants UTC."""
    course = Course.load(make_course())
    assert course.deadline("01_tiny") == datetime(2027, 7, 1, 10, tzinfo=UTC)


def test_a_deadline_with_a_zone_keeps_it(make_course: Make) -> None:
    """A cohort abroad may have its own."""
    course = Course.load(make_course(("2027-07-01 12:00:00", "2027-07-01T12:00:00-05:00")))
    assert course.deadline("01_tiny") == datetime(2027, 7, 1, 17, tzinfo=UTC)


def test_no_deadline_is_none(make_course: Make) -> None:
    """A lab may stay open."""
    course = Course.load(make_course(("    deadline: 2027-07-01 12:00:00\n", "")))
    assert course.deadline("01_tiny") is None


@pytest.mark.parametrize(
    ("seconds", "penalty"),
    [(-5, 0), (0, 0), (600, 0), (601, 2), (600 + 86400, 2), (601 + 86400, 4), (600 + 4 * 86400, 8)],
)
def test_what_lateness_costs(seconds: float, penalty: float) -> None:
    """A day begun counts whole, the grace is not counted, and past the last day nothing is left."""
    policy = LatePolicy(grace_minutes=10, percent_per_day=25, days=3)
    assert policy.penalty(8, seconds) == penalty


def test_lateness_never_costs_more_than_the_mark() -> None:
    """Five days at 25 % would be more than all."""
    assert LatePolicy(percent_per_day=25).penalty(8, 5 * 86400) == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("points: 7", "points: 6"), "adds up to 7 points, and the course announces 6"),
        (("points: 7", "points: many"), r"labs\.0\.points: .*'many'.*course\.yaml:9"),
        (("points: 7", "marks: 7"), r"labs\.0\.marks: no such key; allowed here: .*points"),
        (("    points: 7\n", ""), r"labs\.0\.points: this key is missing.*course\.yaml:8"),
        (
            ("    late:", "    lateness:"),
            r"labs\.0\.lateness: no such key; allowed here: deadline, late, name",
        ),
        (("days: 3", "weeks: 3"), r"late\.weeks: no such key; allowed here: days, grace_minutes"),
        (("Europe/Rome", "Rome"), "a time zone such as Europe/Rome"),
        (("[teacher]", "[]"), r"instructors: at least 1 is needed, not \[\]"),
        (("[ada]", "[ada, teacher]"), "nobody is student and instructor at once: teacher"),
        (("[ada]", "[ada, emmy, ada]"), r"students: everybody once; twice here: ada \("),
        (("[ada]", "[Ada L]"), r"students\.0: small letters, digits, - and _, a letter first, not 'Ada L'"),
        (("[ada]", "ada"), r"students: a list, such as \[ada, emmy\], not 'ada'"),
        (("[ada]", "[123]"), r"students\.0: text; put it in quotes, not 123"),
        (("01_tiny", "tiny"), r"labs\.0\.name: two digits, _ and small letters.*not 'tiny'"),
        (("2027-07-01 12:00:00", "soon"), r"labs\.0\.deadline: a day and a time, such as .*not 'soon'"),
        (("2027-07-01 12:00:00", "2027-07-01"), r"labs\.0\.deadline: a day and a time"),
        (("2027-07-01 12:00:00", "'2027-07-01'"), r"labs\.0\.deadline: a day and a time"),
        (("2027-07-01 12:00:00", "2027-06-31 12:00:00"), "day is out of range for month"),
        (("[ada]", "[ada"), r"this is not YAML: .*course\.yaml:\d"),
        (("title: A tiny course\n", ""), "title: this key is missing"),
    ],
)
def test_a_wrong_course_is_refused_with_the_reason(
    make_course: Make, change: tuple[str, str], message: str
) -> None:
    """An instructor mends course.yaml from the message alone."""
    with pytest.raises(CourseError, match=message):
        Course.load(make_course(change)).lab("01_tiny")


def test_a_lab_whose_folder_is_not_there(make_course: Make) -> None:
    """The name in course.yaml and the folder's must be the same, and either may have the slip."""
    course = Course.load(make_course(("01_tiny", "01_tinny")))
    with pytest.raises(CourseError, match=r"no such lab .*01_tinny.*mend the name in course\.yaml"):
        course.lab("01_tinny")


def test_a_lab_twice_is_refused(make_course: Make) -> None:
    """Its marks would count twice."""
    path = make_course()
    path.write_text(path.read_text() + "  - {name: 01_tiny, points: 7}\n")
    with pytest.raises(CourseError, match="each lab once; twice here: 01_tiny"):
        Course.load(path)


def test_an_empty_or_missing_course_is_refused(tmp_path: Path) -> None:
    """Neither may end in a stack of calls."""
    with pytest.raises(CourseError, match="cannot be read"):
        Course.load(tmp_path)
    (tmp_path / "course.yaml").write_text("")
    with pytest.raises(CourseError, match="course_id: this key is missing"):
        Course.load(tmp_path)


def test_an_unknown_lab_is_a_wrong_use(make_course: Make) -> None:
    """The answer names the labs there are."""
    with pytest.raises(UsageError, match="one of: 01_tiny"):
        Course.load(make_course()).lab("02_missing")
