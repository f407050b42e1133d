"""Table API: reading pages by key, rows checked again; writing single records (servicenow-api 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.core.identity import SysId, parse_sys_id
from beast_dream_snow_loader.servicenow.answers import Answer, Refusal
from beast_dream_snow_loader.servicenow.calling import Caller, encode
from beast_dream_snow_loader.servicenow.query import Query, checked_field, checked_table
from beast_dream_snow_loader.servicenow.rows import Row, parse_rows

_EMPTY_PAGES = 2
"""Without a total, this many empty pages in a row count as the end."""

_WRITING = (("sysparm_fields", "sys_id,sys_class_name"), ("sysparm_exclude_reference_link", "true"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRead:
    """What to read: kept as a value so that many of them can travel in one batch request."""

    table: str
    query: Query
    fields: tuple[str, ...]

    def path(self) -> str:
        return f"/api/now/table/{checked_table(self.table)}"

    def params(self, limit: int, offset: int = 0, after: str = "") -> list[tuple[str, str]]:
        """One page's parameters: ordered by sys_id, beyond ``after``, as stored values and plain references."""
        query = self.query.greater("sys_id", after) if after else self.query
        wanted = dict.fromkeys(("sys_id", *map(checked_field, self.fields), *query.fields))
        return [
            ("sysparm_query", str(query.order_by("sys_id"))),
            ("sysparm_fields", ",".join(wanted)),
            ("sysparm_limit", str(limit)),
            *([("sysparm_offset", str(offset))] if offset else []),
            ("sysparm_display_value", "false"),
            ("sysparm_exclude_reference_link", "true"),
            ("sysparm_suppress_pagination_header", "true"),
        ]

    def checked(self, rows: Sequence[Row]) -> list[Row]:
        """Rows that really satisfy the query: a term the instance did not understand brings all rows back."""
        return [row for row in rows if self.query.holds(row)]


class TableApi:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def rows(self, read: TableRead) -> Iterator[Row]:
        """Every readable row, once.

        Raises NotAuthorised, Rejected and the errors of a call. Access rules are applied after the limit, so a short
        or empty page proves nothing: the total counts hidden rows too and says when to stop (servicenow-api 2.5).
        """
        after, offset, empty = "", 0, 0
        limit = self._caller.settings.page_size
        seen: set[str] = set()
        while True:
            answer = self._page(read, limit, offset, after)
            page = parse_rows(answer.result)
            new = [row for row in page if row.get("sys_id") and row["sys_id"] not in seen]
            yield from read.checked(new)
            if page and not new:
                return  # the instance ignores the key: it would send the same page for ever
            seen.update(row["sys_id"] for row in new)
            empty = 0 if new else empty + 1
            if self._ended(answer, offset + limit, empty):
                return
            after, offset = (new[-1]["sys_id"], 0) if new else (after, offset + limit)

    def exists(self, table: str) -> bool:
        """Whether the instance has the table: 400 is independent of rights (servicenow-api 6.1)."""
        read = TableRead(table=table, query=Query(), fields=("sys_id",))
        answer = self._caller.get(read.path(), "table.exists", read.params(1))
        if answer.refusal is not None:
            return answer.refusal not in (Refusal.INVALID_TABLE, Refusal.NOT_FOUND)
        self._caller.result(answer, f"looking for table {table}")
        return True

    def total(self, read: TableRead) -> int | None:
        """How many rows match, hidden ones included; None when the instance does not say."""
        return self.look(read)[1]

    def look(self, read: TableRead) -> tuple[list[Row], int | None]:
        """At most one row, if the account may see it, and :meth:`total`."""
        answer = self._page(read, 1, 0, "")
        return read.checked(parse_rows(answer.result)), answer.total

    def insert(self, table: str, values: Mapping[str, str]) -> SysId | None:
        """A new record; None when the answer does not name it. Raises NotAuthorised, Rejected, the errors of a call."""
        path = f"/api/now/table/{checked_table(table)}"
        answer = self._caller.post(path, "table.insert", encode(values), _WRITING)
        row = parse_rows([self._caller.result(answer, f"a new record in {table}")])
        return parse_sys_id(row[0].get("sys_id", "")) if row else None

    def update(self, table: str, sys_id: SysId, values: Mapping[str, str]) -> bool:
        """These fields of one record; False when there is no such record. Raises as :meth:`insert` does."""
        path = f"/api/now/table/{checked_table(table)}/{sys_id}"
        answer = self._caller.patch(path, "table.update", encode(values), _WRITING)
        if answer.refusal is Refusal.NOT_FOUND:
            return False
        self._caller.result(answer, f"a change in {table}")
        return True

    def _page(self, read: TableRead, limit: int, offset: int, after: str) -> Answer:
        answer = self._caller.get(read.path(), "table.read", read.params(limit, offset, after))
        self._caller.result(answer, f"reading {read.table}")
        return answer

    @staticmethod
    def _ended(answer: Answer, covered: int, empty: int) -> bool:
        return empty >= _EMPTY_PAGES if answer.total is None else covered >= answer.total
