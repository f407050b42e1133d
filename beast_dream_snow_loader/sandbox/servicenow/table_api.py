"""The Table API: ``/api/now/table/{table}`` and ``/{sys_id}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beast_dream_snow_loader.sandbox.servicenow import access
from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.calls import (
    ApiError,
    Call,
    Reply,
    failure,
    invalid_table,
    method_not_allowed,
    no_record,
    no_resource,
)
from beast_dream_snow_loader.sandbox.servicenow.input_values import from_display
from beast_dream_snow_loader.sandbox.servicenow.listing import Page, may_read, page_links, read_page
from beast_dream_snow_loader.sandbox.servicenow.presentation import Presenter, Shown, Style, columns, hidden_fields
from beast_dream_snow_loader.sandbox.servicenow.records import UniqueViolation
from beast_dream_snow_loader.sandbox.servicenow.rules import check_access, check_content
from beast_dream_snow_loader.sandbox.servicenow.storage import Row

_TIMED_OUT = "Transaction cancelled: maximum execution time exceeded"
_HINT = "Check logs for error trace or enable glide.rest.debug property to verify REST request processing"


class TableApi:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._instance = backend.instance

    def answer(self, call: Call) -> Reply:
        """Called under the instance's lock. ApiError."""
        table, *rest = call.segments or ("",)
        if len(rest) > 1 or not table:
            raise no_resource()
        if table not in self._instance.tables:
            raise invalid_table(table)
        return self._one(call, table, rest[0]) if rest else self._all(call, table)

    def _all(self, call: Call, table: str) -> Reply:
        if call.method == "GET":
            return self._list(call, table)
        if call.method == "POST":
            return self._insert(call, table)
        raise method_not_allowed()

    def _one(self, call: Call, table: str, sys_id: str) -> Reply:
        if call.method not in ("GET", "PUT", "PATCH", "DELETE"):
            raise method_not_allowed()
        row = self._instance.get(table, sys_id)
        if row is None or not may_read(self._backend, call, table, row):
            raise no_record()
        if call.method == "GET":
            return Reply(body={"result": self._shown(call, table, [row])[0]})
        if call.method == "DELETE":
            return self._delete(call, table, row)
        return self._update(call, table, row)

    def _list(self, call: Call, table: str) -> Reply:
        page = read_page(self._backend, call, table)
        if call.version == "v1" and not page.rows:
            raise no_record()
        headers = self._list_headers(call, page)
        budget = self._backend.options.row_budget
        if budget is not None and len(page.rows) > budget:
            shown = self._shown(call, table, page.rows[:budget])
            return Reply(body={"result": shown, **failure(_TIMED_OUT, f"{_TIMED_OUT} {_HINT}")}, headers=headers)
        return Reply(body={"result": self._shown(call, table, page.rows)}, headers=headers)

    def _list_headers(self, call: Call, page: Page) -> tuple[tuple[str, str], ...]:
        headers = [] if call.flag("sysparm_no_count") else [("X-Total-Count", str(page.total))]
        if not call.flag("sysparm_suppress_pagination_header"):
            headers.append(("Link", page_links(call, page)))
        return tuple(headers)

    def _insert(self, call: Call, table: str) -> Reply:
        values = self._values(call, table)
        name = str(values.get("sys_class_name") or table)
        check_access(call.account, self._instance, self._backend.options, name, "insert")
        try:
            with self._instance.transaction():
                row = self._instance.insert(table, values)
                check_content(self._instance, self._backend.options, self._instance.class_of(table, row), row)
        except UniqueViolation as error:
            detail = f"Error during insert of {table} ({error.display})"
            raise ApiError(403, "Operation Failed", detail) from error
        location = (("Location", call.url("table", table, row["sys_id"])),)
        return self._written(call, table, row, status=201, headers=location)

    def _update(self, call: Call, table: str, row: Row) -> Reply:
        check_access(call.account, self._instance, self._backend.options, table, "update")
        with self._instance.transaction():
            after = self._instance.update(table, row["sys_id"], self._values(call, table))
            if after is not row:
                check_content(self._instance, self._backend.options, self._instance.class_of(table, after), after)
        return self._written(call, table, after, status=200, headers=())

    def _delete(self, call: Call, table: str, row: Row) -> Reply:
        check_access(call.account, self._instance, self._backend.options, table, "delete")
        self._instance.delete(table, row["sys_id"])
        return Reply(status=204)

    def _written(self, call: Call, table: str, row: Row, *, status: int, headers: tuple[tuple[str, str], ...]) -> Reply:
        if call.header("X-no-response-body").lower() == "true":
            return Reply(status=status, headers=headers)
        return Reply(status=status, headers=headers, body={"result": self._shown(call, table, [row])[0]})

    def _values(self, call: Call, table: str) -> Mapping[str, object]:
        """Only fields of the table in the path count, also when the record is of a class below it."""
        known = self._instance.fields(table)
        values = {name: value for name, value in call.json_object().items() if name in known}
        if not call.account.is_admin and self._admin_only_sys_fields():
            values = {name: value for name, value in values.items() if not name.startswith("sys_")}
        if call.flag("sysparm_input_display_value"):
            return from_display(self._instance, table, values, self._backend.options.display_offset_hours)
        return values

    def _admin_only_sys_fields(self) -> bool:
        return self._instance.system_property("glide.rest.table_api.admin_only_sys_fields") == "true"

    def _shown(self, call: Call, table: str, rows: Sequence[Row]) -> list[dict[str, Shown]]:
        style = Style(
            display=call.parameter("sysparm_display_value", "false").lower(),
            exclude_reference_link=call.flag("sysparm_exclude_reference_link"),
            offset_hours=self._backend.options.display_offset_hours,
        )
        presenter = Presenter(self._instance, style, lambda target, sys_id: call.url("table", target, sys_id))
        hidden = {} if call.account.is_admin else self._backend.options.hidden_fields
        left_out = hidden_fields(self._instance, table, hidden, access.readable_fields(call.account, table))
        chosen = columns(self._instance, table, _asked(call), left_out)
        return [presenter.record(chosen, row) for row in rows]


def _asked(call: Call) -> tuple[str, ...] | None:
    text = call.parameter("sysparm_fields")
    # The answer's order is not the order asked for; a client that counts on it should find out here.
    return tuple(sorted({name.strip() for name in text.split(",") if name.strip()})) if text else None
