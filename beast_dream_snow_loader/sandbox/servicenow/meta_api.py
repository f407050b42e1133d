"""The CMDB Meta API: ``/api/now/cmdb/meta/{class}``."""

from __future__ import annotations

from collections.abc import Iterator

from beast_dream_snow_loader.sandbox.servicenow.backend import Backend
from beast_dream_snow_loader.sandbox.servicenow.calls import Call, Reply, method_not_allowed, no_record, no_resource
from beast_dream_snow_loader.sandbox.servicenow.dictionary import FieldDefinition, TableDefinition
from beast_dream_snow_loader.sandbox.servicenow.ire.engine import Engine
from beast_dream_snow_loader.sandbox.servicenow.ire.rules import Entry, IdentificationRule, RelatedRule, RuleBook
from beast_dream_snow_loader.sandbox.servicenow.shipped import stable_sys_id

Json = dict[str, object]


class MetaApi:
    """What a class is like, for callers who may not read the dictionary."""

    def __init__(self, backend: Backend, engine: Engine) -> None:
        self._backend = backend
        self._instance = backend.instance
        self._engine = engine

    def answer(self, call: Call) -> Reply:
        """Called under the instance's lock. ApiError 404 for what is no class of the CMDB."""
        if len(call.segments) != 1:
            raise no_resource()
        if call.method != "GET":
            raise method_not_allowed()
        (name,) = call.segments
        if name not in self._instance.tables or not self._instance.dictionary.is_a(name, "cmdb"):
            raise no_record()
        return Reply(body={"result": self._class(self._instance.tables[name])})

    def _class(self, table: TableDefinition) -> Json:
        book = self._engine.book(self._backend.options.ire)
        rule = book.rule_for(table.name)
        fields = self._instance.fields(table.name).values()
        return {
            "name": table.name,
            "label": table.label,
            "parent": table.parent,
            "children": list(self._instance.dictionary.children(table.name)),
            "is_extendable": table.extendable,
            "icon": stable_sys_id("icon", table.name),
            "icon_url": f"images/app.ngbsm/{table.name.removeprefix('cmdb_ci_')}.svg",
            "attributes": [_attribute(table, field) for field in fields],
            "relationship_rules": list(self._relationship_rules(book, table.name)),
            "identification_rules": _rule(rule) if rule else {},
        }

    def _relationship_rules(self, book: RuleBook, name: str) -> Iterator[Json]:
        is_a = self._instance.dictionary.is_a
        for rule in (*book.dependencies, *book.suggestions):
            found = self._instance.find("cmdb_rel_type", name=rule.type)
            if found and (is_a(name, rule.parent) or is_a(name, rule.child)):
                yield {"parent": rule.parent, "child": rule.child, "relation_type": found[0]["sys_id"]}


def _attribute(table: TableDefinition, field: FieldDefinition) -> Json:
    """Every flag is a string here, other than outside the attributes."""
    return {
        "element": field.element,
        "label": field.label,
        "type": field.type,
        "max_length": str(field.max_length),
        "default_value": field.default or None,
        "is_mandatory": _text(field.mandatory),
        "is_inherited": _text(field.table != table.name),
        "is_read_only": _text(field.read_only),
        "is_display": _text(field.display),
    }


def _rule(rule: IdentificationRule) -> Json:
    return {
        "name": rule.name,
        "description": rule.description,
        "applies_to": rule.applies_to,
        "is_independent": rule.independent,
        "active": True,
        "identifiers": [_entry(entry) for entry in rule.entries],
        "related_rules": [_related(position, related) for position, related in enumerate(rule.related, 1)],
        **({"inclusion_rules": [{"condition": rule.inclusion}]} if rule.inclusion else {}),
    }


def _entry(entry: Entry) -> Json:
    return {
        "attributes": ",".join(entry.attributes),
        "order": entry.order,
        "table": entry.table or None,
        "referenced_field": entry.referenced_field or None,
        "condition": entry.condition or None,
        "exact_count_match": entry.exact_count,
        **_FLAGS,
        "active": entry.active,
    }


def _related(position: int, related: RelatedRule) -> Json:
    return {
        "attributes": ",".join(related.attributes),
        "order": position * 100,
        "table": related.table,
        "referenced_field": related.referenced_field,
        "condition": "",
        "exact_count_match": False,
        **_FLAGS,
    }


_FLAGS = {"active": True, "allow_fallback": False, "allow_null_attribute": False}


def _text(flag: bool) -> str:
    return "true" if flag else "false"
