"""GET of a list by the Table API: query, order, page, what the caller may see, count and page links."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from beast_dream_snow_loader.sandbox.servicenow import access
from beast_dream_snow_loader.sandbox.servicenow.access import Reading
from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.calls import ApiError, Call
from beast_dream_snow_loader.sandbox.servicenow.encoded_query import EncodedQuery, Term, parse
from beast_dream_snow_loader.sandbox.servicenow.input_values import resolve
from beast_dream_snow_loader.sandbox.servicenow.rules import matches
from beast_dream_snow_loader.sandbox.servicenow.selection import Selection
from beast_dream_snow_loader.sandbox.servicenow.storage import Row

DEFAULT_LIMIT = 10_000
_QUERY_REFUSED = (
    "Insufficient rights to query records",
    "Field(s) present in the query do not have permission to be read",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """``total`` counts every match, readable or not; ``rows`` are the readable ones of this page."""

    total: int
    offset: int
    limit: int
    rows: Sequence[Row]


def wanted(backend: Backend, call: Call, table: str) -> EncodedQuery:
    """``sysparm_query``, or plain ``field=value`` pairs, whose values may be display values."""
    text = call.parameter("sysparm_query")
    if text:
        return parse(text)
    fields = backend.instance.fields(table)
    pairs = [(name, value) for name, value in call.request.query if name in fields]
    terms = tuple((Term(name, "=", resolve(backend.instance, fields[name], value)),) for name, value in pairs)
    return EncodedQuery((terms,))


def matching(backend: Backend, call: Call, table: str) -> Selection:
    """What the query means, before anybody's rights. 403 where the query itself is refused."""
    query = wanted(backend, call, table)
    if access.reading(call.account, table, backend.options.table_reading) is Reading.REFUSED:
        raise ApiError(403, "Insufficient rights to query records", "User is not authorized to read this table")
    _check_fields(backend, call, table, query)
    selection = backend.selector.select(table, query)
    if selection.dropped and table in backend.options.strict_query_tables:
        raise ApiError(403, *_QUERY_REFUSED)
    no_rows = backend.instance.system_property("glide.invalid_query.returns_no_rows") == "true"
    return Selection(sys_ids=(), dropped=selection.dropped) if selection.dropped and no_rows else selection


def read_page(backend: Backend, call: Call, table: str) -> Page:
    """The limit is applied before access rules: a page may be short, or empty, while readable rows follow."""
    selection = matching(backend, call, table)
    offset = max(0, _number(call.parameter("sysparm_offset"), 0))
    limit = _number(call.parameter("sysparm_limit"), DEFAULT_LIMIT)
    page = selection.sys_ids[offset : offset + max(0, limit)]
    rows = [row for row in _rows(backend, table, page) if may_read(backend, call, table, row)]
    return Page(total=len(selection.sys_ids), offset=offset, limit=limit, rows=rows)


def may_read(backend: Backend, call: Call, table: str, row: Row) -> bool:
    name = backend.instance.class_of(table, row)
    if access.reading(call.account, name, backend.options.table_reading) is not Reading.ALL:
        return False
    hidden = [backend.options.hidden_rows.get(one) for one in (name, *backend.instance.ancestors(name))]
    return call.account.is_admin or not any(
        query is not None and matches(backend.instance, name, query, row) for query in hidden
    )


def page_links(call: Call, page: Page) -> str:
    """The ``Link`` header; it repeats the whole query."""
    last = max(0, (page.total - 1) // page.limit * page.limit) if page.limit > 0 else 0
    targets = {"first": 0}
    if page.offset > 0:
        targets["prev"] = max(0, page.offset - page.limit)
    if page.offset + page.limit < page.total:
        targets["next"] = page.offset + page.limit
    targets["last"] = last
    kept = [(name, value) for name, value in call.request.query if name != "sysparm_offset"]
    return ",".join(
        f'<{call.base_url}{call.request.path}?{urlencode([*kept, ("sysparm_offset", str(offset))])}>;rel="{rel}"'
        for rel, offset in targets.items()
    )


def _rows(backend: Backend, table: str, sys_ids: Sequence[str]) -> Iterator[Row]:
    rows = backend.instance.tree(table).rows
    return (rows[sys_id] for sys_id in sys_ids)


def _check_fields(backend: Backend, call: Call, table: str, query: EncodedQuery) -> None:
    if call.account.is_admin:
        return
    hidden = {name for one in (table, *backend.instance.ancestors(table)) for name in _hidden(backend, one)}
    allowed = access.readable_fields(call.account, table)
    for condition in (one for branch in query.branches for group in branch for one in group):
        name = condition.field.partition(".")[0]
        known = name in backend.instance.fields(table)
        if name in hidden or (known and allowed is not None and name not in allowed):
            raise ApiError(403, *_QUERY_REFUSED)


def _hidden(backend: Backend, table: str) -> frozenset[str]:
    return backend.options.hidden_fields.get(table, frozenset())


def _number(text: str, default: int) -> int:
    return int(text) if text.isdigit() else default
