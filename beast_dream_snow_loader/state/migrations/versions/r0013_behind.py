"""A newer write is queued behind one of the same record that was sent without an answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_INDEX = "uq_journal_pending"
_standing = sa.text("state IN ('open', 'unknown', 'later', 'dead')")


def upgrade() -> None:
    op.add_column("journal", sa.Column("behind", sa.Boolean, nullable=False, server_default=sa.false()))
    op.drop_index(_INDEX, table_name="journal")
    op.create_index(
        _INDEX, "journal", ["subject", "behind"], unique=True, sqlite_where=_standing, postgresql_where=_standing
    )


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError
