"""The students' list, from CSV or YAML, with the line of every fault."""

from __future__ import annotations

import base64
import binascii
import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from fpgaclass.cohort.port import printable
from fpgaclass.core import InvalidInputError

_LOGIN = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_KEY = re.compile(
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp[0-9]+|sk-[a-z0-9-]+@openssh\.com) ([A-Za-z0-9+/]+={0,2})( .*)?"
)
_WRONG_KEY = "not an OpenSSH public key (one line of a .pub file)"
_SYSTEM = frozenset(
    (
        "root",
        "daemon",
        "bin",
        "sys",
        "sync",
        "games",
        "man",
        "lp",
        "mail",
        "news",
        "uucp",
        "proxy",
        "backup",
        "list",
        "irc",
        "nobody",
        "admin",
        "ubuntu",
        "debian",
        "centos",
        "ec2-user",
        "cloud-user",
        "cloudadm",
        "sshd",
        "postgres",
        "docker",
        "jupyterhub",
        "hub",
        "systemd-network",
        "www-data",
    )
)
_COLUMNS = ("login", "name", "email", "public_key")
_SHOWN = 12


@dataclass(frozen=True)
class Student:
    """A student.

    Attributes:
        login: the user name on every machine, in every tag and in nbgrader.
        name: for people; it never leaves this machine.
        email: where the seat's data may be sent; it never leaves this machine.
        public_key: the OpenSSH key that may log in, without its comment; empty leaves only the hub.
        line: of the roster, for messages.
    """

    login: str
    name: str = ""
    email: str = ""
    public_key: str = ""
    line: int = 0


def read_roster(path: Path | str) -> tuple[Student, ...]:
    """Read a roster; ``.yaml`` and ``.yml`` are YAML, anything else is CSV with a header.

    The columns (or keys) are ``login`` and, if wanted, ``name``, ``email``, ``public_key``. In YAML an entry
    may also be just the login.

    Raises:
        InvalidInputError: with every line that is wrong, and why.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as trouble:
        what = f"the roster cannot be read: {trouble.strerror or trouble}"
        step = "name a file beside course.yaml in cohort.roster"
        raise InvalidInputError(what, where=str(path), next_step=step) from trouble
    text = _decoded(data, path)
    read = _from_yaml if path.suffix in (".yaml", ".yml") else _from_csv
    return _checked(read(text, path), path)


def public_key(text: str) -> str:
    """Return an OpenSSH public key, checked, without its comment.

    The comment is words of a stranger, often with a name in it, and Ansible would take ``{{ }}`` in it for an
    instruction to this machine; nothing needs it.

    Raises:
        ValueError: it is none; the message says what it is instead.
    """
    if "PRIVATE" in text:
        raise ValueError("a PRIVATE key; make a new pair, this one is spent")
    parts = _KEY.fullmatch(text.strip())
    if parts is None:
        raise ValueError(_WRONG_KEY)
    kind, data, _ = parts.groups()
    try:
        inside = base64.b64decode(data, validate=True)
    except binascii.Error as odd:
        raise ValueError(_WRONG_KEY) from odd
    # RFC 4253, section 6.6: the data begin with the length and the name of the same kind.
    if not inside.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        raise ValueError(f"cut off, or no {kind} key; copy the whole line of the .pub file")
    return f"{kind} {data}"


def students_of(logins: Sequence[str], where: str, lines: Sequence[int] = ()) -> tuple[Student, ...]:
    """Return students from bare logins, such as course.yaml's; checked as a roster is.

    Args:
        logins: of all of them.
        where: the file's name, for messages.
        lines: on which they are, if that is known.

    Raises:
        InvalidInputError: with every login that is wrong.
    """
    places = lines if len(lines) == len(logins) else [0] * len(logins)
    return _checked(
        ((line, {"login": login}) for line, login in zip(places, logins, strict=True)), Path(where)
    )


def _decoded(data: bytes, path: Path) -> str:
    # What Excel calls Unicode text is UTF-16, and begins with this mark.
    encoding = "utf-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as trouble:
        book = data.startswith(b"PK")
        line = 1 + data.count(b"\n", 0, trouble.start)
        what = "this is a workbook, not CSV" if book else "the letters here are not UTF-8"
        step = "in Excel: Save as, CSV UTF-8; in LibreOffice: Text CSV, character set UTF-8"
        raise InvalidInputError(what, where=f"{path}:{line}", next_step=step) from trouble


def _from_csv(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    # Excel's own line of which separator it means says nothing that the header does not.
    text = re.sub(r"\Asep=.(?=\r?\n)", "#", text)
    # Where a comma is in numbers, spreadsheets write semicolons between cells; Unicode text has tabs.
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    comma = next((mark for mark in ("\t", ";") if mark in first and "," not in first), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=comma)
    header: list[str] | None = None
    line = 0
    while True:
        first_line = line + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as trouble:
            raise InvalidInputError(f"this is not CSV: {trouble}", where=f"{path}:{first_line}") from trouble
        line = reader.line_num
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if header is None:
            while not cells[-1]:
                cells.pop()  # a spreadsheet's empty columns
            header = [cell.lower() for cell in cells]
            unknown = [cell for cell in header if cell not in _COLUMNS]
            if "login" not in header or unknown or len(set(header)) < len(header):
                what = f"the first line must name the columns, not {', '.join(cells)[:60]!r}"
                step = (
                    f"call the column of user names login, keep any of {', '.join(_COLUMNS[1:])}, "
                    "each once, and remove the others"
                )
                raise InvalidInputError(what, where=f"{path}:{first_line}", next_step=step)
            continue
        while len(cells) > len(header) and not cells[-1]:
            cells.pop()
        if any("\n" in cell for cell in cells):
            yield first_line, {"": "a cell goes over several lines: a quotation mark is not closed"}
        elif len(cells) != len(header):
            yield first_line, {"": f"{len(cells)} cells where the header has {len(header)}"}
        else:
            yield first_line, dict(zip(header, cells, strict=True))


def _from_yaml(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as trouble:
        mark = getattr(trouble, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InvalidInputError(f"this is not YAML: {trouble}", where=where) from trouble
    if isinstance(tree, yaml.MappingNode) and len(tree.value) == 1 and tree.value[0][0].value == "students":
        tree = tree.value[0][1]
    if not isinstance(tree, yaml.SequenceNode):
        raise InvalidInputError("a roster in YAML is a list", where=str(path), next_step="- login: ada")
    for node in tree.value:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            yield line, {"login": node.value.strip()}
        elif isinstance(node, yaml.MappingNode):
            entry = {str(k.value): v.value.strip() for k, v in node.value if isinstance(v, yaml.ScalarNode)}
            odd = [str(k.value) for k, v in node.value if not isinstance(v, yaml.ScalarNode)]
            odd += [key for key in entry if key not in _COLUMNS]
            twice = [str(k.value) for k, _ in node.value][len(entry) :]
            if odd:
                yield line, {"": f"no such key: {', '.join(map(printable, odd))}"}
            else:
                yield line, {"": "a key is twice in this entry"} if twice else entry
        else:
            yield line, {"": "an entry is a login, or keys and values"}


def _checked(entries: Iterable[tuple[int, Mapping[str, str]]], path: Path) -> tuple[Student, ...]:
    students: dict[str, Student] = {}
    faults: list[tuple[str, str]] = []
    for line, entry in entries:
        place = f"{path}:{line}" if line else str(path)
        login = entry.get("login", "")
        faults += [(place, fault) for fault in _faults(entry, students.get(login))]
        fields = {column: entry.get(column, "") for column in _COLUMNS}
        with suppress(ValueError):  # it is among the faults
            fields["public_key"] = fields["public_key"] and public_key(fields["public_key"])
        students.setdefault(login, Student(**fields, line=line))
    if len(faults) == 1:
        place, fault = faults[0]
        raise InvalidInputError(fault, where=place, next_step="mend this line of the roster")
    if faults:
        listed = "".join(f"\n  {place}: {fault}" for place, fault in faults[:_SHOWN])
        more = f"\n  and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        what = f"{len(faults)} faults in the roster:{listed}{more}"
        raise InvalidInputError(what, next_step="mend these lines of the roster")
    if not students:
        raise InvalidInputError(
            "the roster is empty", where=str(path), next_step="add a line for each student"
        )
    return tuple(students.values())


def _meant(login: str) -> str:
    """Return what may have been meant: spreadsheets write capitals, and lists often have addresses."""
    found = login.partition("@")[0].lower().replace(".", "_")
    return f"; {found}?" if _LOGIN.fullmatch(found) else ""


def _faults(entry: Mapping[str, str], before: Student | None) -> Iterator[str]:
    if "" in entry:
        yield entry[""]
        return
    login = entry.get("login", "")
    if not _LOGIN.fullmatch(login):
        yield f"{login!r} cannot be a login: up to 31 of a-z, 0-9, - and _, a letter first{_meant(login)}"
    elif login in _SYSTEM:
        yield f"{login} is a user of the system; choose another login"
    elif before is not None:
        yield f"{login} is twice; first on line {before.line}" if before.line else f"{login} is twice"
    if entry.get("email") and not _EMAIL.fullmatch(entry["email"]):
        yield f"{entry['email']!r} is not an e-mail address"
    if entry.get("public_key"):
        try:
            public_key(entry["public_key"])
        except ValueError as fault:
            yield f"public_key is {fault}"
