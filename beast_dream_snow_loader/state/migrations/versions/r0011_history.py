"""What is remembered of runs longer than their reports are: one by one, then by hour, then by day.

Runs that are there already are read from ``runs`` for as long as they are kept.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("in_history", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "history",
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("exit_code", sa.Integer),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_history"),
    )
    op.create_index("ix_history_started_at", "history", ["started_at"])
    op.create_table(
        "history_buckets",
        sa.Column("grain", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("grain", "at", "target", "command", name="pk_history_buckets"),
    )


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError
