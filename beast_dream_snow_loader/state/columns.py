"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator

from beast_dream_snow_loader.state.unread import Unread

RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the type is exactly INTEGER."""


class UtcTime(TypeDecorator[datetime]):
    """An instant as text of fixed width, ``2026-11-22T04:31:23.000000Z``: sorts as it reads, on both databases."""

    impl = Text
    cache_ok = True
    column = ""
    """Which one it is the type of, for messages: ``runs.started_at``."""

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} names no time zone")
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        try:
            return None if value is None else datetime.fromisoformat(value)
        except (ValueError, TypeError):
            raise Unread(f"a time in {self.column or 'a column'} does not read") from None
