"""The tables. ``migrations/`` makes them; a test holds the two equal.

JSON is kept as text: it is read back whole, never queried into, and means the same on both databases.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, Table, Text, false, text, true

from beast_dream_snow_loader.state.columns import RowId, UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class EntryState(StrEnum):
    """Where a journal entry stands. The first three are pending, the fourth is not over either: of all four there is at
    most one entry per subject, but for a queued one behind another that was sent without an answer."""

    OPEN = "open"
    """Intended; the request may or may not have left."""
    UNKNOWN = "unknown"
    """Sent without a usable answer."""
    LATER = "later"
    """Queued."""
    DEAD = "dead"
    """Parked: it came from the queue and was sent in vain too often. A person, or a newer change, decides."""
    DONE = "done"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    """A newer change for the same subject took its place."""
    DROPPED = "dropped"
    """Given up by a person."""


UNSETTLED = (EntryState.OPEN, EntryState.UNKNOWN)
PENDING = (*UNSETTLED, EntryState.LATER)

OVER = (EntryState.DONE, EntryState.REFUSED, EntryState.SUPERSEDED, EntryState.DROPPED)

STANDING = text("state IN ('open', 'unknown', 'later', 'dead')")
"""What is not over. Written out, because no database proves from bound values that the index below is enough."""

DOUBTED = text("doubted")
"""Written out for the same reason."""

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("command", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False, index=True),
    Column("finished_at", UtcTime),
    Column("status", Text, nullable=False),
    Column("exit_code", Integer),
    Column("report", Text, nullable=False),
    Column("in_history", Boolean, nullable=False, server_default=false()),  # or was, until it was taken together
)

history = Table(
    "history",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("command", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False, index=True),
    Column("finished_at", UtcTime, nullable=False),
    Column("status", Text, nullable=False),
    Column("exit_code", Integer),
    Column("body", Text, nullable=False),
)

history_buckets = Table(
    "history_buckets",
    metadata,
    Column("grain", Text, primary_key=True),
    Column("at", UtcTime, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("command", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("origin", RowId),  # the first entry that carried this very change: its place in the queue
    Column("run_id", Text, nullable=False, index=True),
    Column("subject", Text, nullable=False),
    Column("change_type", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("content", Text, nullable=False, server_default=""),  # core/content.py: what makes two changes the same
    Column("state", Text, nullable=False),
    Column("intended_at", UtcTime, nullable=False),
    Column("settled_at", UtcTime),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcTime),
    Column("code", Text, nullable=False, server_default=""),
    Column("message", Text, nullable=False, server_default=""),
    Column("operation", Text, nullable=False, server_default=""),
    Column("sys_id", Text),
    Column("behind", Boolean, nullable=False, server_default=false()),  # queued while an older one is to be looked up
    Column("doubted", Boolean, nullable=False, server_default=false()),  # sent; may yet be, or have been, carried out
    Index("ix_journal_doubted", "subject", sqlite_where=DOUBTED, postgresql_where=DOUBTED),
    Index("uq_journal_pending", "subject", "behind", unique=True, sqlite_where=STANDING, postgresql_where=STANDING),
    sqlite_autoincrement=True,  # ids order entries, so none may come back after a clean-up
)

ledger_items = Table(
    "ledger_items",
    metadata,
    Column("key", Text, primary_key=True),
    Column("sys_id", Text, nullable=False),
    Column("class_name", Text, nullable=False),
    Column("created_by_us", Boolean, nullable=False),
    Column("send_serial", Boolean, nullable=False),
    Column("fingerprint", Text),
    Column("written", Text, nullable=False),
    Column("written_at", UtcTime),
    Column("name_source", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("missing_since", UtcTime),
    Column("missing_reads", Integer, nullable=False),
    Column("site", Text, nullable=False, server_default=""),
    Column("retired_at", UtcTime),
    Column("kind", Text, nullable=False, server_default=""),
    Column("cloud_only", Boolean, nullable=False, server_default=false()),
    Column("read_at", UtcTime),
    Column("mod_count", Integer),
    Column("history", Text, nullable=False, server_default="{}"),
    Column("checked_at", UtcTime),
    Column("overridden", Text, nullable=False, server_default="{}"),
    Column("contested", Text, nullable=False, server_default="{}"),
    Column("unkept", Text, nullable=False, server_default="{}"),
    Column("adapter", Boolean, nullable=False, server_default=false()),
)

ledger_relations = Table(
    "ledger_relations",
    metadata,
    Column("relation_key", Text, primary_key=True),
    Column("parent", Text, nullable=False, index=True),
    Column("child", Text, nullable=False, index=True),
    Column("type", Text, nullable=False),
    Column("sys_id", Text),
    Column("state", Text, nullable=False),
    Column("parent_sys_id", Text),
    Column("child_sys_id", Text),
    Column("linked_at", UtcTime),
    Column("ours", Boolean, nullable=False, server_default=true()),
    Column("moved_to", Text),
    Column("moved_reads", Integer, nullable=False, server_default="0"),
    Column("checked_at", UtcTime),
)

console_snapshots = Table(
    "console_snapshots",
    metadata,
    Column("console", Text, primary_key=True),
    Column("complete", Boolean, primary_key=True),
    Column("taken_at", UtcTime, nullable=False),
    Column("standing_in_since", UtcTime),  # the console has not been read whole since
    Column("body", LargeBinary, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("target", Text, primary_key=True),
    Column("run_id", Text, nullable=False),  # empty: nobody holds it
    Column("token", Integer, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", Float(53), nullable=False),
    Column("heartbeat_at", UtcTime, nullable=False),
)

instance_facts = Table(
    "instance_facts",
    metadata,
    Column("target", Text, primary_key=True),
    Column("read_at", UtcTime, nullable=False),
    Column("body", Text, nullable=False),
)

retry_tokens = Table(
    "retry_tokens",
    metadata,
    Column("service", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", UtcTime, nullable=False),
)

cool_downs = Table(
    "cool_downs",
    metadata,
    Column("service", Text, primary_key=True),
    Column("until", UtcTime, nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("streak", Integer, nullable=False),
)

request_quotas = Table(
    "request_quotas",
    metadata,
    Column("service", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("until", UtcTime, nullable=False),
    Column("used", Integer, nullable=False),
)

breakers = Table(
    "breakers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("by_hand", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("openings", Integer, nullable=False),
    Column("left_seconds", Float(53)),  # none: until a person resets it
    Column("boot", Text, nullable=False),
    Column("monotonic", Float(53), nullable=False),  # comparable within one boot of one machine
    Column("wall", Float(53), nullable=False),  # by the database server's clock, where there is one
    Column("holder", Text, nullable=False),  # the process that has the right to probe
    Column("since", UtcTime, nullable=False),
)

notices_told = Table(
    "notices_told",
    metadata,
    Column("target", Text, primary_key=True),
    Column("condition", Text, primary_key=True),
    Column("cause", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("told_at", UtcTime, nullable=False),
)

notice_outbox = Table(
    "notice_outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("target", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claimed_until", UtcTime),  # by a process that is about to send it
)

MARKS = text("kind IN ('begun', 'sealed', 'pruned')")
"""Entries of the audit trail that are about the trail itself; written out as :data:`STANDING` is."""

audit_log = Table(
    "audit_log",
    metadata,
    Column("number", RowId, primary_key=True, autoincrement=False),
    Column("segment", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("proof", Text, nullable=False),
    Index("ix_audit_log_marks", "number", sqlite_where=MARKS, postgresql_where=MARKS),
)

for _column in (column for table in metadata.tables.values() for column in table.columns):
    if isinstance(_column.type, UtcTime):
        _column.type.column = str(_column)
