"""CMDB Meta API: what a class is like, readable with the role itil (servicenow-api 6.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from beast_dream_snow_loader.core.facts import FieldFacts
from beast_dream_snow_loader.errors import NotAuthorised, Rejected, ServerFault
from beast_dream_snow_loader.servicenow.answers import AnswerKind, Refusal
from beast_dream_snow_loader.servicenow.apis.batch import BatchApi, Inner
from beast_dream_snow_loader.servicenow.calling import Caller
from beast_dream_snow_loader.servicenow.query import checked_table
from beast_dream_snow_loader.servicenow.rows import flag, text


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEntry:
    """One identifier entry: what is compared. ``table`` is empty for the CI's own attributes, else the lookup table;
    ``condition`` is an encoded query on what is searched."""

    order: int
    attributes: tuple[str, ...]
    table: str = ""
    condition: str = ""
    active: bool = True
    exact_count: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentificationRule:
    """The rule a class is identified by. ``applies_to`` is the class that has it: an ancestor, or itself.

    ``related`` are the tables whose rows may come along. ``inclusion`` is a filter on the CIs that are looked at at
    all; empty where there is none or the release does not tell (the documented keys have none).
    """

    applies_to: str = ""
    active: bool = True
    independent: bool = True
    name: str = ""
    entries: tuple[RuleEntry, ...] = ()
    related: tuple[str, ...] = ()
    inclusion: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMeta:
    """``rule`` is None for a class without one. ``rule_told`` False: the instance says nothing about rules at all."""

    name: str
    parent: str = ""
    fields: Mapping[str, FieldFacts] | None = field(default_factory=dict)
    rule: IdentificationRule | None = None
    rule_told: bool = True


class MetaApi:
    def __init__(self, caller: Caller) -> None:
        self._caller, self._batch = caller, BatchApi(caller)

    def read_many(self, names: Sequence[str]) -> dict[str, ClassMeta | None]:
        """Several classes in one batch request, None for one that is not there. Those that were not served, or refused
        for another reason, are not in the answer; nor is anything where the instance offers no batches."""
        try:
            answers = self._batch.send([Inner(path=f"/api/now/cmdb/meta/{checked_table(name)}") for name in names])
        except (NotAuthorised, Rejected, ServerFault):
            return {}
        found: dict[str, ClassMeta | None] = {}
        for name, answer in zip(names, answers, strict=True):
            if answer is not None and answer.kind is AnswerKind.SUCCESS:
                found[name] = parse_class(name, answer.result)
            elif answer is not None and answer.refusal in (Refusal.NOT_FOUND, Refusal.INVALID_TABLE):
                found[name] = None
        return found

    def read(self, name: str) -> ClassMeta | None:
        """One class; None when the instance has no such class. Raises NotAuthorised, Rejected."""
        answer = self._caller.get(f"/api/now/cmdb/meta/{checked_table(name)}", "meta.read")
        if answer.refusal in (Refusal.NOT_FOUND, Refusal.INVALID_TABLE):
            return None
        return parse_class(name, self._caller.result(answer, f"reading the definition of class {name}"))


def parse_class(name: str, result: object) -> ClassMeta | None:
    """What is told; keys may be missing. None for an empty definition."""
    if not isinstance(result, Mapping) or not result:
        return None
    return ClassMeta(
        name=text(result.get("name")) or name,
        parent=text(result.get("parent")),
        fields=_fields(result.get("attributes")),
        rule=_rule(result.get("identification_rules")),
        rule_told="identification_rules" in result,
    )


def _fields(attributes: object) -> dict[str, FieldFacts] | None:
    if not isinstance(attributes, list):
        return None
    named = (entry for entry in attributes if isinstance(entry, Mapping) and text(entry.get("element")))
    return {text(entry["element"]): _field(entry) for entry in named}


def _field(entry: Mapping[str, object]) -> FieldFacts:
    length = text(entry.get("max_length"))
    return FieldFacts(
        type=text(entry.get("type")) or "string",
        max_length=int(length) if length.isascii() and length.isdigit() and int(length) > 0 else None,
        mandatory=flag(entry.get("is_mandatory"), otherwise=False),
        read_only=flag(entry.get("is_read_only"), otherwise=False),
    )


def _rule(rules: object) -> IdentificationRule | None:
    if not isinstance(rules, Mapping) or not rules:
        return None
    return IdentificationRule(
        applies_to=text(rules.get("applies_to")),
        active=flag(rules.get("active"), otherwise=True),
        independent=flag(rules.get("is_independent"), otherwise=True),
        name=text(rules.get("name")),
        entries=tuple(sorted(map(_entry, _maps(rules.get("identifiers"))), key=lambda entry: entry.order)),
        related=tuple(text(related.get("table")) for related in _maps(rules.get("related_rules"))),
        inclusion=next((_plain(value) for key, value in rules.items() if "inclusion" in str(key) and value), ""),
    )


def _entry(entry: Mapping[str, object]) -> RuleEntry:
    order = text(entry.get("order"))
    return RuleEntry(
        order=int(order) if order.isascii() and order.isdigit() else 0,
        attributes=tuple(name.strip() for name in text(entry.get("attributes")).split(",") if name.strip()),
        table=text(entry.get("table")),
        condition=text(entry.get("condition")),
        active=flag(entry.get("active"), otherwise=True),
        exact_count=flag(entry.get("exact_count_match"), otherwise=False),
    )


def _plain(value: object) -> str:
    """Conditions in whatever form: nobody has published how inclusion rules are told."""
    rows = value if isinstance(value, list) else [value]
    return "; ".join(
        text(row.get("condition") or row.get("name")) if isinstance(row, Mapping) else text(row) for row in rows
    )


def _maps(listed: object) -> list[Mapping[str, object]]:
    return [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
