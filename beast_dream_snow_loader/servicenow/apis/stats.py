"""Aggregate API: counting without reading (servicenow-api 6.6)."""

from __future__ import annotations

from collections.abc import Mapping

from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.query import Query, checked_table
from beast_dream_snow_loader.servicenow.rows import text


class StatsApi:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def count(self, table: str, query: Query) -> int | None:
        """Rows that match; None when the answer holds no number. Raises NotAuthorised, Rejected."""
        params = [("sysparm_count", "true"), ("sysparm_query", str(query))]
        answer = self._caller.get(f"/api/now/stats/{checked_table(table)}", "stats.count", params)
        return parse_count(self._caller.result(answer, f"counting {table}"))


def parse_count(result: object) -> int | None:
    """``{"stats": {"count": "42"}}``: numbers are strings here."""
    stats = result.get("stats") if isinstance(result, Mapping) else None
    count = text(stats.get("count")) if isinstance(stats, Mapping) else ""
    return int(count) if count.isascii() and count.isdigit() else None
