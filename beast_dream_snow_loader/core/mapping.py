"""What UniFi said, as what the CMDB should hold (cmdb-model 6)."""

from __future__ import annotations

from dataclasses import replace

from beast_dream_snow_loader.core.client_mapping import client_items, client_links, eligible_clients
from beast_dream_snow_loader.core.desired import ConfigItem, DesiredState
from beast_dream_snow_loader.core.device_mapping import map_devices
from beast_dream_snow_loader.core.edges import draw_edges
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.inventory import take_stock
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.naming import settle
from beast_dream_snow_loader.core.observed import Snapshot
from beast_dream_snow_loader.core.values import Witness


def map_snapshot(snapshot: Snapshot, rules: MappingRules, witness: Witness | None = None) -> DesiredState:
    """Items by key (sorted), edges and findings. Never raises for what is in the snapshot.

    Every device is one item of one kind; a MAC that is a device is no client. Names are unique, ignoring case.
    ``install_status`` and ``operational_status`` hold labels and references are unresolved: core/fitting.py turns
    both into what the instance stores. The snapshot's own findings are not repeated.
    """
    inventory = take_stock(snapshot, rules)
    findings = list(inventory.findings)
    items = map_devices(inventory.placed, rules, snapshot.taken_at, findings, witness)
    clients = eligible_clients(snapshot, rules, inventory.placed, findings)
    if creating := rules.clients_mode == "create":
        items.update(client_items(clients, rules, snapshot.taken_at, witness))
    consoles = {console.key: console for console in snapshot.consoles}
    edges = draw_edges(inventory, consoles, clients, rules.outlets)
    return DesiredState(
        items=with_unique_names(items),
        relations=tuple(edge for edge in edges.relations if creating or edge.lower.record == "device"),
        client_links=() if creating else client_links(clients, edges.relations),
        findings=(*findings, *edges.findings),
        orphans=tuple(edges.orphans),
        looked=snapshot.looked,
    )


def with_unique_names(items: dict[SourceKey, ConfigItem]) -> dict[SourceKey, ConfigItem]:
    """Each item under its first name form that no other has; forms that were passed over are gone."""
    levels = settle({key: item.name_forms for key, item in items.items()})
    return {key: _at_form(item, levels[key]) for key, item in sorted(items.items())}


def _at_form(item: ConfigItem, level: int) -> ConfigItem:
    if level == 0 and item.values.get("name") == item.name_forms[0]:
        return item
    forms = item.name_forms[level:]
    return replace(item, name_forms=forms, values={**item.values, "name": forms[0]})
