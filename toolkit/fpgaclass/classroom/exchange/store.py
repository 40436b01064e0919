"""What the exchange keeps: released labs, submissions with the server's own time, feedback.

One database holds it all, SQLite in the class's folder or PostgreSQL by URL. A file's bytes are kept once,
whoever submitted them how often.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fpgaclass.classroom.exchange.errors import RefusedError, writing
from fpgaclass.classroom.exchange.tables import (
    blobs,
    feedback,
    files,
    metadata,
    releases,
    settings,
    submissions,
)
from fpgaclass.classroom.exchange.trees import Tree, digest_tree

TIME = "%Y-%m-%d %H:%M:%S.%f UTC"
"""How nbgrader and ngshare write a time."""

QUOTA = 1_000_000_000
"""Bytes that one student's submissions of a course may take; the same file counts each time."""

MOST_TIMES = 1000
"""So often a student may hand in a lab: each time is looked at whenever somebody looks at the class."""

_OF_A_FILE = 500  # bytes in the database besides a file's contents, and its path twice


@dataclass(frozen=True)
class Receipt:
    """What a student holds of a submission.

    Attributes:
        course: nbgrader's name of the course.
        lab: the lab's name.
        student: whose it is: the account that was logged in.
        timestamp: when it arrived, by the server's clock, in nbgrader's form.
        digest: SHA-256 of the folder (`digest_tree`).
        files: how many files.
        seal: what only the server can write: proves a receipt even when the submission is lost.
    """

    course: str
    lab: str
    student: str
    timestamp: str
    digest: str
    files: int
    seal: str

    @property
    def when(self) -> datetime:
        """The time it arrived, in UTC without a zone, as the gradebook has it."""
        return parse_time(self.timestamp)

    @property
    def when_utc(self) -> datetime:
        """The time it arrived, with its zone."""
        return self.when.replace(tzinfo=UTC)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


class Store:
    """The database of an exchange.

    Args:
        url: SQLAlchemy's, such as ``sqlite:////srv/class/exchange.db`` or ``postgresql+psycopg://...``.
    """

    def __init__(self, url: str) -> None:
        from sqlalchemy import create_engine, event

        self.engine = create_engine(url, pool_pre_ping=True)
        if url.startswith("sqlite"):
            path = Path(url.split("///", 1)[1])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(0o600)

            event.listen(self.engine, "connect", _settle)
            event.listen(self.engine, "begin", _begin)
        self._writer = self.engine.execution_options(fpgaclass_writes=True)
        metadata.create_all(self.engine)
        self._secret = self._ensure_secret()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def writing(self) -> Any:
        """Begin a transaction that writes; see `fpgaclass.classroom.exchange.errors.writing`."""
        return writing(self._writer)

    def labs(self, course: str) -> list[str]:
        """Return the released labs, sorted."""
        with self.engine.connect() as db:
            rows = db.execute(releases.select().where(releases.c.course == course))
            return sorted(row.lab for row in rows)

    def release(self, course: str, lab: str, tree: Tree) -> None:
        """Release a lab, or release it anew."""
        with self.writing() as db:
            db.execute(releases.delete().where(_is(releases, course=course, lab=lab)))
            key = _keep(db, tree)
            db.execute(releases.insert().values(course=course, lab=lab, tree=key))

    def withdraw(self, course: str, lab: str) -> bool:
        """Take a lab back; what was submitted stays. Return False if it was not released."""
        with self.writing() as db:
            return bool(db.execute(releases.delete().where(_is(releases, course=course, lab=lab))).rowcount)

    def released(self, course: str, lab: str) -> dict[str, bytes] | None:
        """Return the files of a released lab, or None."""
        with self.engine.connect() as db:
            row = db.execute(releases.select().where(_is(releases, course=course, lab=lab))).first()
            return _tree(db, row.tree) if row else None

    def submit(self, course: str, lab: str, student: str, tree: Tree) -> Receipt:
        """Keep a submission; its time is now, and later than any before it.

        Raises:
            RefusedError: the student's submissions take too much room, or are too many.
        """
        from sqlalchemy import func, select

        of = _is(submissions, course=course, student=student)
        size = sum(len(data) + 2 * len(path.encode()) + _OF_A_FILE for path, data in tree.items())
        with self.writing() as db:
            times = db.execute(select(func.count()).where(of, submissions.c.lab == lab)).scalar() or 0
            if times >= MOST_TIMES:
                raise RefusedError(
                    413, f"you have submitted {lab} {times} times", next_step="ask your instructor"
                )
            if size + (db.execute(select(func.sum(submissions.c.size)).where(of)).scalar() or 0) > QUOTA:
                step = "ask your instructor; fewer or smaller data files in the lab's folder help"
                raise RefusedError(
                    413, f"your submissions take more than {QUOTA // 10**9} GB", next_step=step
                )
            last = db.execute(select(func.max(submissions.c.at)).where(of, submissions.c.lab == lab)).scalar()
            at = datetime.now(UTC).replace(tzinfo=None)
            if last is not None and at <= last:
                at = last + timedelta(microseconds=1)
            words = {"course": course, "lab": lab, "student": student}
            stamp, digest = at.strftime(TIME), digest_tree(tree)
            receipt = Receipt(**words, timestamp=stamp, digest=digest, files=len(tree), seal="")
            seal = self._seal(receipt)
            row = {**words, "at": at, "digest": digest, "count": len(tree), "size": size, "seal": seal}
            db.execute(submissions.insert().values(**row, tree=_keep(db, tree)))
            return Receipt(**{**receipt.as_dict(), "seal": seal})

    def receipts(self, course: str, lab: str | None = None, student: str | None = None) -> list[Receipt]:
        """Return what was submitted, oldest first."""
        wanted = {"course": course, "lab": lab, "student": student}
        where = _is(submissions, **{name: value for name, value in wanted.items() if value is not None})
        with self.engine.connect() as db:
            rows = db.execute(submissions.select().where(where).order_by(submissions.c.at, submissions.c.id))
            return [_receipt(row) for row in rows]

    def submission(
        self, course: str, lab: str, student: str, timestamp: str | None = None
    ) -> tuple[Receipt, dict[str, bytes]] | None:
        """Return a submission with its files: the newest, or the one of a time; None if there is none."""
        where = [_is(submissions, course=course, lab=lab, student=student)]
        if timestamp is not None:
            where.append(submissions.c.at == parse_time(timestamp))
        with self.engine.connect() as db:
            row = db.execute(submissions.select().where(*where).order_by(submissions.c.at.desc())).first()
            return (_receipt(row), _tree(db, row.tree)) if row else None

    def give_feedback(self, course: str, lab: str, student: str, timestamp: str, tree: Tree) -> bool:
        """Keep the feedback on a submission, in place of earlier; return False if there is no such one."""
        of = _is(submissions, course=course, lab=lab, student=student)
        with self.writing() as db:
            row = db.execute(
                submissions.select().where(of, submissions.c.at == parse_time(timestamp))
            ).first()
            if row is None:
                return False
            db.execute(feedback.delete().where(feedback.c.submission == row.id))
            given = datetime.now(UTC).replace(tzinfo=None)
            db.execute(feedback.insert().values(submission=row.id, tree=_keep(db, tree), at=given))
            return True

    def feedback(self, course: str, lab: str, student: str, timestamp: str) -> dict[str, bytes]:
        """Return the files of the feedback on a submission; none yet gives an empty tree."""
        of = _is(submissions, course=course, lab=lab, student=student)
        joined = feedback.join(submissions, feedback.c.submission == submissions.c.id)
        with self.engine.connect() as db:
            query = joined.select().where(of, submissions.c.at == parse_time(timestamp))
            row = db.execute(query.with_only_columns(feedback.c.tree)).first()
            return _tree(db, row.tree) if row else {}

    def given_feedback(self, course: str, lab: str) -> set[str]:
        """Return the students who have feedback on a submission of a lab."""
        joined = submissions.join(feedback, feedback.c.submission == submissions.c.id)
        query = joined.select().with_only_columns(submissions.c.student)
        with self.engine.connect() as db:
            return {row.student for row in db.execute(query.where(_is(submissions, course=course, lab=lab)))}

    def is_genuine(self, receipt: Receipt) -> bool:
        """Tell whether this server wrote a receipt."""
        return hmac.compare_digest(self._seal(receipt), receipt.seal)

    def _seal(self, receipt: Receipt) -> str:
        parts = (receipt.course, receipt.lab, receipt.student, receipt.timestamp, receipt.digest)
        return hmac.new(self._secret, "\n".join(parts).encode(), hashlib.sha256).hexdigest()[:32]

    def _ensure_secret(self) -> bytes:
        with self.writing() as db:
            _insert_once(db, settings, name="seal", value=secrets.token_hex(32))
        with self.engine.connect() as db:
            row = db.execute(settings.select().where(settings.c.name == "seal")).one()
            return bytes.fromhex(row.value)


def parse_time(text: str) -> datetime:
    """Read a time as nbgrader writes it, in UTC without a zone.

    Raises:
        RefusedError: it is something else.
    """
    try:
        return datetime.strptime(text.strip(), TIME)
    except ValueError as trouble:
        raise RefusedError(400, "Time format incorrect") from trouble


def _settle(connection: Any, _: Any) -> None:
    """Prepare a new SQLite connection: readers do not wait for writers, transactions are ours to begin."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA busy_timeout=30000")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Any) -> None:
    """Begin a transaction; one that will write says so at once, or two could block each other half-way."""
    writes = connection.get_execution_options().get("fpgaclass_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _is(table: Any, **columns: str) -> Any:
    from sqlalchemy import and_

    return and_(*(table.c[name] == value for name, value in columns.items()))


def _receipt(row: Any) -> Receipt:
    stamp = row.at.strftime(TIME)
    return Receipt(row.course, row.lab, row.student, stamp, row.digest, row.count, row.seal)


def _keep(db: Any, tree: Mapping[str, bytes]) -> str:
    """Keep the files of a tree, and return the name of their list."""
    from sqlalchemy import select

    key = secrets.token_hex(16)
    for path, data in tree.items():
        digest = hashlib.sha256(data).hexdigest()
        if db.execute(select(blobs.c.digest).where(blobs.c.digest == digest)).first() is None:
            _insert_once(db, blobs, digest=digest, data=data)
        db.execute(files.insert().values(tree=key, path=path, digest=digest))
    return key


def _insert_once(db: Any, table: Any, **values: Any) -> None:
    """Insert a row that another process may be inserting at the same moment."""
    from sqlalchemy.dialects import postgresql, sqlite

    insert = (postgresql if db.dialect.name == "postgresql" else sqlite).insert
    db.execute(insert(table).values(**values).on_conflict_do_nothing())


def _tree(db: Any, key: str) -> dict[str, bytes]:
    joined = files.join(blobs, files.c.digest == blobs.c.digest)
    rows = db.execute(
        joined.select().with_only_columns(files.c.path, blobs.c.data).where(files.c.tree == key)
    )
    return {row.path: bytes(row.data) for row in rows}
