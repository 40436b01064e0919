"""Several courses on one hub: people and homes are shared, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaclass.classroom.exchange import RefusedError
from fpgaclass.classroom.exchange.desk import Desk
from fpgaclass.classroom.exchange.store import Store
from fpgaclass.classroom.hub.config import HubSettings, configure
from fpgaclass.classroom.hub.hosted import Hosted, ensure_hosted, hosted, way_to_labs
from fpgaclass.classroom.hub.limits import Limits
from fpgaclass.classroom.hub.seats import taught
from fpgaclass.classroom.layout import Layout, ensure_private
from fpgaclass.classroom.roster import (
    check_password,
    ensure_roster,
    load_everybody,
    load_roster,
    members,
    reset_password,
)


@pytest.fixture
def two(tmp_path: Path) -> tuple[Layout, Layout]:
    """Two courses: ada is in both, emmy is taught the first and helps to teach the second."""
    found = []
    for name, teacher, students, more in (
        ("qed", "richard", ["ada", "emmy"], []),
        ("algebra", "noether", ["ada", "lise"], ["emmy"]),
    ):
        course = Hosted(name, f"/{name}/course.yaml", name.title(), teacher)
        ensure_hosted(tmp_path, course)
        layout = course.layout(tmp_path)
        ensure_roster(layout, students, [teacher, *more])
        found.append(layout)
    return found[0], found[1]


def test_one_login_and_a_role_in_each_course(two: tuple[Layout, Layout]) -> None:
    """A student of two courses has one password; an assistant of one may be a student of the other."""
    qed, algebra = two
    assert members(qed) == {"richard": "instructor", "ada": "student", "emmy": "student"}
    assert members(algebra) == {
        "noether": "instructor",
        "emmy": "instructor",
        "ada": "student",
        "lise": "student",
    }
    everybody = load_everybody(qed)
    assert len({user.uid for user in everybody}) == len(everybody) == 5
    new = reset_password(algebra, "ada")
    assert check_password(load_roster(qed), "ada", new.password or "")
    emmy = next(user for user in everybody if user.name == "emmy")
    assert [course.course_id for course in taught(qed, emmy)] == ["algebra"]
    assert way_to_labs(qed, "ada") == ("qed",)
    assert way_to_labs(algebra, "lise") == ()


def test_who_leaves_one_course_stays_in_the_other(two: tuple[Layout, Layout]) -> None:
    """The second course's roster must not throw the first course's people out."""
    qed, algebra = two
    before = {user.name: user.hash for user in load_everybody(qed)}
    ensure_roster(algebra, ["lise"], ["noether"])
    after = {user.name: user.hash for user in load_everybody(qed)}
    assert after == before, "ada and emmy are in the first course still"
    ensure_roster(qed, [], ["richard"])
    assert {user.name for user in load_everybody(qed)} == {"richard", "noether", "lise"}


def test_a_roster_of_before_is_read(two: tuple[Layout, Layout]) -> None:
    """Classes that are up in the middle of a term were made when a hub had one course."""
    qed, _ = two
    qed.roster.write_text('[{"name": "ada", "role": "student", "uid": 62001, "salt": "", "hash": ""}]')
    assert members(qed) == {"ada": "student"}


def test_an_instructor_of_one_is_none_of_the_other(two: tuple[Layout, Layout], tmp_path: Path) -> None:
    """In the exchange, and at the hub: neither submissions nor servers of the other course are theirs."""
    qed, _ = two
    layouts = {layout.course_id: layout for layout in two}
    store = Store(qed.exchange_url)

    def desk(user: str) -> Desk:
        return Desk(store, lambda course: members(layouts[course]), user, tuple(layouts))

    desk("noether").release("algebra", "01_rings", {"01_rings.ipynb": b"{}"}, force=False)
    desk("ada").submit("algebra", "01_rings", {"01_rings.ipynb": b"{1}"})
    assert [receipt.student for receipt in desk("emmy").receipts("algebra", "01_rings")] == ["ada"]
    for stranger in ("richard", "eve"):
        with pytest.raises(RefusedError, match="Permission denied"):
            desk(stranger).receipts("algebra", "01_rings")
    with pytest.raises(RefusedError, match="Permission denied"):
        desk("emmy").release("qed", "01_rings", {}, force=True)
    assert desk("ada").courses() == ["qed", "algebra"]

    from traitlets.config import Config

    c = Config()
    ensure_private(qed.hub)
    configure(c, Layout(tmp_path, "", ""), HubSettings(1, 2, 3, 4, 240, 0, Limits(), ()))
    culler = next(service for service in c.JupyterHub.services if service["name"] == "idle-culler")
    assert culler["command"][-1] == "--timeout=14400"
    roles = {role["name"]: role for role in c.JupyterHub.load_roles}
    assert roles["instructor-of-qed"]["users"] == ["richard"]
    scopes = roles["instructor-of-qed"]["scopes"]
    assert "servers!group=nbgrader-qed" in scopes
    assert all("!group=" in scope for scope in scopes if scope != "admin-ui")
    assert not any("algebra" in scope for scope in scopes)
    groups = {name: set(group["users"]) for name, group in c.JupyterHub.load_groups.items()}
    assert groups["nbgrader-qed"] == {"ada", "emmy"}
    assert groups["formgrade-algebra"] == {"noether", "emmy"}
    assert [course.course_id for course in hosted(tmp_path)] == ["qed", "algebra"]
