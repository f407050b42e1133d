"""Runs a payload: looked at as a whole, then item by item, hosts before what depends on them, then the relations."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from beast_dream_snow_loader.sandbox.servicenow.ire import issues
from beast_dream_snow_loader.sandbox.servicenow.ire.deduplicate import Duplicates, merge
from beast_dream_snow_loader.sandbox.servicenow.ire.issues import Issue
from beast_dream_snow_loader.sandbox.servicenow.ire.links import Linker, joined
from beast_dream_snow_loader.sandbox.servicenow.ire.options import IreOptions, ItemFault
from beast_dream_snow_loader.sandbox.servicenow.ire.outcome import ItemOutcome, RelationOutcome, Report
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Item, Payload, Wish
from beast_dream_snow_loader.sandbox.servicenow.ire.properties import read_properties
from beast_dream_snow_loader.sandbox.servicenow.ire.put_aside import complete, put_aside
from beast_dream_snow_loader.sandbox.servicenow.ire.reconcile import Setting
from beast_dream_snow_loader.sandbox.servicenow.ire.rules import RuleBook, load_rules, with_changes
from beast_dream_snow_loader.sandbox.servicenow.ire.settling import Settling
from beast_dream_snow_loader.sandbox.servicenow.ire.wiring import Wiring, hosts
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.values import to_text


class _TakenBack(Exception):
    """All or nothing, and not all went well."""


class Engine:
    """One per instance: it counts the faults it has played. Thread-safe by the instance's lock."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._played: Counter[ItemFault] = Counter()
        self._books: dict[tuple[object, ...], RuleBook] = {}

    def book(self, options: IreOptions) -> RuleBook:
        """The rules in force."""
        dictionary = self._instance.dictionary
        key = (dictionary, options.adapter_attributes, options.without_rules, options.own_rules)
        if key not in self._books:
            self._books[key] = load_rules(
                dictionary, options.adapter_attributes, options.without_rules, options.own_rules
            )
        return with_changes(self._books[key], options)

    def run(self, payload: Payload, wish: Wish, options: IreOptions) -> Report:
        """One transaction; without ``wish.commit`` it is undone when all is known."""
        with self._instance.lock:
            payload = replace(payload, items=tuple(complete(self._instance, wish, payload.items)))
            if not self.knows_source(wish.data_source):
                return self._refused(payload, wish)
            return self._settled(payload, wish, options)

    def knows_source(self, name: str) -> bool:
        """Whether it is a choice of cmdb_ci.discovery_source, in exactly this spelling."""
        return bool(name) and name in self._instance.choices(self._instance.fields("cmdb_ci")["discovery_source"])

    def _refused(self, payload: Payload, wish: Wish) -> Report:
        """Every item fails for the same reason, and no relation is looked at."""
        outcomes = [ItemOutcome(item=item, class_name=item.class_name) for item in payload.items]
        with self._instance.transaction(keep=wish.commit):
            for outcome in outcomes:
                outcome.fail(issues.invalid_source(wish.data_source))
                if wish.enhanced:
                    put_aside(self._instance, wish, outcome)
        return Report(items=tuple(outcomes), relations=(), log_context=self._instance.new_sys_id())

    def _settled(self, payload: Payload, wish: Wish, options: IreOptions) -> Report:
        wiring = Wiring(self._instance, self.book(options), payload)
        groups = self._groups(payload, wiring, wish, options)
        setting = Setting(wish=wish, options=options, properties=read_properties(self._instance))
        settling = Settling(self._instance, self.book(options), wiring, setting, groups)
        relations: list[RelationOutcome] = []
        with contextlib.suppress(_TakenBack), self._instance.transaction(keep=wish.commit):
            settling.settle(self._faults(settling.outcomes, wish, options))
            relations = self._tie(wiring, settling, setting)
            _insert_references(self._instance, payload, wiring, settling)
            failed = any(one.failed for one in settling.outcomes) or any(one.errors for one in relations)
            if failed and not wish.partial_commits:
                raise _TakenBack
            self._put_aside(settling.outcomes, wish)
            return self._report(settling.outcomes, relations)
        return self._abandoned(settling.outcomes, relations, wish)

    def _groups(
        self, payload: Payload, wiring: Wiring, wish: Wish, options: IreOptions
    ) -> list[tuple[Item, Issue | None]]:
        """Duplicates merged into one item, or each with the reason why it is refused."""
        duplicates = Duplicates(
            self.book(options), hosts(wiring, payload.items), by_any_entry=options.duplicates_by_any_entry
        )
        duplicates.look(payload.items)
        if wish.deduplicate_payloads:
            members: dict[int, list[Item]] = {}
            for item in payload.items:
                members.setdefault(duplicates.leader(item.index), []).append(item)
            return [(group[0] if len(group) == 1 else merge(group), None) for group in members.values()]
        refused: dict[int, Issue] = {}
        for found in duplicates.found:
            issue = issues.duplicate_items(found.first, found.other, found.table, found.elements)
            refused.setdefault(found.first, issue)
            refused.setdefault(found.other, issue)
        return [(item, refused.get(item.index)) for item in payload.items]

    def _faults(self, outcomes: Sequence[ItemOutcome], wish: Wish, options: IreOptions) -> Mapping[int, Issue]:
        """Faults on request, by index of the item; they count on what commits only."""
        played: dict[int, Issue] = {}
        for outcome in outcomes if wish.commit else ():
            item = outcome.item
            for fault in options.item_faults:
                left = fault.times is None or self._played[fault] < fault.times
                if left and item.index not in played and fault.matches(item.fault_key, item.class_name):
                    self._played[fault] += 1
                    message = fault.message or f"Failed to acquire synchronization lock for {item.class_name}"
                    played[item.index] = Issue(code=fault.code, message=message)
        return played

    def _tie(self, wiring: Wiring, settling: Settling, setting: Setting) -> list[RelationOutcome]:
        linker = Linker(
            self._instance,
            track_sources=setting.properties.relation_sources,
            dropped=setting.options.dropped_relations,
        )
        tied = linker.tie(wiring.links, settling.outcome_of)
        return joined(tied) if setting.wish.deduplicate_payloads else tied

    def _put_aside(self, outcomes: Sequence[ItemOutcome], wish: Wish) -> None:
        for outcome in outcomes:
            if outcome.failed and wish.enhanced:
                put_aside(self._instance, wish, outcome)

    def _report(self, outcomes: Sequence[ItemOutcome], relations: Sequence[RelationOutcome]) -> Report:
        return Report(items=tuple(outcomes), relations=tuple(relations), log_context=self._instance.new_sys_id())

    def _abandoned(self, outcomes: Sequence[ItemOutcome], relations: Sequence[RelationOutcome], wish: Wish) -> Report:
        """Nothing is kept: what went well is abandoned for the sake of what did not."""
        issue = issues.payload_failed(wish.data_source)
        for outcome in outcomes:
            if not outcome.failed:
                outcome.fail(issue)
        told = [one if one.errors else RelationOutcome(relation=one.relation, errors=(issue,)) for one in relations]
        return self._report(outcomes, told)


def _insert_references(instance: Instance, payload: Payload, wiring: Wiring, settling: Settling) -> None:
    """Reference items: one item's field gets the sys_id the other one has."""
    for reference in payload.references:
        target, holder = wiring.index_of(reference.referenced), wiring.index_of(reference.referenced_by)
        if target is None or holder is None:
            continue
        at, by = settling.outcome_of(target), settling.outcome_of(holder)
        if at.failed or by.failed:
            continue
        before = instance.get("cmdb_ci", by.sys_id)
        after = instance.update("cmdb_ci", by.sys_id, {to_text(reference.element): at.sys_id})
        if after is not before and by.operation == "NO_CHANGE":
            by.operation = "UPDATE"
