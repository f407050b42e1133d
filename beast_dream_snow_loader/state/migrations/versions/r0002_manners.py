"""What the ledger must remember to retire, to move edges and to notice what flaps."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


_ITEMS: tuple[sa.Column[Any], ...] = (
    sa.Column("site", sa.Text, nullable=False, server_default=""),
    sa.Column("retired_at", sa.Text),
    sa.Column("kind", sa.Text, nullable=False, server_default=""),
    sa.Column("cloud_only", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("read_at", sa.Text),
    sa.Column("mod_count", sa.Integer),
    sa.Column("history", sa.Text, nullable=False, server_default="{}"),
    sa.Column("checked_at", sa.Text),
    sa.Column("overridden", sa.Text, nullable=False, server_default="{}"),
    sa.Column("contested", sa.Text, nullable=False, server_default="{}"),
)
_RELATIONS: tuple[sa.Column[Any], ...] = (
    sa.Column("parent_sys_id", sa.Text),
    sa.Column("child_sys_id", sa.Text),
    sa.Column("linked_at", sa.Text),
    sa.Column("ours", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("moved_to", sa.Text),
    sa.Column("moved_reads", sa.Integer, nullable=False, server_default="0"),
    sa.Column("checked_at", sa.Text),
)


def upgrade() -> None:
    for column in _ITEMS:
        op.add_column("ledger_items", column)
    for column in _RELATIONS:
        op.add_column("ledger_relations", column)


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError
