"""Runs, journal, ledger, snapshots, instance facts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_row_id = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_pending = sa.text("state IN ('open', 'unknown', 'later')")


def upgrade() -> None:
    _runs()
    _journal()
    _ledger()
    _snapshots()


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError


def _runs() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("exit_code", sa.Integer),
        sa.Column("report", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_started_at", "runs", ["started_at"])


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("id", _row_id, autoincrement=True, nullable=False),
        sa.Column("origin", _row_id),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("change_type", sa.Text, nullable=False),
        sa.Column("change", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("intended_at", sa.Text, nullable=False),
        sa.Column("settled_at", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Text),
        sa.Column("code", sa.Text, nullable=False, server_default=""),
        sa.Column("message", sa.Text, nullable=False, server_default=""),
        sa.Column("operation", sa.Text, nullable=False, server_default=""),
        sa.Column("sys_id", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_journal_run_id", "journal", ["run_id"])
    op.create_index(
        "uq_journal_pending", "journal", ["subject"], unique=True, sqlite_where=_pending, postgresql_where=_pending
    )


def _ledger() -> None:
    op.create_table(
        "ledger_items",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("sys_id", sa.Text, nullable=False),
        sa.Column("class_name", sa.Text, nullable=False),
        sa.Column("created_by_us", sa.Boolean, nullable=False),
        sa.Column("send_serial", sa.Boolean, nullable=False),
        sa.Column("fingerprint", sa.Text),
        sa.Column("written", sa.Text, nullable=False),
        sa.Column("written_at", sa.Text),
        sa.Column("name_source", sa.Text, nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("first_seen", sa.Text, nullable=False),
        sa.Column("last_seen", sa.Text, nullable=False),
        sa.Column("missing_since", sa.Text),
        sa.Column("missing_reads", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_ledger_items"),
    )
    op.create_table(
        "ledger_relations",
        sa.Column("relation_key", sa.Text, nullable=False),
        sa.Column("parent", sa.Text, nullable=False),
        sa.Column("child", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("sys_id", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("relation_key", name="pk_ledger_relations"),
    )
    op.create_index("ix_ledger_relations_parent", "ledger_relations", ["parent"])
    op.create_index("ix_ledger_relations_child", "ledger_relations", ["child"])


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("id", _row_id, autoincrement=True, nullable=False),
        sa.Column("taken_at", sa.Text, nullable=False),
        sa.Column("partial", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_snapshots"),
    )
    op.create_index("ix_snapshots_taken_at", "snapshots", ["taken_at"])
    op.create_table(
        "instance_facts",
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("read_at", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("target", name="pk_instance_facts"),
    )
