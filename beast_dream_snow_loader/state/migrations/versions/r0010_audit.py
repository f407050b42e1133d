"""The audit trail: every modification of ServiceNow, each entry chained to the one before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_MARKS = sa.text("kind IN ('begun', 'sealed', 'pruned')")


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False, autoincrement=False),
        sa.Column("segment", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("proof", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_marks", "audit_log", ["number"], sqlite_where=_MARKS, postgresql_where=_MARKS)


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError
