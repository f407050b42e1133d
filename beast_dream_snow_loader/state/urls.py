"""The databases that snowload can use, by the scheme of their URL."""

from __future__ import annotations

from collections.abc import Mapping

_POSTGRESQL = "postgresql+psycopg"
DRIVERS: Mapping[str, str] = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": _POSTGRESQL,
    "postgresql": _POSTGRESQL,
    _POSTGRESQL: _POSTGRESQL,
}
"""As people write it → the driver."""
