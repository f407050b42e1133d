"""What was sent without an answer is remembered as such, though another write has taken its place in the queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_doubted = sa.text("doubted")


def upgrade() -> None:
    op.add_column("journal", sa.Column("doubted", sa.Boolean, nullable=False, server_default=sa.false()))
    journal = sa.table(
        "journal", sa.column("doubted", sa.Boolean), sa.column("state", sa.Text), sa.column("code", sa.Text)
    )
    sent = sa.and_(journal.c.state != "done", journal.c.code == "unknown.not_found")
    op.execute(journal.update().where(sent).values(doubted=True))
    op.create_index("ix_journal_doubted", "journal", ["subject"], sqlite_where=_doubted, postgresql_where=_doubted)


def downgrade() -> None:
    """There is no way down: the backup made before the upgrade is it."""
    raise NotImplementedError
