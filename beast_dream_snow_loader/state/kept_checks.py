"""Results of costly health checks, kept between one look and the next. Whoever reads them knows their form."""

from __future__ import annotations

from sqlalchemy import Engine, select

from beast_dream_snow_loader.state.engine import HASTE_SECONDS, hastily, reading
from beast_dream_snow_loader.state.schema import meta
from beast_dream_snow_loader.state.statements import upsert

_PREFIX = "health "


class SqlKeptChecks:
    """In ``meta``, one row for each check. Both methods raise StateError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def look(self, name: str) -> str | None:
        with reading(self._engine) as connection:
            return connection.scalar(select(meta.c.value).where(meta.c.key == f"{_PREFIX}{name}"))

    def keep(self, name: str, value: str) -> None:
        with hastily(self._engine, HASTE_SECONDS) as connection:
            upsert(connection, meta, [{"key": f"{_PREFIX}{name}", "value": value}])
