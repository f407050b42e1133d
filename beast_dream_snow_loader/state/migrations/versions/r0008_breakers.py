"""What is known of the circuit breakers, for every process that works on this state."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "breakers",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("by_hand", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("openings", sa.Integer, nullable=False),
        sa.Column("left_seconds", sa.Float(53)),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("monotonic", sa.Float(53), nullable=False),
        sa.Column("wall", sa.Float(53), nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_breakers"),
    )


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError
