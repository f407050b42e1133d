"""Which existing CI an item is: by sys_id, by the source's key, then entry by entry of its class's rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from beast_dream_snow_loader.sandbox.servicenow.ire import issues
from beast_dream_snow_loader.sandbox.servicenow.ire.deduplicate import entry_values
from beast_dream_snow_loader.sandbox.servicenow.ire.issues import ItemRefused
from beast_dream_snow_loader.sandbox.servicenow.ire.outcome import UNKNOWN, Attempt
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Item, SourceInfo
from beast_dream_snow_loader.sandbox.servicenow.ire.properties import Properties
from beast_dream_snow_loader.sandbox.servicenow.ire.rules import Entry, IdentificationRule
from beast_dream_snow_loader.sandbox.servicenow.ire.wiring import Tie
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.storage import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The CI a dependent item hangs on, and through which relation."""

    sys_id: str
    class_name: str
    tie: Tie


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """``row`` None: a new CI. ``duplicates``: further CIs that match as well. ``stale``: the item is older than
    what its source has told already."""

    row: Row | None = None
    entry: str = UNKNOWN
    duplicates: tuple[Row, ...] = ()
    stale: bool = False


class Identifier:
    """Reads only."""

    def __init__(
        self, instance: Instance, properties: Properties, data_source: str, *, higher_sys_ids: bool = True
    ) -> None:
        self._instance = instance
        self._properties = properties
        self._data_source = data_source
        self._higher_sys_ids = higher_sys_ids

    def identify(self, item: Item, rule: IdentificationRule, host: Host | None, attempts: list[Attempt]) -> Found:
        """``attempts`` is filled in order, also when this raises ItemRefused."""
        if item.text("sys_id"):
            return Found(row=self._by_sys_id(item, rule))
        found = self._by_source(item, rule, attempts)
        if found is not None:
            return found
        return self._by_rule(item, rule, host, attempts)

    def _by_sys_id(self, item: Item, rule: IdentificationRule) -> Row:
        sys_id = item.text("sys_id")
        row = self._instance.get(rule.applies_to, sys_id) or self._above(item, sys_id)
        if row is None or row["duplicate_of"]:
            raise ItemRefused(issues.invalid_sys_id(item.class_name, sys_id))
        return row

    def _above(self, item: Item, sys_id: str) -> Row | None:
        """A CI in a class that the item's class extends: not yet under the rule, and addressed all the same."""
        row = self._instance.get("cmdb_ci", sys_id) if self._higher_sys_ids else None
        fits = row is not None and self._instance.dictionary.is_a(
            item.class_name, self._instance.class_of("cmdb_ci", row)
        )
        return row if fits else None

    def _by_source(self, item: Item, rule: IdentificationRule, attempts: list[Attempt]) -> Found | None:
        if self._properties.skip_source_matching or not item.sources:
            attempts.append(_source_attempt("SKIPPED"))
            return None
        for source in item.sources:
            for known in source_rows(self._instance, source):
                row = self._instance.get(rule.applies_to, known["target_sys_id"])
                if row is not None and not row["duplicate_of"]:
                    attempts.append(_source_attempt("MATCHED"))
                    # Quietly: the caller learns nothing but that nothing changed.
                    return Found(row=row, stale=bool(source.recency) and source.recency < known["last_scan"])
        attempts.append(_source_attempt("NO_MATCH"))
        return None

    def _by_rule(self, item: Item, rule: IdentificationRule, host: Host | None, attempts: list[Attempt]) -> Found:
        searched = False
        for entry in rule.tried:
            values = entry_values(item, entry)
            if not values:
                attempts.append(_attempt(rule, entry, "SKIPPED"))
                continue
            searched = True
            hits = self._hits(rule, entry, values, host)
            attempts.append(_attempt(rule, entry, ("NO_MATCH", "MATCHED", "MULTI_MATCH")[min(len(hits), 2)]))
            if hits:
                return self._chosen(rule, entry, hits, host)
        if not searched:
            raise ItemRefused(issues.matching_attributes_missing(rule.applies_to, item.printed(self._data_source)))
        return Found()

    def _hits(
        self, rule: IdentificationRule, entry: Entry, values: frozenset[tuple[str, ...]], host: Host | None
    ) -> list[Row]:
        """Oldest first; a CI known to be a duplicate never matches."""
        if host is not None:
            rows = self._dependents(rule, entry, values, host)
        elif entry.table:
            rows = self._by_lookup(rule, entry, values)
        else:
            (wanted,) = values
            rows = self._instance.find(rule.applies_to, **dict(zip(entry.attributes, wanted, strict=True)))
        # sorted() keeps the order of insertion within one second.
        known = (row for row in rows if not row["duplicate_of"] and rule.includes(row))
        return sorted(known, key=lambda row: row["sys_created_on"])

    def _by_lookup(self, rule: IdentificationRule, entry: Entry, values: frozenset[tuple[str, ...]]) -> list[Row]:
        owners: set[str] | None = None
        for wanted in values:
            rows = self._instance.find(entry.table, **dict(zip(entry.attributes, wanted, strict=True)))
            here = {row[entry.referenced_field] for row in rows if _stands(entry, row)}
            owners = here if owners is None else owners & here
            if not owners:
                return []
        candidates = (self._instance.get(rule.applies_to, sys_id) for sys_id in sorted(owners or ()))
        return [row for row in candidates if row is not None and self._count_agrees(entry, row, len(values))]

    def _count_agrees(self, entry: Entry, ci: Row, count: int) -> bool:
        if not entry.exact_count:
            return True
        owned = self._instance.find(entry.table, **{entry.referenced_field: ci["sys_id"]})
        return sum(_stands(entry, row) for row in owned) == count

    def _dependents(
        self, rule: IdentificationRule, entry: Entry, values: frozenset[tuple[str, ...]], host: Host
    ) -> Sequence[Row]:
        (wanted,) = values
        links = self._links(host)
        rows = (self._instance.get(rule.applies_to, sys_id) for sys_id in links)
        return [
            row
            for row in rows
            if row is not None and tuple(row[name].casefold() for name in entry.attributes) == wanted
        ]

    def _links(self, host: Host) -> Iterable[str]:
        """What hangs on the host by this type of relation."""
        own, other = ("parent", "child") if host.tie.rule.host == "parent" else ("child", "parent")
        rows = self._instance.find("cmdb_rel_ci", **{own: host.sys_id, "type": host.tie.link.type_sys_id})
        return dict.fromkeys(row[other] for row in rows)

    def _chosen(self, rule: IdentificationRule, entry: Entry, hits: list[Row], host: Host | None) -> Found:
        if len(hits) > 1 and host is not None:
            relation = host.tie.link.relation.type
            raise ItemRefused(issues.several_dependents(relation, host.class_name, host.sys_id))
        allowed = self._properties.duplicates_threshold if self._properties.skip_duplicates else 1
        if len(hits) > allowed:
            table = entry.table or rule.applies_to
            raise ItemRefused(issues.too_many_matches(table, ",".join(entry.attributes)))
        return Found(row=hits[0], entry=entry.sys_id, duplicates=tuple(hits[1:]))


def source_rows(instance: Instance, source: SourceInfo) -> list[Row]:
    """The rows of sys_object_source that carry this key of this source."""
    return instance.find("sys_object_source", id=source.native_key, name=source.name)


def _stands(entry: Entry, row: Row) -> bool:
    return all(condition.holds(row) for condition in entry.conditions)


def _source_attempt(result: str) -> Attempt:
    return Attempt(result=result, info=f"sys_object_source {result}")


def _attempt(rule: IdentificationRule, entry: Entry, result: str) -> Attempt:
    return Attempt(result=result, rule=rule.name, attributes=entry.attributes, table=entry.table or rule.applies_to)
