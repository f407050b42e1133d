"""Run by Alembic. The connection, and the transaction on it, are the caller's."""

from __future__ import annotations

from alembic import context

from beast_dream_snow_loader.state.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
