"""What people were told of runs, so that no run tells it again; and messages that still wait to be sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices_told",
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("told_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("target", "condition", name="pk_notices_told"),
    )
    op.create_table(
        "notice_outbox",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("made_at", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claimed_until", sa.Text),
        sa.PrimaryKeyConstraint("id", "channel", name="pk_notice_outbox"),
    )


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError
