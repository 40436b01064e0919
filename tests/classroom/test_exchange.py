"""The exchange: whose a submission is, and when it came, is the server's to say.

Most tests run twice: at the desk itself, and through HTTP at a real hub, with tokens that the hub gave.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from nbgrader.exchange import ExchangeError

from fpgaclass.classroom import Classroom
from fpgaclass.classroom.exchange import Client, Desk, Exchange, RefusedError, Store, open_desk
from fpgaclass.classroom.exchange.dialogs import plainly
from fpgaclass.classroom.exchange.store import parse_time
from fpgaclass.classroom.exchange.trees import check_tree, digest_tree, read_tree, write_tree
from fpgaclass.classroom.service import PREFIX
from fpgaclass.course import Course

LAB, COURSE = "01_square", "tiny101"
TREE = {f"{LAB}.ipynb": b"{}", "data/x.csv": b"1,2"}
At = Callable[[str], Exchange]


@pytest.fixture(scope="module")
def hub(
    _prepared: tuple[Course, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Classroom, str]]:
    """A class that is up, and where."""
    course, state = _prepared
    classroom = Classroom(course, shutil.copytree(state, tmp_path_factory.mktemp("hub") / "state"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    status = classroom.up(port, foreground=False)
    assert status.url
    yield classroom, status.url
    classroom.down()


@pytest.fixture(scope="module")
def token_of(hub: tuple[Classroom, str]) -> Callable[[str], str]:
    """Get a token of the hub for a person, as they could themselves."""
    classroom, url = hub
    words = dict(line.split() for line in classroom.layout.logins.read_text().splitlines())
    kept: dict[str, str] = {}

    def token(name: str) -> str:
        if name not in kept:
            with httpx.Client(follow_redirects=True, timeout=180) as web:
                form = web.get(f"{url}/hub/login").text
                hidden = re.search(r'name="_xsrf" value="([^"]+)"', form)
                assert hidden
                fields = {"_xsrf": hidden[1], "username": name, "password": words[name]}
                web.post(f"{url}/hub/login", data=fields)
                answer = web.post(
                    f"{url}/hub/api/users/{name}/tokens",
                    json={"scopes": ["access:services!service=class"]},
                    headers={"X-XSRFToken": web.cookies.get("_xsrf", path="/hub/") or ""},
                )
                assert answer.is_success, answer.text
                kept[name] = answer.json()["token"]
        return kept[name]

    return token


@pytest.fixture(params=["desk", "http"])
def at(request: pytest.FixtureRequest) -> At:
    """Go to the exchange as somebody."""
    if request.param == "desk":
        classroom = request.getfixturevalue("classroom")
        return lambda name: open_desk(classroom.layout, name)
    (_, url), token_of = request.getfixturevalue("hub"), request.getfixturevalue("token_of")
    return lambda name: Client(f"{url}{PREFIX}api", token_of(name), name)


def test_a_refusal_is_its_reason_alone() -> None:
    """The dialog cuts off wide lines, and below a stack of calls nobody finds what to do."""

    def submit(raised: Exception) -> dict[str, object]:
        try:
            raise raised
        except type(raised):
            return {"success": False, "value": traceback.format_exc()}

    said = str(
        plainly(submit)(ExchangeError("01_square is closed. " + "Next: ask your instructor. " * 5))["value"]
    )
    assert said.startswith("01_square is closed. Next: ask")
    assert max(map(len, said.splitlines())) <= 84
    assert "Traceback" in str(plainly(submit)(ZeroDivisionError("a bug"))["value"])
    assert plainly(lambda: {"success": True})() == {"success": True}


def test_the_way_of_a_lab(at: At) -> None:
    """Released, fetched, handed in, collected, given back: each as the person whose turn it is."""
    ada, teacher = at("ada"), at("teacher")
    assert ada.courses() == [COURSE]
    assert ada.labs(COURSE) == [LAB]
    assert f"{LAB}.ipynb" in ada.released(COURSE, LAB)
    receipt = ada.submit(COURSE, LAB, TREE)
    assert (receipt.student, receipt.digest) == ("ada", digest_tree(TREE))
    assert abs(receipt.when - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)
    assert receipt in teacher.receipts(COURSE, LAB)
    assert teacher.submission(COURSE, LAB, "ada") == (receipt, TREE)
    teacher.give_feedback(COURSE, LAB, "ada", receipt.timestamp, {f"{LAB}.html": b"<p>good</p>"})
    assert ada.feedback(COURSE, LAB, "ada", receipt.timestamp) == {f"{LAB}.html": b"<p>good</p>"}


def test_nobody_gets_at_anothers(at: At) -> None:
    """Reading, listing, feedback: a student who knows all the names gets nothing of a classmate's."""
    receipt = at("ada").submit(COURSE, LAB, TREE)
    emmy = at("emmy")
    attempts: list[Callable[[], object]] = [
        lambda: emmy.submission(COURSE, LAB, "ada"),
        lambda: emmy.submission(COURSE, LAB, "ada", receipt.timestamp),
        lambda: emmy.receipts(COURSE, LAB, "ada"),
        lambda: emmy.receipts(COURSE, LAB),
        lambda: emmy.feedback(COURSE, LAB, "ada", receipt.timestamp),
        lambda: emmy.give_feedback(COURSE, LAB, "ada", receipt.timestamp, {"x.html": b""}),
        lambda: emmy.release(COURSE, LAB, TREE, force=True),
        lambda: emmy.withdraw(COURSE, LAB),
    ]
    for attempt in attempts:
        with pytest.raises(RefusedError, match="Permission denied") as refused:
            attempt()
        assert refused.value.status == 403


def test_who_and_when_cannot_be_claimed(hub: tuple[Classroom, str], token_of: Callable[[str], str]) -> None:
    """ngshare's form has a field ``user``, and nbgrader wrote the time itself: both are ignored here."""
    _, url = hub
    with Client(f"{url}{PREFIX}api", token_of("lise"), "ada")._web() as web:  # says it is ada
        before = datetime.now(UTC).replace(tzinfo=None)
        fields = {"user": "ada", "timestamp": "2020-01-01 00:00:00.000000 UTC"}
        files = '[{"path": "a", "content": "eA=="}, {"path": "timestamp.txt", "content": "eA=="}]'
        answer = web.post(f"submission/{COURSE}/{LAB}", data={**fields, "files": files}).json()
    assert answer["receipt"]["student"] == "lise"
    assert answer["receipt"]["files"] == 1, "the server's own file names are not the student's to fill"
    assert parse_time(answer["timestamp"]) >= before


@pytest.mark.parametrize("token", ["wrong", "0" * 64])
def test_without_the_hubs_token_nobody_is_served(hub: tuple[Classroom, str], token: str) -> None:
    """The service listens where every process of the machine can knock."""
    _, url = hub
    with pytest.raises(RefusedError, match="Login required"):
        Client(f"{url}{PREFIX}api", token, "teacher").receipts(COURSE, LAB)


def test_what_does_not_exist_is_said(at: At) -> None:
    """ngshare's answer for a missing assignment was a success."""
    with pytest.raises(RefusedError, match="Assignment not found: 99_none") as refused:
        at("ada").released(COURSE, "99_none")
    assert refused.value.status == 404
    with pytest.raises(RefusedError, match="Assignment not found"):
        at("ada").submit(COURSE, "99_none", TREE)
    with pytest.raises(RefusedError, match="Submission not found"):
        at("teacher").submission(COURSE, LAB, "nobody")
    with pytest.raises(RefusedError, match="Course not found"):
        at("ada").labs("other101")


def test_a_receipt_proves_itself(at: At, classroom: Classroom) -> None:
    """ "I did submit": the receipt says whether this server wrote it, also when the database was restored."""
    receipt = at("vera").submit(COURSE, LAB, TREE)
    again = at("vera").submit(COURSE, LAB, TREE)
    assert again.digest == receipt.digest
    assert again.when > receipt.when
    store = Store(classroom.layout.exchange_url)
    own = open_desk(classroom.layout, "vera").submit(COURSE, LAB, TREE)
    assert store.is_genuine(own)
    assert not store.is_genuine(type(own)(**{**own.as_dict(), "timestamp": "2020-01-01 00:00:00.000000 UTC"}))


def test_thirty_at_the_deadline(classroom: Classroom) -> None:
    """The last minute before a deadline is when everybody submits; ngshare lost some on a new SQLAlchemy."""
    users = ["ada", "emmy", "hedy", "ida", "lise", "vera"]
    done: list[object] = []

    def send(name: str) -> None:
        desk = open_desk(classroom.layout, name)
        done.extend(
            desk.submit(COURSE, LAB, {"a": b"the same for all", "b": os.urandom(9)}) for _ in range(5)
        )

    threads = [threading.Thread(target=send, args=(name,)) for name in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    receipts = open_desk(classroom.layout).receipts(COURSE, LAB)
    assert len(done) == len(receipts) == 30
    assert len({receipt.seal for receipt in receipts}) == 30


def test_collecting_takes_the_newest(classroom: Classroom, submit: Callable[..., object]) -> None:
    """Students submit again and again; also after a first collection."""
    submit("ada", "first = 1")
    assert classroom.collect(LAB).students == ("ada",)
    submit("ada", "second = 2")
    classroom.collect(LAB)
    folder = classroom.layout.course / "submitted" / "ada" / LAB
    assert "second = 2" in (folder / f"{LAB}.ipynb").read_text()
    assert parse_time((folder / "timestamp.txt").read_text())
    assert classroom.status().submissions == {LAB: 1}


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../b", "a//b", "./a", "a\\b", "", "a\nb", "a/./b"])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    """Files are written by whoever collects, who may write more than the student."""
    with pytest.raises(RefusedError, match="Illegal path"):
        check_tree({path: b""})


@pytest.mark.parametrize("path", ["d/" * 30 + "x", "n" * 256, "é" * 128])
def test_a_path_that_programs_stumble_over_is_refused(path: str) -> None:
    """Nobody could collect a name that is too long, and a folder of hundreds of levels ended the grader."""
    with pytest.raises(RefusedError, match="30 folders deep, or a name of more than 255 bytes"):
        check_tree({path: b""})
    check_tree({path.removeprefix("d/").removeprefix("n").removeprefix("é"): b""})


@pytest.mark.parametrize("files", ["[" * 9_000, '[{"path": "a", "content": 5}]', '"ab"', "{}", '[["path"]]'])
def test_what_is_no_folder_is_refused(
    hub: tuple[Classroom, str], token_of: Callable[[str], str], files: str
) -> None:
    """Not with a stack of calls in the hub's log: a student could fill a disk with those."""
    _, url = hub
    with Client(f"{url}{PREFIX}api", token_of("lise"), "lise")._web() as web:
        answer = web.post(f"submission/{COURSE}/{LAB}", data={"files": files})
    assert answer.status_code == 400
    assert answer.json()["success"] is False


def test_the_servers_own_names_are_nobodys(at: At) -> None:
    """A folder of the name of the file with the time would be in its way when it is collected."""
    receipt = at("lise").submit(
        COURSE, LAB, {"a": b"x", "timestamp.txt/x": b"x", "submission_secret.txt": b"x"}
    )
    assert receipt.files == 1


def test_a_name_that_is_file_and_folder_is_refused(tmp_path: Path) -> None:
    """It could not be written, and would stop the collection of everybody."""
    with pytest.raises(RefusedError, match="a file and a folder"):
        write_tree({"a": b"", "a/b": b""}, tmp_path / "out")


def _nothing(folder: str, names: list[str]) -> set[str]:  # the signature of an ignore function
    del folder, names
    return set()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_is_not_followed(tmp_path: Path, kind: str) -> None:
    """What is read is the student's; a link would add what only the reader may read."""
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("x")
    target = tmp_path / "secret" / ("key" if kind == "file" else "")
    (tmp_path / "in" / "link").symlink_to(target)
    with pytest.raises(RefusedError, match="link is a link"):
        read_tree(tmp_path / "in", _nothing)


def test_checkpoints_are_not_handed_in(tmp_path: Path) -> None:
    """JupyterLab keeps an older copy of each notebook beside it, which a marker would take for the answer."""
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.utils import ignore_patterns

    write_tree({**TREE, ".ipynb_checkpoints/old-checkpoint.ipynb": b"{}", "feedback/x.html": b""}, tmp_path)
    assert read_tree(tmp_path, ignore_patterns(exclude=CourseDirectory().ignore)) == TREE


def test_a_pipe_does_not_stop_anybody(tmp_path: Path) -> None:
    """Opening a pipe waits for a writer, for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RefusedError, match="pipe is not a plain file"):
        read_tree(tmp_path, _nothing)


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One student's 100 GB would fill the disk for all."""
    monkeypatch.setattr("fpgaclass.classroom.exchange.trees.MAX_BYTES", 1000)
    (tmp_path / "a").write_bytes(b"x" * 600)
    (tmp_path / "b").write_bytes(b"x" * 600)
    with pytest.raises(RefusedError, match="more than"):
        read_tree(tmp_path, _nothing)


def test_what_is_kept_of_a_student_has_an_end(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that submits must not fill the disk either."""
    monkeypatch.setattr("fpgaclass.classroom.exchange.store.QUOTA", 2000)
    ada = open_desk(classroom.layout, "ada")
    ada.submit(COURSE, LAB, {"a": b"x" * 900})
    with pytest.raises(RefusedError, match=r"take more than.*Next: ask your instructor"):
        ada.submit(COURSE, LAB, {"a": b"x" * 900})
    assert isinstance(ada, Desk)
    assert open_desk(classroom.layout, "emmy").submit(COURSE, LAB, {"a": b"x" * 900})


def test_names_of_files_are_kept_too(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand empty files with long names are two megabytes, each time."""
    monkeypatch.setattr("fpgaclass.classroom.exchange.store.QUOTA", 10_000_000)
    ada = open_desk(classroom.layout, "ada")
    names = {f"{'/'.join(['x' * 200] * 4)}/{n}": b"" for n in range(2000)}
    for _ in range(2):
        ada.submit(COURSE, LAB, names)
    with pytest.raises(RefusedError, match="more than"):
        ada.submit(COURSE, LAB, names)


def test_a_loop_that_submits_has_an_end(classroom: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at the class looks at all that was handed in."""
    monkeypatch.setattr("fpgaclass.classroom.exchange.store.MOST_TIMES", 3)
    ada, emmy = (open_desk(classroom.layout, name) for name in ("ada", "emmy"))
    for _ in range(3):
        ada.submit(COURSE, LAB, TREE)
    with pytest.raises(RefusedError, match="3 times"):
        ada.submit(COURSE, LAB, TREE)
    emmy.submit(COURSE, LAB, TREE)


def test_a_full_disk_is_said_and_loses_nothing(classroom: Classroom) -> None:
    """Students cannot make room; they can say what they were told."""
    ada = open_desk(classroom.layout, "ada")
    before = ada.submit(COURSE, LAB, TREE)
    with ada.store.engine.connect() as db:  # SQLite counts pages; here there are no more
        pages = db.exec_driver_sql("PRAGMA page_count").scalar()
        db.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RefusedError, match=r"disk is full.*Next: tell your instructor") as refused:
        ada.submit(COURSE, LAB, {"a": os.urandom(100_000)})
    assert refused.value.status == 507
    assert ada.receipts(COURSE, LAB, "ada") == [before]


def test_the_digest_can_be_checked_by_hand(tmp_path: Path) -> None:
    """A receipt is worth something only if a student can compute its digest without us."""
    write_tree(TREE, tmp_path)
    line = r"find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    assert os.popen(f"cd {tmp_path} && {line}").read().split()[0] == digest_tree(TREE)
