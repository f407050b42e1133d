"""Clients to configuration items, where the operator asked for it (cmdb-model 6.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from beast_dream_snow_loader.core import normalize
from beast_dream_snow_loader.core.desired import ClientLink, ConfigItem, Relation
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.inventory import LONG_AGO
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.mapping_tables import HARDWARE
from beast_dream_snow_loader.core.observed import Client, Snapshot
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.core.values import WireValues, Witness

KIND = "client"

_WHY: dict[str, str] = {
    "mac_invalid": "have no usable MAC address",
    "managed": "are devices that UniFi itself manages",
    "guest": "are guests",
    "vpn": "come in by VPN or Teleport",
    "blocked": "are blocked",
    "private_mac": "use a randomised MAC address",
    "passing": "were seen for a shorter time than clients.minimum_days",
    "time_unknown": "were seen for a time UniFi does not tell (clients.minimum_days = 0 lets them in)",
    "twice": "are listed more than once; the record seen last counts",
}

_OPERATING_SYSTEMS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("ios", "ipad", "iphone", "android"), "handheld"),
    (("windows", "mac", "linux", "ubuntu", "debian", "fedora", "chrome", "bsd"), "computer"),
)


def eligible_clients(
    snapshot: Snapshot, rules: MappingRules, devices: Container[str], findings: list[Finding]
) -> dict[str, Client]:
    """By MAC, sorted, those that may be in the CMDB; ``devices`` are the MACs that are devices. None in the mode
    ``off``; in the mode ``link`` only those connected now: where another one is cannot be said."""
    if rules.clients_mode == "off":
        return {}
    left_out: Counter[str] = Counter()
    chosen = _chosen(snapshot.clients, rules, devices, left_out)
    findings.extend(_left_out(left_out))
    linking = rules.clients_mode == "link"
    return {mac: client for mac, client in sorted(chosen.items()) if client.connected or not linking}


def client_items(
    clients: Mapping[str, Client], rules: MappingRules, taken_at: datetime, witness: Witness | None = None
) -> dict[SourceKey, ConfigItem]:
    """One item per client, for the mode ``create``."""
    values = WireValues(rules, witness)
    items = (_item(mac, client, rules, values, taken_at) for mac, client in clients.items())
    return {item.key: item for item in items}


def client_links(clients: Mapping[str, Client], relations: Iterable[Relation]) -> tuple[ClientLink, ...]:
    """The edges of clients with where each was seen, for the mode ``link``."""
    lower = ((relation, clients[relation.lower.mac]) for relation in relations if relation.lower.record == "client")
    return tuple(
        ClientLink(relation=relation, lane=client.console, site=client.site, stale=client.as_of is not None)
        for relation, client in lower
    )


def _chosen(
    clients: Iterable[Client], rules: MappingRules, devices: Container[str], left_out: Counter[str]
) -> dict[str, Client]:
    minimum = timedelta(days=rules.client_minimum_days)
    chosen: dict[str, Client] = {}
    for client in clients:
        mac = normalize.mac12(client.mac)
        if mac is None or (reason := _excluded(mac, client, devices, minimum)):
            left_out["mac_invalid" if mac is None else reason] += 1
        elif mac in chosen:
            left_out["twice"] += 1
            chosen[mac] = max(chosen[mac], client, key=_freshness)
        else:
            chosen[mac] = client
    return chosen


def _excluded(mac: str, client: Client, devices: Container[str], minimum: timedelta) -> str:
    """Why this client is not for the CMDB; empty when it is."""
    reasons = (
        ("managed", mac in devices),
        ("guest", client.guest),
        ("vpn", client.vpn),
        ("blocked", client.blocked),
        ("private_mac", normalize.locally_administered(mac)),
    )
    return next((name for name, applies in reasons if applies), "") or _too_new(client, minimum)


def _too_new(client: Client, minimum: timedelta) -> str:
    if not minimum:
        return ""
    if client.first_seen is None or client.last_seen is None:
        return "time_unknown"
    return "passing" if client.last_seen - client.first_seen < minimum else ""


def _freshness(client: Client) -> tuple[bool, datetime]:
    return (client.connected, client.last_seen or LONG_AGO)


def _item(mac: str, client: Client, rules: MappingRules, values: WireValues, taken_at: datetime) -> ConfigItem:
    colons = normalize.colon_mac(mac)
    host = normalize.text(client.host_name) or normalize.text(client.name) or "client"
    name = f"{normalize.cut(host, 230)} ({colons})"
    sources = {
        "name": name,
        "mac": mac,
        "ip": client.ip,
        "native_key": f"client/{mac}",
        "kind": KIND,
        "installed": "Installed",
        "operational": "Operational",
    }
    chain = rules.client_chains.get(_category(client)) or rules.client_chains.get("unknown", (HARDWARE,))
    return ConfigItem(
        key=SourceKey("client", mac),
        kind=KIND,
        lane=client.console,
        site=client.site,
        class_chain=chain,
        values=values.of("client", KIND, sources),
        name_forms=(name,),
        online=client.connected,
        seen_at=_seen_at(client, taken_at),
        observed_at=client.as_of or taken_at,
        stale=client.as_of is not None,
        name_source=normalize.cut(host, 230),
        label=shown(name),
    )


def _category(client: Client) -> str:
    if client.category:
        return client.category
    system = (client.os_name or "").casefold()
    return next((category for starts, category in _OPERATING_SYSTEMS if system.startswith(starts)), "unknown")


def _seen_at(client: Client, taken_at: datetime) -> datetime | None:
    if client.as_of is not None:
        return None
    if client.last_seen is not None and client.last_seen <= taken_at:
        return client.last_seen
    return taken_at if client.connected else None


def _left_out(counts: Counter[str]) -> Iterator[Finding]:
    for reason, count in sorted(counts.items()):
        message = f"{count} client records {_WHY[reason]}."
        yield Finding(
            record="clients", rule=f"client.{reason}", severity=Severity.INFO, message=message, value=str(count)
        )
