"""Who is in the class, and how each one logs in; on a hub with several courses, who is what in which.

Passwords are kept as scrypt hashes. Those made at the first `up` are written once more, in the clear, into
logins.txt (mode 0600), so that a second `up` can print them again; an instructor who has handed them out
deletes that file, and the class goes on.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import pwd
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from fpgaclass.classroom.hints import command
from fpgaclass.classroom.layout import Layout, read_json, write_json, write_text
from fpgaclass.core import ClassroomError, InvalidInputError

Role = Literal["student", "instructor"]

FIRST_UID = 62000
"""Where the uids of a class start when root runs it: above people, below 65534 (nobody)."""

_NAME = re.compile(r"^[a-z][a-z0-9_-]{0,30}$")
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "maxmem": 64 * 2**20}
_SOUNDS = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]


@dataclass(frozen=True)
class User:
    """A person who may log in.

    Attributes:
        name: the login name, also nbgrader's student id.
        role: what they may do in the course, or, of everybody at the hub, what kind of server they have.
        uid: the uid that the servers of a student run as when root runs the class.
        salt: of the password's hash, hex.
        hash: scrypt of the password, hex.
        roles: course -> role, of all the hub's courses that they are in.
    """

    name: str
    role: Role
    uid: int
    salt: str
    hash: str
    roles: tuple[tuple[str, Role], ...] = ()

    def in_course(self, course: str) -> Role | None:
        """Return what they are in a course, or None."""
        return dict(self.roles).get(course)


@dataclass(frozen=True)
class Login:
    """A name and its first password, to be handed out; the password is None when logins.txt was deleted."""

    name: str
    role: Role
    password: str | None


def hash_password(password: str, salt: bytes) -> str:
    """Return the scrypt hash of a password, hex; 16 MiB and about 50 ms."""
    return hashlib.scrypt(password.encode(), salt=salt, dklen=32, **_SCRYPT).hex()


def check_password(users: Sequence[User], name: str, password: str) -> User | None:
    """Return the user whose name and password these are, else None, in the same time for an unknown name."""
    user = next((u for u in users if u.name == name), None)
    salt = bytes.fromhex(user.salt) if user else b"\0" * 16
    given = hash_password(password, salt)
    return user if user and hmac.compare_digest(given, user.hash) else None


def load_roster(layout: Layout) -> tuple[User, ...]:
    """Read who is in the course; a class that was never up has nobody."""
    here = ((user, user.in_course(layout.course_id)) for user in load_everybody(layout))
    return tuple(replace(user, role=role) for user, role in here if role)


def load_everybody(layout: Layout) -> tuple[User, ...]:
    """Read who may log in at the hub: the people of all its courses; each has one server, of one kind."""
    found = []
    for entry in read_json(layout.roster, []):
        role = entry.pop("role", None)  # of a class made before a hub had several courses
        roles: dict[str, Role] = entry.pop("roles", {layout.course_id: role})
        kind: Role = "instructor" if "instructor" in roles.values() else "student"
        found.append(User(**entry, role=kind, roles=tuple(roles.items())))
    return tuple(found)


def members(layout: Layout) -> dict[str, Role]:
    """Return everybody's role in the class, by login name."""
    return {user.name: user.role for user in load_roster(layout)}


def ensure_roster(layout: Layout, students: Sequence[str], instructors: Sequence[str]) -> tuple[Login, ...]:
    """Give everybody a login who has none yet, and return all logins.

    Users who left the course keep their files, and lose their login unless another course of the hub has
    them; the people of other courses stay as they are.

    Raises:
        InvalidInputError: a name cannot be a login name.
    """
    wanted: list[tuple[str, Role]] = [(name, "instructor") for name in instructors]
    wanted += [(name, "student") for name in students]
    for name, _ in wanted:
        if not _NAME.match(name):
            step = "use up to 31 small letters, digits, - and _, a letter first"
            raise InvalidInputError(f"{name!r} cannot be a login name", where="the cohort", next_step=step)
    course, before = layout.course_id, load_everybody(layout)
    known = {user.name: user for user in before}
    passwords = _read_logins(layout)
    users = []
    for name, role in wanted:
        if name not in known:
            passwords[name] = _new_password()
            known[name] = _new_user(name, role, passwords[name], {u.uid for u in known.values()})
        users.append(replace(known[name], role=role, roles=_with(known[name], course, role)))
    names = {user.name for user in users}
    others = (replace(user, roles=_with(user, course, None)) for user in before if user.name not in names)
    everybody = [*users, *(user for user in others if user.roles)]
    passwords = {user.name: passwords[user.name] for user in everybody if user.name in passwords}
    # The passwords first: a crash between the two leaves a login that is made again, not a lost password.
    if passwords:
        write_text(layout.logins, "".join(f"{name} {passwords[name]}\n" for name in passwords))
    _write_roster(layout, everybody)
    return tuple(Login(user.name, user.role, passwords.get(user.name)) for user in users)


def reset_password(layout: Layout, name: str) -> Login:
    """Give a user a new password and return it; it holds from the next login on.

    Raises:
        ClassroomError: there is no such user.
    """
    users = {user.name: user for user in load_everybody(layout)}
    if name not in users:
        step = f"users: {', '.join(users)}" if users else command("up")
        raise ClassroomError(f"there is no user {name}", where=str(layout.roster), next_step=step)
    password = _new_password()
    old = users[name]
    made = _new_user(name, old.role, password, set())
    users[name] = replace(old, salt=made.salt, hash=made.hash)
    passwords = {**_read_logins(layout), name: password}
    write_text(layout.logins, "".join(f"{user} {word}\n" for user, word in passwords.items()))
    _write_roster(layout, list(users.values()))
    return Login(name, old.role, password)


def _write_roster(layout: Layout, users: Sequence[User]) -> None:
    rows = []
    for user in users:
        row = asdict(user) | {"roles": dict(user.roles)}
        del row["role"]
        rows.append(row)
    write_json(layout.roster, rows)


def _with(user: User, course: str, role: Role | None) -> tuple[tuple[str, Role], ...]:
    """Return a user's roles with one changed, or taken away."""
    roles = {name: has for name, has in user.roles if name != course}
    return tuple((roles | ({course: role} if role else {})).items())


def _new_user(name: str, role: Role, password: str, taken: set[int]) -> User:
    salt = os.urandom(16)
    return User(name, role, _free_uid(taken), salt.hex(), hash_password(password, salt))


def _free_uid(taken: set[int]) -> int:
    """Return a uid that no account of the machine and nobody in the class has."""
    accounts = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in range(FIRST_UID, 65000) if uid not in taken and uid not in accounts)


def _new_password() -> str:
    """Return a password that can be read aloud: four words of two syllables, 49 bits."""
    return "-".join(secrets.choice(_SOUNDS) + secrets.choice(_SOUNDS) for _ in range(4))


def _read_logins(layout: Layout) -> dict[str, str]:
    try:
        lines = layout.logins.read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split(" ", 1) for line in lines if " " in line)
