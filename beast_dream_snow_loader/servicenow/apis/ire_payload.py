"""What is sent to the identification engine: one JSON body for a batch (cmdb-model 6.12, servicenow-api 5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange, LinkChange
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.mapping_tables import BASE_CLASS
from beast_dream_snow_loader.core.normalize import cmdb_time
from beast_dream_snow_loader.core.ports import Batch
from beast_dream_snow_loader.servicenow.calling import encode

# Upgrading to a child class stays allowed; a name match must never drag a CI to another branch (cmdb-model 2.4).
_SETTINGS = {"updateWithoutSwitch": "true", "updateWithoutDowngrade": "true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """``items`` and ``links`` in the order of the body, so that ``inputIndices`` can be read back.

    ``loose`` are links of which an end is not in the batch: they cannot be expressed and were left out.
    """

    body: bytes
    items: tuple[ItemChange, ...]
    links: tuple[LinkChange, ...]
    loose: tuple[LinkChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadStyle:
    """``source`` is the discovery source, ``at`` the time the engine may compare with what it has (UTC).

    ``lookups`` False leaves out serial numbers and adapters where the instance has no rule for them.
    """

    source: str
    at: datetime
    lookups: bool = True


def build(batch: Batch, style: PayloadStyle) -> Payload:
    """The body of one request: the batch's items, then the carried ones, then the relations between them."""
    own = {change.item.key for change in batch.items}
    items = (*batch.items, *(change for change in batch.carried if change.item.key not in own))
    present = {change.item.key for change in items}
    links = tuple(link for link in batch.links if {link.relation.parent, link.relation.child} <= present)
    loose = tuple(link for link in batch.links if link not in links)
    body: dict[str, object] = {"items": [_item(change, style) for change in items]}
    if links:
        body["relations"] = [_relation(link) for link in links]
    return Payload(body=encode(body), items=items, links=links, loose=loose)


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
            "source_recency_timestamp": cmdb_time(change.item.observed_at or style.at),
        },
    }
    if style.lookups and change.type not in _BY_SYS_ID:
        wire["lookup"] = _lookups(change)
    return wire


_BY_SYS_ID = (ChangeType.RETIRE, ChangeType.RESTORE)


def class_of(change: ItemChange) -> str:
    return change.item.class_name or change.item.class_chain[0]


def _addressed(change: ItemChange, known: KnownItem) -> bool:
    return change.type in _BY_SYS_ID or not known.created_by_us or known.class_name == BASE_CLASS


def _values(change: ItemChange) -> dict[str, str]:
    """What goes on the wire. Without ``last_discovered`` the engine would stamp now, also on gear long offline.

    A CI that was there before us is addressed by sys_id: it was chosen by the preflight or by the operator, and the few
    fields of an enrichment would not lead the engine to it again (it would insert a CI without a name). So is one that
    is retired or restored: a CI deleted meanwhile must not come back as a retired one; and one of the base class, which
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


def _lookups(change: ItemChange) -> list[dict[str, object]]:
    """One serial number and one adapter: the engine compares their count too (cmdb-model 2.3). They carry no source
    information, because the serial number often equals the MAC (cmdb-model 2.5)."""
    mac = _colons(change.item.key)
    adapter = {"name": mac, "mac_address": mac}
    address = change.send.get("ip_address") or change.item.values.get("ip_address")
    if address:
        adapter["ip_address"] = address
    serial = change.item.values.get("serial_number") if change.send_serial else None
    found: list[dict[str, object]] = []
    if serial:
        values = {"serial_number": serial, "serial_number_type": "system", "valid": "true", "absent": "false"}
        found.append({"className": "cmdb_serial_number", "values": values})
    found.append({"className": "cmdb_ci_network_adapter", "values": adapter})
    return found


def _relation(link: LinkChange) -> dict[str, object]:
    relation = link.relation
    return {"parent_id": str(relation.parent), "child_id": str(relation.child), "type": relation.type}


def _colons(key: SourceKey) -> str:
    return ":".join(key.mac[start : start + 2] for start in range(0, 12, 2))


def items_only(changes: Sequence[ItemChange]) -> Batch:
    """A batch without relations, for simulating."""
    return Batch(lane="", items=tuple(changes))
