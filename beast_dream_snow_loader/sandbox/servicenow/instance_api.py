"""The CMDB Instance API: ``/api/now/cmdb/instance/{class}``: one CI per call, through the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.calls import (
    ApiError,
    Call,
    Reply,
    method_not_allowed,
    no_record,
    no_resource,
)
from beast_dream_snow_loader.sandbox.servicenow.encoded_query import parse
from beast_dream_snow_loader.sandbox.servicenow.ire.answer import failed_item
from beast_dream_snow_loader.sandbox.servicenow.ire.engine import Engine
from beast_dream_snow_loader.sandbox.servicenow.ire.issues import invalid_source
from beast_dream_snow_loader.sandbox.servicenow.ire.outcome import ItemOutcome, Report
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Item, Payload, Relation, Wish
from beast_dream_snow_loader.sandbox.servicenow.rules import check_access
from beast_dream_snow_loader.sandbox.servicenow.storage import Row

_HINT: Final = "Check logs for error trace or enable glide.rest.debug property to verify REST request processing"
_DIRECTIONS = {"outbound_relations": ("parent", "child"), "inbound_relations": ("child", "parent")}
"""Which end of the relation the CI itself is, then the target."""


class InstanceApi:
    def __init__(self, backend: Backend, engine: Engine) -> None:
        self._backend = backend
        self._instance = backend.instance
        self._engine = engine

    def answer(self, call: Call) -> Reply:
        """Called under the instance's lock. ApiError."""
        name, *rest = call.segments or ("",)
        if not name or len(rest) > 3 or (len(rest) > 1 and rest[1] != "relation"):
            raise no_resource()
        if name not in self._instance.tables or not self._instance.dictionary.is_a(name, "cmdb"):
            raise no_record()
        if not rest:
            return self._class(call, name)
        row = self._instance.get(name, rest[0])
        if row is None:
            raise no_record()
        return self._ci(call, row) if len(rest) == 1 else self._relation(call, row, rest[2:])

    def _class(self, call: Call, name: str) -> Reply:
        if call.method == "GET":
            return Reply(body={"result": self._list(call, name)})
        if call.method == "POST":
            body = call.json_object()
            item = Item(indices=(0,), class_name=name, values=_attributes(body))
            return self._write(call, body, item)
        raise method_not_allowed()

    def _ci(self, call: Call, row: Row) -> Reply:
        if call.method == "GET":
            return Reply(body={"result": self._shown(call, row)})
        if call.method in ("PUT", "PATCH"):
            body = call.json_object()
            values = {**_attributes(body), "sys_id": row["sys_id"]}
            item = Item(indices=(0,), class_name=self._instance.class_of("cmdb", row), values=values)
            return self._write(call, {"source": body.get("source")}, item)
        raise method_not_allowed()

    def _relation(self, call: Call, row: Row, rest: list[str]) -> Reply:
        if call.method == "POST" and not rest:
            name, values = self._instance.class_of("cmdb", row), {"sys_id": row["sys_id"]}
            return self._write(
                call, call.json_object(), Item(indices=(0,), class_name=name, values=values, anchor=True)
            )
        if call.method == "DELETE" and rest:
            link = self._instance.get("cmdb_rel_ci", rest[0])
            if link is None or row["sys_id"] not in (link["parent"], link["child"]):
                raise no_record()
            check_access(call.account, self._instance, self._backend.options, "cmdb_rel_ci", "delete")
            self._instance.delete("cmdb_rel_ci", rest[0])
            return Reply()
        raise method_not_allowed()

    def _list(self, call: Call, name: str) -> list[Mapping[str, str]]:
        found = self._backend.selector.select(name, parse(call.parameter("sysparm_query"))).sys_ids
        first, limit = _number(call, "sysparm_offset", 0), _number(call, "sysparm_limit", 10_000)
        rows = (self._instance.get(name, sys_id) for sys_id in found[first : first + limit])
        return [{"sys_id": row["sys_id"], "name": row["name"]} for row in rows if row is not None]

    def _write(self, call: Call, body: Mapping[str, object], item: Item) -> Reply:
        payload = self._payload(body, item)
        source = body.get("source")
        wish = Wish(data_source=source if isinstance(source, str) else "", commit=True)
        if not self._engine.knows_source(wish.data_source):
            outcome = ItemOutcome(item=item, class_name=item.class_name)
            outcome.fail(invalid_source(wish.data_source))
            return _refused(outcome)
        report = self._engine.run(payload, wish, self._backend.options.ire)
        return self._written(call, report)

    def _written(self, call: Call, report: Report) -> Reply:
        """A refusal is the engine's envelope, in a 400."""
        failed = next((one for one in report.items if one.failed), None)
        if failed is not None:
            return _refused(failed)
        row = self._instance.get("cmdb", report.items[0].sys_id)
        if row is None or report.has_error:
            raise _broken("null")
        return Reply(body={"result": self._shown(call, row)})

    def _payload(self, body: Mapping[str, object], item: Item) -> Payload:
        """The CI as item 0 and each target of a relation as an anchor after it."""
        items, relations = [item], list[Relation]()
        for direction, (own, other) in _DIRECTIONS.items():
            for type_name, target in self._asked(body.get(direction)):
                index = len(items)
                name = self._instance.class_of("cmdb", target)
                anchor = Item(indices=(index,), class_name=name, values={"sys_id": target["sys_id"]}, anchor=True)
                ends = {own: 0, other: index}
                items.append(anchor)
                relations.append(
                    Relation(indices=(len(relations),), parent=ends["parent"], child=ends["child"], type=type_name)
                )
        return Payload(items=tuple(items), relations=tuple(relations))

    def _asked(self, listed: object) -> Iterator[tuple[str, Row]]:
        """Type name and target of each relation. ApiError 500 for what names no type or no CI."""
        if listed is None:
            return
        if not isinstance(listed, list):
            raise _broken("null")
        for entry in listed:
            told = entry if isinstance(entry, Mapping) else {}
            kind = self._instance.get("cmdb_rel_type", str(told.get("type")))
            target = self._instance.get("cmdb_ci", str(told.get("target")))
            if kind is None or target is None:
                raise _broken("null")
            yield kind["name"], target

    def _shown(self, call: Call, row: Row) -> Mapping[str, object]:
        fields = self._instance.fields(self._instance.class_of("cmdb", row))
        attributes = {name: self._value(call, found.reference, row[name]) for name, found in fields.items()}
        shown = {"attributes": attributes}
        relations = {
            direction: [
                self._edge(call, link, other) for link in self._instance.find("cmdb_rel_ci", **{own: row["sys_id"]})
            ]
            for direction, (own, other) in _DIRECTIONS.items()
        }
        return {**shown, **relations}

    def _edge(self, call: Call, link: Row, other: str) -> Mapping[str, object]:
        target = link[other]
        return {
            "sys_id": link["sys_id"],
            "type": self._value(call, "cmdb_rel_type", link["type"]),
            "target": {
                "display_value": self._instance.name_of("cmdb_ci", target),
                "link": call.url("cmdb", "instance", "cmdb_ci", target),
                "value": target,
            },
        }

    def _value(self, call: Call, reference: str, value: str) -> object:
        if not reference or not value:
            return value
        shown = self._instance.name_of(reference, value) or value
        return {"display_value": shown, "link": call.url("table", reference, value), "value": value}


def _attributes(body: Mapping[str, object]) -> Mapping[str, object]:
    """ApiError 500 for a value that is not a string: this API casts without looking, other than the engine's own."""
    told = body.get("attributes")
    if not isinstance(told, Mapping):
        raise _broken("null")
    for value in told.values():
        if not isinstance(value, str):
            message = f"class {_java_class(value)} cannot be cast to class java.lang.String"
            raise ApiError(500, message, f"{message} {_HINT}")
    return told


def _java_class(value: object) -> str:
    if isinstance(value, bool):
        return "java.lang.Boolean"
    return "java.lang.Double" if isinstance(value, int | float) else "com.google.gson.internal.LinkedTreeMap"


def _broken(cause: str) -> ApiError:
    message = f"Exception while executing request: {cause}"
    return ApiError(500, message, f"{message} {_HINT}")


def _refused(outcome: ItemOutcome) -> Reply:
    return Reply(status=400, body={"result": {"items": [failed_item(outcome)]}})


def _number(call: Call, name: str, otherwise: int) -> int:
    text = call.parameter(name)
    return int(text) if text.isascii() and text.isdigit() else otherwise
