"""Who may log in."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaclass.classroom.layout import Layout
from fpgaclass.classroom.roster import (
    FIRST_UID,
    check_password,
    ensure_roster,
    load_roster,
    reset_password,
)
from fpgaclass.core import ClassroomError, InvalidInputError


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An empty class."""
    return Layout(tmp_path, "tiny101", "teacher")


def test_each_has_an_own_password_and_no_other_opens_the_door(layout: Layout) -> None:
    """A password shared by the class lets any student submit as another."""
    logins = ensure_roster(layout, ["ada", "emmy"], ["teacher"])
    words = {login.name: login.password for login in logins}
    assert len(set(words.values())) == 3
    users = load_roster(layout)
    for name, word in words.items():
        assert word is not None
        found = check_password(users, name, word)
        assert found is not None
        assert found.name == name
        assert all(check_password(users, other, word) is None for other in words if other != name)
    assert check_password(users, "nobody", "x") is None


def test_passwords_are_hashed_and_the_files_private(layout: Layout) -> None:
    """Who reads the roster, in a backup say, must not be able to log in."""
    logins = ensure_roster(layout, ["ada"], ["teacher"])
    text = layout.roster.read_text()
    assert all(login.password and login.password not in text for login in logins)
    for path in (layout.roster, layout.logins):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_up_prints_the_same_logins(layout: Layout) -> None:
    """People have written their password down."""
    assert ensure_roster(layout, ["ada"], ["teacher"]) == ensure_roster(layout, ["ada"], ["teacher"])


def test_logins_may_be_deleted_when_they_were_handed_out(layout: Layout) -> None:
    """The clear passwords are for the first day only; the class must go on without them."""
    before = ensure_roster(layout, ["ada"], ["teacher"])
    layout.logins.unlink()
    after = ensure_roster(layout, ["ada"], ["teacher"])
    assert [login.password for login in after] == [None, None]
    assert before[1].password
    assert check_password(load_roster(layout), "ada", before[1].password)


def test_who_joins_gets_a_login_and_who_leaves_loses_it(layout: Layout) -> None:
    """A roster changes in the first weeks; nobody else's password may change with it."""
    first = ensure_roster(layout, ["ada", "emmy"], ["teacher"])
    second = ensure_roster(layout, ["ada", "lise"], ["teacher"])
    assert second[:2] == first[:2]
    assert [login.name for login in second] == ["teacher", "ada", "lise"]
    assert check_password(load_roster(layout), "emmy", first[2].password or "") is None


def test_uids_are_the_classs_own(layout: Layout) -> None:
    """Two students with one uid could read each other's files where root runs the class."""
    ensure_roster(layout, ["ada", "emmy"], ["teacher"])
    uids = [user.uid for user in load_roster(layout)]
    assert len(set(uids)) == 3
    assert min(uids) >= FIRST_UID


def test_a_crash_between_the_two_files_is_mended(layout: Layout) -> None:
    """A roster without passwords, or passwords without a roster, would lock everybody out."""
    ensure_roster(layout, ["ada"], ["teacher"])
    layout.roster.unlink()
    logins = ensure_roster(layout, ["ada"], ["teacher"])
    assert check_password(load_roster(layout), "ada", logins[1].password or "")


def test_a_password_can_be_made_anew(layout: Layout) -> None:
    """Somebody forgets theirs every year; their uid, and so their files, stay."""
    old = ensure_roster(layout, ["ada"], ["teacher"])[1]
    uid = load_roster(layout)[1].uid
    new = reset_password(layout, "ada")
    users = load_roster(layout)
    assert check_password(users, "ada", old.password or "") is None
    assert check_password(users, "ada", new.password or "")
    assert users[1].uid == uid
    with pytest.raises(ClassroomError, match="there is no user emmy"):
        reset_password(layout, "emmy")


@pytest.mark.parametrize("name", ["Ada", "ada+emmy", "../ada", "ada lovelace", "", "a" * 32])
def test_a_name_that_would_break_paths_is_refused(layout: Layout, name: str) -> None:
    """Names become folders, URL parts and nbgrader's file names, in which + separates."""
    with pytest.raises(InvalidInputError, match="cannot be a login name"):
        ensure_roster(layout, [name], ["teacher"])
    assert not layout.roster.exists()
