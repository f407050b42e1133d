"""Whose management adapter was sent as an item: with ``write_adapters`` switched on, the others are due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ledger_items", sa.Column("adapter", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError
