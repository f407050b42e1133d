"""The Aggregate API: ``/api/now/stats/{table}``. Numbers are strings; a grouped answer is a list, another is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne

from beast_dream_snow_loader.sandbox.servicenow.access import Reading, reading
from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.calls import (
    Call,
    Reply,
    invalid_table,
    method_not_allowed,
    no_resource,
)
from beast_dream_snow_loader.sandbox.servicenow.conditions import Fields, Read
from beast_dream_snow_loader.sandbox.servicenow.dictionary import FieldDefinition
from beast_dream_snow_loader.sandbox.servicenow.listing import matching
from beast_dream_snow_loader.sandbox.servicenow.presentation import Presenter, Style
from beast_dream_snow_loader.sandbox.servicenow.storage import Row

Numbers = Sequence[float]
_AGGREGATES: Mapping[str, Callable[[Numbers], float]] = {
    "avg": lambda numbers: sum(numbers) / len(numbers),
    "min": min,
    "max": max,
    "sum": sum,
}
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "=": eq, "!=": ne, ">": gt, "<": lt, ">=": ge, "<=": le,
}  # fmt: skip


class StatsApi:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._fields = Fields(backend.instance)

    def answer(self, call: Call) -> Reply:
        """Called under the instance's lock. ApiError."""
        if len(call.segments) != 1:
            raise no_resource()
        if call.method != "GET":
            raise method_not_allowed()
        table = call.segments[0]
        if table not in self._backend.instance.tables:
            raise invalid_table(table)
        rows = self._rows(call, table)
        groups = self._known(table, call.parameter("sysparm_group_by"))
        if not groups:
            return Reply(body={"result": {"stats": self._stats(call, table, rows)}})
        return Reply(body={"result": self._grouped(call, table, rows, groups)})

    def _rows(self, call: Call, table: str) -> list[Row]:
        stored = self._backend.instance.tree(table).rows
        selection = matching(self._backend, call, table)
        if reading(call.account, table, self._backend.options.table_reading) is not Reading.ALL:
            return []
        return [stored[sys_id] for sys_id in selection.sys_ids]

    def _known(self, table: str, names: str) -> list[tuple[str, FieldDefinition, Read]]:
        found = ((name, self._fields.resolve(table, name)) for name in names.split(",") if name)
        return [(name, *resolved) for name, resolved in found if resolved is not None]

    def _stats(self, call: Call, table: str, rows: Sequence[Row]) -> dict[str, object]:
        stats: dict[str, object] = {}
        if call.flag("sysparm_count"):
            stats["count"] = str(len(rows))
        for kind, aggregate in _AGGREGATES.items():
            fields = self._known(table, call.parameter(f"sysparm_{kind}_fields"))
            if fields:
                stats[kind] = {name: _aggregate(aggregate, kind, read, rows) for name, _, read in fields}
        return stats

    def _grouped(
        self, call: Call, table: str, rows: Iterable[Row], groups: Sequence[tuple[str, FieldDefinition, Read]]
    ) -> list[dict[str, object]]:
        members: dict[tuple[str, ...], list[Row]] = {}
        for row in rows:
            members.setdefault(tuple(read(row) for _, _, read in groups), []).append(row)
        kept = [(key, some) for key, some in self._sorted(call, members, groups) if _having(call, some)]
        return [
            {"stats": self._stats(call, table, some), "groupby_fields": self._labels(call, groups, key)}
            for key, some in kept
        ]

    def _sorted(
        self,
        call: Call,
        members: Mapping[tuple[str, ...], list[Row]],
        groups: Sequence[tuple[str, FieldDefinition, Read]],
    ) -> list[tuple[tuple[str, ...], list[Row]]]:
        """``sysparm_order_by`` takes ``COUNT`` (most first) or group fields."""
        names = [name for name, _, _ in groups]
        order = call.parameter("sysparm_order_by")
        if order.upper().startswith("COUNT"):
            return sorted(members.items(), key=lambda item: -len(item[1]))
        position = names.index(order) if order in names else 0
        return sorted(members.items(), key=lambda item: item[0][position])

    def _labels(
        self, call: Call, groups: Sequence[tuple[str, FieldDefinition, Read]], key: Sequence[str]
    ) -> list[dict[str, str]]:
        style = Style(offset_hours=self._backend.options.display_offset_hours)
        presenter = Presenter(self._backend.instance, style, lambda target, sys_id: call.url("table", target, sys_id))
        display = call.parameter("sysparm_display_value", "false").lower()
        labels = []
        for (name, definition, _), value in zip(groups, key, strict=True):
            shown = presenter.display_value(definition, value)
            values = {"true": {"value": shown}, "all": {"display_value": shown, "value": value}}
            labels.append({**values.get(display, {"value": value}), "field": name})
        return labels


def _aggregate(aggregate: Callable[[Numbers], float], kind: str, read: Read, rows: Iterable[Row]) -> str:
    numbers = [number for row in rows if (number := _number(read(row))) is not None]
    if not numbers:
        return ""
    value = aggregate(numbers)
    return f"{value:.4f}" if kind == "avg" else f"{value:g}"


def _having(call: Call, rows: Sequence[Row]) -> bool:
    """``count^*^>^5``; aggregates other than the count are not looked at."""
    parts = call.parameter("sysparm_having").split("^")
    if len(parts) != 4 or parts[0].lower() != "count" or parts[2] not in _COMPARE:
        return True
    limit = _number(parts[3])
    return limit is None or _COMPARE[parts[2]](len(rows), limit)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
