"""What processes tell each other so as not to ask too much: retry tokens, cool-downs, hourly quotas."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retry_tokens",
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("service", "number", name="pk_retry_tokens"),
    )
    op.create_table(
        "cool_downs",
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("until", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("streak", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("service", name="pk_cool_downs"),
    )
    op.create_table(
        "request_quotas",
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("until", sa.Text, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("service", "rule", name="pk_request_quotas"),
    )


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError
