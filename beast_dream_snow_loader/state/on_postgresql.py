"""PostgreSQL, made as durable and as patient as SQLite is here."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Engine, create_engine, event

from beast_dream_snow_loader.errors import ConfigurationError
from beast_dream_snow_loader.state.damage import RESTORE
from beast_dream_snow_loader.state.faults import translate_faults

_DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)
"""A server set up for speed would lose the last commits with a crash: not ours."""
_PATIENCE = {"connect_timeout": 10, "tcp_user_timeout": 30_000}
"""libpq's own is for ever: a server that went away without a word would hold up a run for a quarter of an hour. Seconds
to connect, milliseconds until what was sent is acknowledged; what the URL says goes before."""


def postgresql_engine(url: URL, busy_seconds: float) -> Engine:
    try:
        patience = {name: value for name, value in _PATIENCE.items() if name not in url.query}
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=patience)
    except ImportError:
        raise ConfigurationError(
            "SNOWLOAD_STATE_URL names PostgreSQL, whose driver is not installed.",
            next_step="Run `pip install 'beast-dream-snow-loader[postgres]'`.",
        ) from None
    name = url.render_as_string(hide_password=True)
    translate_faults(engine, name, RESTORE, busy_seconds)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {int(busy_seconds * 1000)}")
            cursor.execute(_DURABLE)
        connection.commit()

    return engine
