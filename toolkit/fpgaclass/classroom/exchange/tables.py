"""The exchange's tables; imported only where a database is open."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

metadata = MetaData()

settings = Table(
    "settings", metadata, Column("name", String(64), primary_key=True), Column("value", String(256))
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("tree", String(32), primary_key=True),
    Column("path", String(1000), primary_key=True),
    Column("digest", ForeignKey("blobs.digest"), nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("course", String(64), primary_key=True),
    Column("lab", String(64), primary_key=True),
    Column("tree", String(32), nullable=False),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("course", String(64), nullable=False),
    Column("lab", String(64), nullable=False),
    Column("student", String(64), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("count", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("seal", String(32), nullable=False),
    Column("tree", String(32), nullable=False),
    Index("one_at_a_time", "course", "lab", "student", "at", unique=True),
)

feedback = Table(
    "feedback",
    metadata,
    Column("submission", ForeignKey("submissions.id"), primary_key=True),
    Column("tree", String(32), nullable=False),
    Column("at", DateTime, nullable=False),
)

doors = Table(
    "doors",
    metadata,
    Column("course", String(64), primary_key=True),
    Column("lab", String(64), primary_key=True),
    Column("student", String(64), primary_key=True),
    Column("open", Boolean, nullable=False),
)
