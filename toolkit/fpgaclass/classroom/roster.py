"""Who is in the class, and how each one logs in.

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
from dataclasses import asdict, dataclass
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
        role: what they may do.
        uid: the uid that the servers of a student run as when root runs the class.
        salt: of the password's hash, hex.
        hash: scrypt of the password, hex.
    """

    name: str
    role: Role
    uid: int
    salt: str
    hash: str


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
    """Read the roster; a class that was never up has none."""
    return tuple(User(**entry) for entry in read_json(layout.roster, []))


def members(layout: Layout) -> dict[str, Role]:
    """Return everybody's role in the class, by login name."""
    return {user.name: user.role for user in load_roster(layout)}


def ensure_roster(layout: Layout, students: Sequence[str], instructors: Sequence[str]) -> tuple[Login, ...]:
    """Give everybody a login who has none yet, and return all logins.

    Users who left the course keep their files and lose their login.

    Raises:
        InvalidInputError: a name cannot be a login name.
    """
    wanted: list[tuple[str, Role]] = [(name, "instructor") for name in instructors]
    wanted += [(name, "student") for name in students]
    for name, _ in wanted:
        if not _NAME.match(name):
            step = "use up to 31 small letters, digits, - and _, a letter first"
            raise InvalidInputError(f"{name!r} cannot be a login name", where="the cohort", next_step=step)
    known = {user.name: user for user in load_roster(layout)}
    passwords = _read_logins(layout)
    users = []
    for name, role in wanted:
        if name not in known:
            passwords[name] = _new_password()
            known[name] = _new_user(name, role, passwords[name], {u.uid for u in known.values()})
        users.append(known[name])
    passwords = {user.name: passwords[user.name] for user in users if user.name in passwords}
    # The passwords first: a crash between the two leaves a login that is made again, not a lost password.
    if passwords:
        write_text(layout.logins, "".join(f"{name} {passwords[name]}\n" for name in passwords))
    write_json(layout.roster, [asdict(user) for user in users])
    return tuple(Login(user.name, user.role, passwords.get(user.name)) for user in users)


def reset_password(layout: Layout, name: str) -> Login:
    """Give a user a new password and return it; it holds from the next login on.

    Raises:
        ClassroomError: there is no such user.
    """
    users = {user.name: user for user in load_roster(layout)}
    if name not in users:
        step = f"users: {', '.join(users)}" if users else command("up")
        raise ClassroomError(f"there is no user {name}", where=str(layout.roster), next_step=step)
    password = _new_password()
    old = users[name]
    users[name] = _new_user(name, old.role, password, set(), uid=old.uid)
    passwords = {**_read_logins(layout), name: password}
    write_text(layout.logins, "".join(f"{user} {word}\n" for user, word in passwords.items()))
    write_json(layout.roster, [asdict(user) for user in users.values()])
    return Login(name, old.role, password)


def _new_user(name: str, role: Role, password: str, taken: set[int], uid: int | None = None) -> User:
    salt = os.urandom(16)
    return User(name, role, uid or _free_uid(taken), salt.hex(), hash_password(password, salt))


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
