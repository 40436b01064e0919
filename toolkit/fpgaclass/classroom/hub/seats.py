"""A seat of the class: a person's home, scratch space, and the jail around them."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

from fpgaclass.classroom.hub.hosted import hosted
from fpgaclass.classroom.hub.ways import Ways
from fpgaclass.classroom.layout import Layout
from fpgaclass.classroom.roster import User
from fpgaclass.engine.sandbox import Jail, Mount, NoJail, Person

SEAT_VARIABLE = "FPGACLASS_SEAT"
"""Set to "jailed" in a server of a class that uses jails: there, students' code never runs without one."""
CARD_VARIABLES = ("FPGACLASS_CARD_LOCKS", "FPGACLASS_CARD_WAIT")
"""How the machine's cards are shared: a folder of locks, which seats need to reach, and how long to wait."""

WELCOME = "START_HERE.md"
"""The page in every home that says where the work is."""


def person_of(user: User) -> Person:
    """Return who a user's server runs as: the instructor stays root where root runs the class."""
    return Person(user.name, user.uid if user.role == "student" else None, f"/home/{user.name}")


def taught(layout: Layout, user: User) -> list[Layout]:
    """Return the courses that somebody is an instructor of."""
    known = {one.course_id: one.layout(layout.state) for one in hosted(layout.state)}
    return [known[name] for name, role in user.roles if role == "instructor" and name in known]


def jailed_command(
    layout: Layout,
    jail: Jail | NoJail,
    user: User,
    words: list[str],
    ways: Ways | None = None,
    *,
    calls: int | None = None,
) -> list[str]:
    """Return the command that runs ``words`` as a user of the class, after `ensure_seat`.

    Args:
        layout: the class.
        jail: the machine's.
        user: whose seat it is.
        words: the program and its arguments.
        ways: what leads in and out of a seat without a network; None to share the machine's.
        calls: a descriptor of the filter of system calls (`fpgaclass.engine.seccomp`); None for no filter.
    """
    if isinstance(jail, NoJail):
        return words
    person = person_of(user)
    seat = layout.seat(user.name)
    mounts = [*jail.account_files(person, seat), Mount(layout.home(user.name), person.home, writable=True)]
    for course in taught(layout, user):
        mounts.append(Mount(course.course, f"{person.home}/{course.course_id}", writable=True))
    locks = os.environ.get(CARD_VARIABLES[0])
    if locks and Path(locks).is_dir():
        mounts.append(Mount(Path(locks), locks, writable=True))
    mounts += ways.mounts if ways else ()
    return jail.command(
        words, person, mounts, network=ways is None, cwd=person.home, scratch=seat / "tmp", calls=calls
    )


_WELCOMES = {
    "student": """# Start here

1. In the menu, **Nbgrader > Assignment List**: *Fetch* a lab. Its folder appears on the left.
2. Open the notebook and work from top to bottom. **Validate**, above the notebook, runs the checks that you
   can see.
3. **Nbgrader > Assignment List** again: *Submit*, as often as you like, under the notebook's own file
   name. The last one counts: one more after the deadline makes the whole lab late.

When it has been graded, *Fetch Feedback* is in the same list. Your marks, what is due when, and a receipt of
each submission are on [your page of the class](/services/class/).
""",
    "instructor": """# Start here

- [The class at a glance](/services/class/): who is where, who is stuck, what came in.
- In the menu, **Nbgrader > Formgrader**: who has submitted, the marks, and what waits to be marked by hand.
- In a terminal of the machine: `fpgaclass status`, `fpgaclass grade LAB`, `fpgaclass feedback LAB`.
- The course folder on the left is nbgrader's; its `source` comes from each lab's `lab.py`.
""",
}


def ensure_seat(layout: Layout, jail: Jail | NoJail, user: User, *, fresh: bool = False) -> Path:
    """Make a user's home and scratch space, each with the right owner; return the seat's folder.

    Args:
        layout: the class.
        jail: whether the user's server will be in a jail, which decides who owns what.
        user: whose seat it is.
        fresh: True to empty the scratch space: only before the user's server starts.
    """
    seat = layout.seat(user.name)
    if fresh:
        # Python's own way calls itself for each level, and a student may have left thousands.
        subprocess.run(["rm", "-rf", "--", str(seat / "tmp")], stderr=subprocess.DEVNULL, check=False)
    own = [layout.home(user.name), seat / "tmp"]
    for course in taught(layout, user):
        if user.name != course.instructor and isinstance(jail, NoJail):
            _ensure_link(layout.home(user.name) / course.course_id, course.course)
    uid = jail.host_uid(person_of(user)) if isinstance(jail, Jail) else os.getuid()
    for folder in own:
        folder.mkdir(parents=True, exist_ok=True)
        _ensure_owner(folder, uid)
    layout.home(user.name).chmod(0o700)
    _ensure_welcome(layout.home(user.name), user.role, uid)
    return seat


def _ensure_welcome(home: Path, role: str, uid: int) -> None:
    """Leave the page in a home: JupyterLab's own first screen says nothing of a class."""
    # The home may be in use, and a link put there just now must not lead anywhere.
    with suppress(FileExistsError):
        new = os.open(home / WELCOME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(new, "w") as page:
            page.write(_WELCOMES[role])
            os.fchown(new, uid, uid)


def _ensure_link(path: Path, target: Path) -> None:
    """Make a link to a folder, unless something is there already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink() and not path.exists():
        path.symlink_to(target)


def _ensure_owner(folder: Path, uid: int) -> None:
    """Give a folder and all in it to a uid; does nothing where that is so already."""
    if folder.stat().st_uid == uid:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)
