"""CIs we know, as items to be named in a plan though UniFi does not show them now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from beast_dream_snow_loader.core.changes import ChangeType, ItemChange
from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.known import KnownItem
from beast_dream_snow_loader.core.shown import shown

IDENTIFYING = ("name", "serial_number", "mac_address")


def as_item(known: KnownItem, values: Mapping[str, str] | None = None) -> ConfigItem:
    """The CI with the values given, by default those that identify it."""
    named = {element: known.written[element] for element in IDENTIFYING if element in known.written}
    values = named if values is None else values
    return ConfigItem(
        key=known.key,
        kind=known.kind,
        lane=known.lane,
        site=known.site or None,
        class_chain=(known.class_name,),
        class_name=known.class_name,
        values=values,
        name_forms=(values["name"],) if values.get("name") else (),
        online=False,
        cloud_only=known.cloud_only,
        name_source=known.name_source,
        label=shown(known.written.get("name", "")),
    )


def carried(known: KnownItem) -> ItemChange:
    """The CI as an end of an edge: what identifies it and nobody has changed, so that naming it changes nothing. To the
    engine it is no newer than our last write (:func:`~beast_dream_snow_loader.core.planner.carrier`)."""
    item = replace(as_item(known), observed_at=known.written_at)
    stored = known.stored
    kept = {element: value for element, value in item.values.items() if stored is None or stored.get(element) == value}
    seen = (stored or {}).get("last_discovered") or known.written.get("last_discovered", "")
    send = {**kept, "last_discovered": seen} if seen else kept
    return ItemChange(type=ChangeType.HEARTBEAT, item=item, send=send, known=known, send_serial=known.send_serial)
