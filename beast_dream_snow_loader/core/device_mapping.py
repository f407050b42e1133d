"""Devices to configuration items (cmdb-model 6.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from beast_dream_snow_loader.core import normalize
from beast_dream_snow_loader.core.desired import ConfigItem
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.inventory import Placed
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.mapping_tables import KIND_WORDS
from beast_dream_snow_loader.core.naming import name_forms
from beast_dream_snow_loader.core.observed import Presence
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.core.values import WireValues, Witness
from beast_dream_snow_loader.core.visible import look
from beast_dream_snow_loader.core.wanted_rows import WantedRows

NAME_LENGTH = 255
"""Of ``cmdb_ci.name``; a shorter one on an instance is met in core/fitting.py."""


def map_devices(
    placed: Mapping[str, Placed],
    rules: MappingRules,
    taken_at: datetime,
    findings: list[Finding],
    witness: Witness | None = None,
) -> dict[SourceKey, ConfigItem]:
    """One item per device, under the first of its name forms; names are settled among all items afterwards."""
    made = _Made(
        rows=WantedRows(rules=rules, ambiguous=_namesakes(placed.values())),
        values=WireValues(rules, witness),
        rules=rules,
        taken_at=taken_at,
    )
    serials = _serials(placed, findings)
    holders = Counter(look(place.name) for place in placed.values())
    items: dict[SourceKey, ConfigItem] = {}
    for mac, place in placed.items():
        shared = not place.named or holders[look(place.name)] > 1
        forms = name_forms(place.name, place.site_name, mac, shared=shared, limit=NAME_LENGTH)
        if shared:
            findings.append(_shared(place, holders[look(place.name)]))
        items[SourceKey("device", mac)] = _item(place, forms, serials[mac], made)
    return items


def _namesakes(placed: Iterable[Placed]) -> frozenset[str]:
    """Site names that several sites have, in lower case: one location for all of them would be wrong."""
    sites = {place.site.key: place.site.name.casefold() for place in placed if place.site is not None}
    return frozenset(name for name, count in Counter(sites.values()).items() if count > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What items are made with."""

    rows: WantedRows
    values: WireValues
    rules: MappingRules
    taken_at: datetime


def _item(place: Placed, forms: tuple[str, ...], serial: tuple[str, bool], made: _Made) -> ConfigItem:
    device, key = place.device, SourceKey("device", place.mac)
    sources = _sources(place, forms[0], serial[0])
    model_name = normalize.text(device.model_name)
    return ConfigItem(
        key=key,
        kind=place.kind,
        lane=device.console,
        site=place.site.short_name if place.site else None,
        class_chain=made.rules.chain(place.kind, device.model_code),
        values=made.values.of("device", place.kind, sources),
        name_forms=forms,
        references=made.rows.of_device(place.sku, model_name, place.site),
        online=device.presence is not Presence.OFFLINE,
        cloud_only=device.cloud_only,
        seen_at=_seen_at(place, made.taken_at),
        observed_at=device.as_of or made.taken_at,
        stale=device.as_of is not None,
        serial_derived=serial[1],
        name_source=normalize.cut(place.name, NAME_LENGTH),
        label=shown(f"{place.name}/{normalize.colon_mac(place.mac)}"),
    )


def _sources(place: Placed, name: str, serial: str) -> dict[str, str | None]:
    device = place.device
    what = KIND_WORDS.get(place.kind, place.kind)
    where = f", site {place.site_name}" if place.site else ""
    return {
        "name": name,
        "serial": serial,
        "mac": place.mac,
        "ip": device.management_ip,
        "model_number": place.sku,
        "model_name": device.model_name,
        "model_code": device.model_code,
        "firmware": device.firmware,
        "port_count": str(device.port_count or ""),
        "description": " ".join(part for part in ("UniFi", what, place.sku) if part) + where,
        "native_key": f"device/{place.mac}",
        "kind": place.kind,
        "site_name": place.site.name if place.site else None,
        "site_key": place.site.key if place.site else None,
        "console_name": place.console.name if place.console else None,
        "console_key": device.console,
        "installed": "Installed",
        "operational": "Operational" if device.ever_online else "Non-Operational",
    }


def _seen_at(place: Placed, taken_at: datetime) -> datetime | None:
    """What goes to ``last_discovered``: the poll's time, of an offline device its own (cmdb-model 6.3). Nobody saw
    now what is only remembered (Q18)."""
    if place.device.as_of is not None:
        return None
    if place.device.presence is not Presence.OFFLINE:
        return taken_at
    seen = place.device.last_seen
    return seen if seen is not None and seen <= taken_at else None


def _serials(placed: Mapping[str, Placed], findings: list[Finding]) -> dict[str, tuple[str, bool]]:
    """Per MAC the serial number and whether it is derived from the MAC.

    A number that two devices share identifies neither: IRE would answer MULTI_MATCH (cmdb-model 2.5).
    """
    told = {mac: normalize.serial(place.device.serial) for mac, place in placed.items()}
    holders = Counter(serial or mac.upper() for mac, serial in told.items())
    found: dict[str, tuple[str, bool]] = {}
    for mac, serial in told.items():
        if serial is not None and (holders[serial] == 1 or serial == mac.upper()):
            found[mac] = (serial, False)
            continue
        found[mac] = (mac.upper(), True)
        if given := placed[mac].device.serial:
            findings.append(_serial_dropped(mac, given, shared=serial is not None))
    return found


def _serial_dropped(mac: str, given: str, *, shared: bool) -> Finding:
    why = "is shared by several devices" if shared else "stands for none"
    return Finding(
        record=f"device/{mac}",
        rule="serial.shared" if shared else "serial.placeholder",
        severity=Severity.WARNING,
        message=f"The serial number UniFi tells {why}; the MAC address takes its place.",
        field="serial_number",
        value=shown(given),
    )


def _shared(place: Placed, holders: int) -> Finding:
    if holders > 1:
        rule, why = "name.shared", f"{holders} devices are called {shown(place.name)}"
    elif normalize.text(place.device.name):
        rule, why = "name.of_model", f"It is called {shown(place.name)} like its model"
    else:
        rule, why = "name.missing", f"It has no name; its model is {shown(place.name)}"
    return Finding(
        record=f"device/{place.mac}",
        rule=rule,
        severity=Severity.INFO,
        message=f"{why}: site or MAC is added, so that it is not merged with another.",
        field="name",
        value=shown(place.name),
    )
