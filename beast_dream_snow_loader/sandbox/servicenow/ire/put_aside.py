"""Items that could not be stored: partial payloads wait 90 days to be completed, incomplete ones are only a log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from beast_dream_snow_loader.sandbox.servicenow.ire.issues import PARTIAL_CODES
from beast_dream_snow_loader.sandbox.servicenow.ire.outcome import ItemOutcome
from beast_dream_snow_loader.sandbox.servicenow.ire.payload import Item, Wish
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.values import DATE_TIME_FORMAT

PARTIAL, INCOMPLETE = "cmdb_ire_partial_payloads", "cmdb_ire_incomplete_payloads"
_KEPT = timedelta(days=90)


def put_aside(instance: Instance, wish: Wish, outcome: ItemOutcome) -> None:
    """Nothing of the item is in the CMDB. A partial one's errors become warnings."""
    codes = {issue.code for issue in outcome.errors}
    partial = wish.partial_payloads and codes <= PARTIAL_CODES
    item, table = outcome.item, PARTIAL if partial else INCOMPLETE
    row = instance.insert(
        table,
        {
            "class_name": item.class_name,
            "payload": item.printed(wish.data_source),
            "source": wish.data_source,
            "error": ",".join(sorted(codes)),
        },
    )
    outcome.put_aside = "INSERT_AS_PARTIAL" if partial else "INSERT_AS_INCOMPLETE"
    outcome.put_aside_id = row["sys_id"]
    if partial:
        outcome.warnings.extend(outcome.errors)


def complete(instance: Instance, wish: Wish, items: Sequence[Item]) -> list[Item]:
    """What an earlier partial payload said of the same native key fills gaps of an item."""
    if not wish.partial_payloads or not instance.count(PARTIAL):
        return list(items)
    waiting = _waiting(instance, wish.data_source)
    return [_completed(item, waiting) for item in items]


def used_up(instance: Instance, outcome: ItemOutcome) -> None:
    """The partial payloads are in the CMDB now."""
    for sys_id in outcome.item.merged_ids:
        instance.delete(PARTIAL, sys_id)


def _waiting(instance: Instance, source: str) -> dict[str, list[tuple[str, Mapping[str, object]]]]:
    oldest = (instance.clock.now() - _KEPT).strftime(DATE_TIME_FORMAT)
    waiting: dict[str, list[tuple[str, Mapping[str, object]]]] = {}
    for row in instance.rows(PARTIAL):
        payload = json.loads(row["payload"])
        key = payload.get("sys_object_source_info", {}).get("source_native_key")
        if key and row["source"] == source and row["sys_created_on"] >= oldest:
            waiting.setdefault(key, []).append((row["sys_id"], payload["values"]))
    return waiting


def _completed(item: Item, waiting: Mapping[str, list[tuple[str, Mapping[str, object]]]]) -> Item:
    parts = waiting.get(item.source.native_key, []) if item.source else []
    if not parts:
        return item
    values: dict[str, object] = {}
    for _, told in parts:
        values.update({name: value for name, value in told.items() if name != "discovery_source"})
    return replace(item, values={**values, **item.values}, merged_ids=tuple(sys_id for sys_id, _ in parts))
