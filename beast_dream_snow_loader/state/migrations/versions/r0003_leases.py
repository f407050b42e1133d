"""The lease on a target, for hosts that share one database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_started", sa.Float(53), nullable=False),
        sa.Column("heartbeat_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("target", name="pk_leases"),
    )


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError
