"""What the journal must remember to park a write that is sent in vain again and again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INDEX = "uq_journal_pending"
_standing = sa.text("state IN ('open', 'unknown', 'later', 'dead')")


def upgrade() -> None:
    op.add_column("journal", sa.Column("content", sa.Text, nullable=False, server_default=""))
    op.drop_index(_INDEX, table_name="journal")
    op.create_index(_INDEX, "journal", ["subject"], unique=True, sqlite_where=_standing, postgresql_where=_standing)


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError
