"""What is sent to the identification engine: one JSON body for a batch (cmdb-model 6.12, servicenow-api 5.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

from beast_dream_snow_loader.core.ahead import not_before
from beast_dream_snow_loader.core.changes import ChangeType, ItemChange, LinkChange
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.normalize import cmdb_time
from beast_dream_snow_loader.core.ports import Batch
from beast_dream_snow_loader.servicenow.calling import encode

# Upgrading to a child class stays allowed; a name match must never drag a CI to another branch (cmdb-model 2.4).
_SETTINGS = {"updateWithoutSwitch": "true", "updateWithoutDowngrade": "true"}

OWNS = "Owns::Owned by"
"""Hardware → adapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """``items``, ``adapters`` and ``links`` in the order of the body, so that ``inputIndices`` can be read back.

    ``adapters`` are the records that own one: theirs stand after the items, the relations to them after the links.

    ``loose`` are links of which an end is not in the batch: they cannot be expressed and were left out.
    """

    body: bytes
    items: tuple[ItemChange, ...]
    links: tuple[LinkChange, ...]
    loose: tuple[LinkChange, ...] = ()
    adapters: tuple[ItemChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadStyle:
    """``source`` is the discovery source, ``at`` the time the engine may compare with what it has (UTC).

    ``lookups`` False leaves out serial numbers and adapters where the instance has no rule for them. ``adapters`` sends
    them as items with a relation instead of as lookups, never both: the two rules conflict (cmdb-model 2.5).
    """

    source: str
    at: datetime
    lookups: bool = True
    adapters: bool = False
    adapter_ids: Mapping[str, str] = field(default_factory=dict)
    """sys_ids of adapters that are there already, by the record that owns them."""


def build(batch: Batch, style: PayloadStyle) -> Payload:
    """The body of one request: the batch's items, then the carried ones, then the relations between them."""
    own = {change.item.key for change in batch.items}
    items = (*batch.items, *(change for change in batch.carried if change.item.key not in own))
    present = {change.item.key for change in items}
    links = tuple(link for link in batch.links if {link.relation.parent, link.relation.child} <= present)
    loose = tuple(link for link in batch.links if link not in links)
    owners = tuple(change for change in batch.items if style.adapters and change.type not in _BY_SYS_ID)
    body: dict[str, object] = {"items": [*(_item(c, style) for c in items), *(_adapter_item(c, style) for c in owners)]}
    if links or owners:
        body["relations"] = [*(_relation(link) for link in links), *(_owned(change) for change in owners)]
    return Payload(body=encode(body), items=items, links=links, loose=loose, adapters=owners)


def _item(change: ItemChange, style: PayloadStyle) -> dict[str, object]:
    key = change.item.key
    wire: dict[str, object] = {
        "className": class_of(change),
        "internal_id": str(key),
        "values": _values(change),
        "settings": _SETTINGS,
        "sys_object_source_info": {
            "source_name": style.source,
            "source_native_key": str(key),
            "source_feed": f"unifi-{key.record}s",
            "source_recency_timestamp": cmdb_time(not_before(change.known, change.item.observed_at or style.at)),
        },
    }
    if style.lookups and change.type not in _BY_SYS_ID:
        wire["lookup"] = [*_serial_lookup(change), *([] if style.adapters else [_adapter(change)])]
    return wire


_BY_SYS_ID = (ChangeType.RETIRE, ChangeType.RESTORE)


def class_of(change: ItemChange) -> str:
    return change.item.class_name or change.item.class_chain[0]


def _addressed(change: ItemChange, known: KnownItem) -> bool:
    plain = known.created_by_us and not known.keyless and known.class_name != BASE_CLASS
    return change.type in _BY_SYS_ID or not plain


def _values(change: ItemChange) -> dict[str, str]:
    """What goes on the wire. Without ``last_discovered`` the engine would stamp now, also on gear long offline.

    A CI that was there before us is addressed by sys_id: it was chosen by the preflight or by the operator, and the few
    fields of an enrichment would not lead the engine to it again (it would insert a CI without a name). So is one whose
    native key was lost, for the same reason; one that is retired or restored: a CI deleted meanwhile must not come back
    as a retired one; and one of the base class, which
    the engine never saw and does not find above its rule.
    """
    empties = change.type is ChangeType.RESTORE  # everywhere else an empty value would empty a field by accident
    values = {element: value for element, value in change.send.items() if value or empties}
    if change.known is not None and _addressed(change, change.known):
        values["sys_id"] = change.known.sys_id
    if not change.send_serial and not empties:
        values.pop("serial_number", None)
    seen = values.get("last_discovered") or _last_discovered(change)
    return {**values, "last_discovered": seen} if seen else values


def _last_discovered(change: ItemChange) -> str:
    if change.item.seen_at is not None:
        return cmdb_time(change.item.seen_at)
    if change.known is None:
        return ""
    return (change.known.stored or {}).get("last_discovered") or change.known.written.get("last_discovered", "")


def _serial_lookup(change: ItemChange) -> list[dict[str, object]]:
    """Lookups carry no source information, because the serial number often equals the MAC (cmdb-model 2.5). The engine
    compares their count too: one serial number, one adapter (cmdb-model 2.3)."""
    serial = change.item.values.get("serial_number") if change.send_serial else None
    if not serial:
        return []
    values = {"serial_number": serial, "serial_number_type": "system", "valid": "true", "absent": "false"}
    return [{"className": "cmdb_serial_number", "values": values}]


class _Adapter(TypedDict):
    className: str
    values: dict[str, str]


def _adapter(change: ItemChange) -> _Adapter:
    mac = colons(change.item.key)
    values = {"name": mac, "mac_address": mac}
    address = change.send.get("ip_address") or change.item.values.get("ip_address")
    if address:
        values["ip_address"] = address
    return {"className": "cmdb_ci_network_adapter", "values": values}


def _adapter_item(change: ItemChange, style: PayloadStyle) -> dict[str, object]:
    """One that came as a lookup has no relation by which the engine would find it among the device's own."""
    wire = _adapter(change)
    known = style.adapter_ids.get(change.subject)
    values = {**wire["values"], "sys_id": known} if known else wire["values"]
    return {**wire, "values": values, "internal_id": _adapter_id(change)}


def _adapter_id(change: ItemChange) -> str:
    return f"{change.item.key}/adapter"


def _owned(change: ItemChange) -> dict[str, object]:
    """Without it the engine does not know whose adapter it is (cmdb-model 2.5)."""
    return {"parent_id": str(change.item.key), "child_id": _adapter_id(change), "type": OWNS}


def _relation(link: LinkChange) -> dict[str, object]:
    relation = link.relation
    return {"parent_id": str(relation.parent), "child_id": str(relation.child), "type": relation.type}


def colons(key: SourceKey) -> str:
    """The MAC as ServiceNow writes it."""
    return ":".join(key.mac[start : start + 2] for start in range(0, 12, 2))


def items_only(changes: Sequence[ItemChange]) -> Batch:
    """A batch without relations, for simulating."""
    return Batch(lane="", items=tuple(changes))
