"""Identification rules, containment and hosting rules: data, read once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from beast_dream_snow_loader.sandbox.servicenow.dictionary import Dictionary
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions
from beast_dream_snow_loader.sandbox.servicenow.shipped import stable_sys_id

HARDWARE = "cmdb_ci_hardware"
ADAPTERS = "cmdb_ci_network_adapter"
HARDWARE = "cmdb_ci_hardware"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """``element=value`` or, negated, ``element!=value``; compared without case."""

    element: str
    value: str
    negated: bool = False

    def holds(self, row: Mapping[str, str]) -> bool:
        return (row.get(self.element, "").casefold() == self.value.casefold()) != self.negated


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One identifier entry. ``table`` is empty for the CI's own attributes, else the lookup table.

    ``exact_count``: a CI matches a lookup only if it has as many rows as the payload names.
    """

    order: int
    sys_id: str
    attributes: tuple[str, ...]
    table: str = ""
    referenced_field: str = ""
    condition: str = ""
    exact_count: bool = False
    active: bool = True

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return _conditions(self.condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedRule:
    """A table whose rows may come along with a CI; ``attributes`` tell them apart."""

    table: str
    referenced_field: str
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentificationRule:
    """The rule of ``applies_to`` and of every class below it that has none of its own."""

    name: str
    applies_to: str
    description: str
    independent: bool
    entries: tuple[Entry, ...]
    related: tuple[RelatedRule, ...]
    inclusion: str = ""
    """Only CIs that satisfy it are looked at."""

    @property
    def tried(self) -> tuple[Entry, ...]:
        """The entries in force, in rising order."""
        return tuple(sorted((entry for entry in self.entries if entry.active), key=lambda entry: entry.order))

    def includes(self, row: Mapping[str, str]) -> bool:
        return all(condition.holds(row) for condition in _conditions(self.inclusion))

    def lookup(self, table: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.table == table), None)

    def related_rule(self, table: str) -> RelatedRule | None:
        return next((rule for rule in self.related if rule.table == table), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyRule:
    """A containment (``host`` is ``parent``) or hosting rule (``child``), or a suggestion (``host`` empty)."""

    parent: str
    type: str
    child: str
    host: str = ""

    def __str__(self) -> str:
        return f"{self.parent} >> {self.type} >> {self.child}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """All rules in force, bound to the classes of one instance."""

    dictionary: Dictionary
    rules: Mapping[str, IdentificationRule]
    dependencies: Sequence[DependencyRule]
    suggestions: Sequence[DependencyRule]

    def rule_for(self, class_name: str) -> IdentificationRule | None:
        """The class's own rule, or its nearest ancestor's."""
        for name in (class_name, *self.dictionary.ancestors(class_name)):
            if name in self.rules:
                return self.rules[name]
        return None

    def hosts_of(self, class_name: str) -> list[DependencyRule]:
        """The containment and hosting rules under which this class depends on another."""
        is_a = self.dictionary.is_a
        return [
            rule for rule in self.dependencies if is_a(class_name, rule.child if rule.host == "parent" else rule.parent)
        ]


def load_rules(
    dictionary: Dictionary,
    adapter_attributes: Sequence[str],
    without: frozenset[str],
    own: frozenset[str] = frozenset(),
) -> RuleBook:
    """The shipped rules for the classes this instance has.

    ``adapter_attributes`` are what the hardware rule compares of adapters, which differs by release; ``without`` names
    the classes whose own rule somebody has switched off, ``own`` those given a copy of the hardware rule.
    """
    data = _shipped()
    rules = [_rule(entry, tuple(adapter_attributes)) for entry in data["rules"]]
    hardware = next(rule for rule in rules if rule.applies_to == HARDWARE)
    rules += [replace(hardware, name=f"{name} rule", applies_to=name) for name in sorted(own)]
    kept = {rule.applies_to: rule for rule in rules if rule.applies_to in dictionary.tables}
    return RuleBook(
        dictionary=dictionary,
        rules={name: rule for name, rule in kept.items() if name not in without},
        dependencies=_known(dictionary, data["dependencies"]),
        suggestions=_known(dictionary, data["suggestions"]),
    )


def with_changes(book: RuleBook, options: IreOptions) -> RuleBook:
    """The hardware rule as somebody has changed it."""
    rule = book.rules.get(HARDWARE)
    if rule is None:
        return book
    added = (
        Entry(order=order, sys_id=stable_sys_id("identifier", rule.name, str(order)), attributes=attributes)
        for order, attributes in options.extra_entries.items()
    )
    entries = [replace(entry, active=entry.order not in options.inactive_entries) for entry in (*rule.entries, *added)]
    changed = replace(rule, entries=tuple(entries), inclusion=options.inclusion_rule)
    return replace(book, rules={**book.rules, HARDWARE: changed})


@cache
def _shipped() -> Mapping[str, Any]:
    package = __package__.rpartition(".")[0]
    text = files(f"{package}.data").joinpath("identification.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _rule(data: Mapping[str, Any], adapter_attributes: tuple[str, ...]) -> IdentificationRule:
    rule = IdentificationRule(
        name=data["name"],
        applies_to=data["applies_to"],
        description=data["description"],
        independent=data.get("independent", True),
        entries=tuple(_entry(data["name"], entry) for entry in data["entries"]),
        related=tuple(
            RelatedRule(**{**related, "attributes": tuple(related["attributes"])})
            for related in data.get("related", ())
        ),
    )
    return replace(
        rule,
        entries=tuple(
            replace(entry, attributes=adapter_attributes) if entry.table == ADAPTERS else entry
            for entry in rule.entries
        ),
    )


def _entry(rule: str, data: Mapping[str, Any]) -> Entry:
    sys_id = data.get("sys_id") or stable_sys_id("identifier", rule, str(data["order"]))
    return Entry(**{**data, "sys_id": sys_id, "attributes": tuple(data["attributes"])})


def _known(dictionary: Dictionary, listed: Sequence[Mapping[str, str]]) -> tuple[DependencyRule, ...]:
    rules = (DependencyRule(**entry) for entry in listed)
    return tuple(rule for rule in rules if rule.parent in dictionary.tables and rule.child in dictionary.tables)


@cache
def _conditions(text: str) -> tuple[Condition, ...]:
    found = []
    for term in text.split("^"):
        element, operator, value = term.partition("=")
        if operator:
            found.append(Condition(element=element.rstrip("!"), value=value, negated=element.endswith("!")))
    return tuple(found)
