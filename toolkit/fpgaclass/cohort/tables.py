"""The tables of the cohorts' state and of the leases."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

cohorts = Table(
    "cohort",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("provider", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("currency", String(8), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    Column("expires", DateTime(timezone=True), nullable=False),
)

# A table and not a column: a database that is there already gets it when it is opened.
places = Table(
    "place",
    metadata,
    Column("cohort", String(64), primary_key=True),
    Column("place", Text, nullable=False),
)

accounts = Table(
    "account",
    metadata,
    Column("cohort", String(64), primary_key=True),
    Column("account", Text, nullable=False),
)

resources = Table(
    "resource",
    metadata,
    Column("cohort", ForeignKey("cohort.name", ondelete="CASCADE"), primary_key=True),
    Column("key", String(96), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("student", String(32), nullable=False, default=""),
    Column("state", String(16), nullable=False),
    Column("generation", Integer, nullable=False, default=0),
    Column("offer", Integer, nullable=False, default=0),
    Column("size", String(64), nullable=False, default=""),
    Column("zone", String(64), nullable=False, default=""),
    Column("hourly", Float, nullable=False, default=0.0),
    Column("spent", Float, nullable=False, default=0.0),
    Column("identity", String(255)),
    Column("address", String(255), nullable=False, default=""),
    Column("error", Text, nullable=False, default=""),
    Column("intended", DateTime(timezone=True)),
    Column("created", DateTime(timezone=True)),
    Column("ended", DateTime(timezone=True)),
)

# What things were made with, as digests: keys and addresses of mail need not be here to be compared.
made_with = Table(
    "made_with",
    metadata,
    Column("cohort", String(64), primary_key=True),
    Column("key", String(96), primary_key=True),
    Column("setting", String(32), primary_key=True),
    Column("digest", String(64), nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("cohort", String(64), nullable=False),
    Column("key", String(96), nullable=False),
    Column("what", Text, nullable=False),
)

# No foreign key: a cohort is locked before it is first written.
writers = Table(
    "writer",
    metadata,
    Column("cohort", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("who", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    Column("process", Integer, nullable=False),
    Column("process_started", Float, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("beat", DateTime(timezone=True), nullable=False),
)

Index("journal_of_cohort", journal.c.cohort, journal.c.number)

cards = Table(
    "card",
    metadata,
    Column("cohort", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("healthy", Integer, nullable=False, default=1),
    Column("note", Text, nullable=False, default=""),
)

leases = Table(
    "lease",
    metadata,
    Column("identity", String(16), primary_key=True),
    Column("cohort", String(64), nullable=False),
    Column("student", String(32), nullable=False),
    Column("card", String(64), nullable=False),
    Column("first", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("used", Integer, nullable=False, default=0),
    Column("state", String(12), nullable=False),
    Column("booked", Float, nullable=False),
    Column("note", Text, nullable=False, default=""),
)

# The promise that a card is nobody's twice is this primary key, and not any code.
slots = Table(
    "slot",
    metadata,
    Column("cohort", String(64), primary_key=True),
    Column("card", String(64), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("lease", ForeignKey("lease.identity", ondelete="CASCADE"), nullable=False),
)

waiting = Table(
    "waiting",
    metadata,
    Column("cohort", String(64), primary_key=True),
    Column("student", String(32), primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("asked", Float, nullable=False),
)

# One row for each cohort: who changes bookings locks it first (PostgreSQL; SQLite has one writer anyway).
books = Table("lease_book", metadata, Column("cohort", String(64), primary_key=True))

# In which length of slots the numbers above count.
grains = Table(
    "lease_grain",
    metadata,
    Column("cohort", String(64), primary_key=True),
    Column("minutes", Integer, nullable=False),
)

Index("lease_of_cohort", leases.c.cohort, leases.c.state, leases.c.student)
Index("slot_of_lease", slots.c.lease)
