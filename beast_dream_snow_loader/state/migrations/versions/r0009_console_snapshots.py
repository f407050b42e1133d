"""The last good snapshot of each console, in place of the last ones of the whole source: they are read anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "console_snapshots",
        sa.Column("console", sa.Text, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("taken_at", sa.Text, nullable=False),
        sa.Column("standing_in_since", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("console", "complete", name="pk_console_snapshots"),
    )
    op.drop_table("snapshots")


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError
