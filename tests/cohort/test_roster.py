"""Rosters come from secretariats: every fault must be named with its line, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgaclass.cohort.roster import read_roster, students_of
from fpgaclass.core import InvalidInputError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample ada@laptop"


def _roster(folder: Path, text: str, name: str = "roster.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_and_yaml_give_the_same_students(tmp_path: Path) -> None:
    """Which format a secretariat exports must not matter, nor must a byte-order mark or a comment."""
    csv = _roster(tmp_path, f'\ufefflogin,name,public_key\n# the class\nada,"Ada, L.",{KEY}\n\nemmy,Emmy,\n')
    yaml = _roster(
        tmp_path,
        f'- {{login: ada, name: "Ada, L.", public_key: "{KEY}"}}\n- {{login: emmy, name: Emmy}}\n',
        "r.yaml",
    )
    found, again = read_roster(csv), read_roster(yaml)
    assert [(s.login, s.name, s.public_key) for s in found] == [
        (s.login, s.name, s.public_key) for s in again
    ]
    assert [s.line for s in found] == [3, 5]


def test_a_spreadsheet_s_semicolons_are_read(tmp_path: Path) -> None:
    """In half of Europe that is what "save as CSV" gives."""
    path = _roster(tmp_path, 'login;name\r\n"ada";"Ada, L."\r\nemmy;Emmy\r\n')
    assert [(s.login, s.name) for s in read_roster(path)] == [("ada", "Ada, L."), ("emmy", "Emmy")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Ada,a@b.it,", "cannot be a login"),
        ("ada;rm -rf,a@b.it,", "cannot be a login"),
        ("../ada,a@b.it,", "cannot be a login"),
        ("adà,a@b.it,", "cannot be a login"),
        ("a" * 32 + ",a@b.it,", "cannot be a login"),
        (",a@b.it,", "cannot be a login"),
        ("root,a@b.it,", "user of the system"),
        ("emmy,a@b.it,", "emmy is twice; first on line 2"),
        ("ada,not-an-address,", "not an e-mail"),
        ("ada,a@b.it,ssh-rsa", "not an OpenSSH public key"),
        ("ada,a@b.it,-----BEGIN OPENSSH PRIVATE KEY-----", "PRIVATE key"),
        ("ada,a@b.it", "2 cells where the header has 3"),
    ],
)
def test_a_bad_line_is_named_with_its_reason(tmp_path: Path, line: str, said: str) -> None:
    """Names become users, folders and tags; what is not safe there must not get in."""
    path = _roster(tmp_path, f"login,email,public_key\nemmy,e@b.it,\n{line}\n")
    with pytest.raises(InvalidInputError) as caught:
        read_roster(path)
    assert said in str(caught.value)
    assert "roster.csv:3)" in str(caught.value)


def test_all_bad_lines_come_in_one_message(tmp_path: Path) -> None:
    """Nobody wants to run a command thirty times to find thirty slips; but 300 lines help nobody either."""
    path = _roster(tmp_path, "login\n" + "".join(f"Bad {n}\n" for n in range(40)))
    with pytest.raises(InvalidInputError) as caught:
        read_roster(path)
    assert "roster.csv:2:" in str(caught.value)
    assert "and 28 more" in str(caught.value)


@pytest.mark.parametrize("text", ["", "ada\nemmy\n", "login,login\n", "login,shoe\n"])
def test_a_file_without_a_good_header_is_refused(tmp_path: Path, text: str) -> None:
    """Guessing which column is the login would make users of e-mail addresses."""
    with pytest.raises(InvalidInputError, match=r"login|empty"):
        read_roster(_roster(tmp_path, text))


def test_yaml_faults_have_lines_too(tmp_path: Path) -> None:
    """The line is that of the entry, also deep in a file."""
    path = _roster(tmp_path, "students:\n  - ada\n  - login: emmy\n    shoe: 42\n", "r.yml")
    with pytest.raises(InvalidInputError, match=r"no such key: shoe .*r\.yml:3\)"):
        read_roster(path)


def test_bare_logins_are_checked_alike() -> None:
    """course.yaml's students go the same way."""
    with pytest.raises(InvalidInputError, match="ada is twice"):
        students_of(["ada", "ada"], "course.yaml")


@pytest.mark.parametrize(
    "data",
    [
        b"sep=;\r\nlogin;name\r\nada;Ada L.\r\n",
        "login\tname\r\nada\tAda L.\r\n".encode("utf-16"),
        b"login,name,,\nada,Ada L.,,\n,,,\n",
    ],
    ids=["separator", "unicode text", "empty columns"],
)
def test_what_spreadsheets_write_is_read(tmp_path: Path, data: bytes) -> None:
    """Lists come from Excel, in whichever way it was set up."""
    (tmp_path / "r.csv").write_bytes(data)
    assert [(s.login, s.name) for s in read_roster(tmp_path / "r.csv")] == [("ada", "Ada L.")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'login,name\nada,"Ada\nemmy,Emmy\n', r"quotation mark is not closed .*r\.csv:2\)"),
        (b"login;name\nmueller;M\xfcller\n", r"not UTF-8 .*r\.csv:2\).*CSV UTF-8"),
        (b"PK\x03\x04\xff\xff", r"a workbook, not CSV .*CSV UTF-8"),
        (b"login\nAda.L@uni.it\n", r"cannot be a login.*; ada_l\?"),
    ],
)
def test_what_it_writes_wrongly_is_told_with_the_way_out(tmp_path: Path, data: bytes, said: str) -> None:
    """A quotation mark that swallowed the rest of the list would cost everybody in it their machine."""
    (tmp_path / "r.csv").write_bytes(data)
    with pytest.raises(InvalidInputError, match=said):
        read_roster(tmp_path / "r.csv")
