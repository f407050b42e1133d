"""Who hangs on whom and who manages whom (cmdb-model 6.7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.core import normalize
from beast_dream_snow_loader.core.desired import Relation, RelationRole
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.identity import SourceKey
from beast_dream_snow_loader.core.inventory import Inventory
from beast_dream_snow_loader.core.observed import Client, Console
from beast_dream_snow_loader.core.shown import shown

# Of a loop, the edge of such a device is the one that cannot be true: it stands at the top.
_TOP_KINDS = ("gateway", "controller")


@dataclass(slots=True, kw_only=True)
class Edges:
    """``orphans`` are edges whose far end is not known."""

    relations: list[Relation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    orphans: list[Finding] = field(default_factory=list)


def draw_edges(
    inventory: Inventory,
    consoles: Mapping[str, Console],
    clients: Mapping[str, Client],
    outlets: Mapping[str, str],
) -> Edges:
    """Uplinks of devices and clients, each device's console, and its PDU where ``outlets`` names one; sorted, no loops,
    no edge to itself."""
    edges = Edges()
    uplinks = _uplinks(inventory, edges)
    _break_loops(uplinks, inventory, edges)
    for mac, upper in sorted(uplinks.items()):
        edges.relations.append(_relation(RelationRole.UPLINK, SourceKey("device", mac), upper))
    _managed_by(inventory, consoles, edges)
    _powered_by(inventory, outlets, edges)
    for mac, client in sorted(clients.items()):
        if (far := _far_end(f"client/{mac}", client.uplink_mac, inventory, edges)) is not None:
            edges.relations.append(_relation(RelationRole.UPLINK, SourceKey("client", mac), far))
    return edges


def _relation(role: RelationRole, lower: SourceKey, upper_mac: str) -> Relation:
    return Relation(role=role, lower=lower, upper=SourceKey("device", upper_mac))


def _uplinks(inventory: Inventory, edges: Edges) -> dict[str, str]:
    """Device → the device above it. One uplink per device."""
    found: dict[str, str] = {}
    for mac, place in inventory.placed.items():
        far = _far_end(f"device/{mac}", place.device.uplink_mac, inventory, edges)
        if far == mac:
            message = "UniFi calls it its own uplink: no edge is drawn."
            edges.findings.append(_finding(f"device/{mac}", "relation.self", Severity.INFO, message))
        elif far is not None:
            found[mac] = far
    return found


def _far_end(record: str, uplink: str | None, inventory: Inventory, edges: Edges) -> str | None:
    if not uplink:
        return None
    mac = normalize.mac12(uplink)
    if mac is not None and mac in inventory.placed:
        return mac
    message = f"Its uplink {shown(uplink)} is no device that UniFi lists: the edge waits until it is."
    edges.orphans.append(_finding(record, "relation.orphan", Severity.WARNING, message, shown(uplink)))
    return None


def _break_loops(uplinks: dict[str, str], inventory: Inventory, edges: Edges) -> None:
    """Takes one edge out of every loop, always the same one for the same estate."""
    for loop in _loops(uplinks):
        dropped = min(loop, key=lambda mac: (inventory.placed[mac].kind not in _TOP_KINDS, mac))
        del uplinks[dropped]
        names = " → ".join(normalize.colon_mac(mac) for mac in (*loop[:8], loop[0]))
        message = f"Uplinks go round in a circle ({names}): its own uplink is left out."
        edges.findings.append(_finding(f"device/{dropped}", "relation.loop", Severity.WARNING, message))


def _loops(uplinks: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Each loop once. Every device has one uplink at most, so loops do not share members."""
    done: set[str] = set()
    loops: list[tuple[str, ...]] = []
    for start in sorted(uplinks):
        path: dict[str, int] = {}
        at: str | None = start
        while at is not None and at not in done and at not in path:
            path[at] = len(path)
            at = uplinks.get(at)
        if at is not None and at in path:
            loops.append(tuple(list(path)[path[at] :]))
        done.update(path)
    return loops


def _managed_by(inventory: Inventory, consoles: Mapping[str, Console], edges: Edges) -> None:
    without: dict[str, int] = {}
    for mac, place in sorted(inventory.placed.items()):
        console = inventory.console_macs.get(place.device.console)
        if console is None:
            without[place.device.console] = without.get(place.device.console, 0) + 1
        elif console != mac:
            edges.relations.append(_relation(RelationRole.MANAGED_BY, SourceKey("device", mac), console))
    edges.orphans.extend(_unmanaged(without, consoles))


def _powered_by(inventory: Inventory, outlets: Mapping[str, str], edges: Edges) -> None:
    for mac, pdu in sorted(outlets.items()):
        missing = [normalize.colon_mac(end) for end in (mac, pdu) if end not in inventory.placed]
        if missing or mac == pdu:
            why = f"{' and '.join(missing)} is no device that UniFi lists" if missing else "it would power itself"
            message = f"mapping.outlets has it on {normalize.colon_mac(pdu)}, but {why}: the edge waits."
            told = _finding(f"device/{mac}", "relation.orphan", Severity.WARNING, message, pdu)
            edges.orphans.append(replace(told, field=RelationRole.POWERED_BY))
        else:
            edges.relations.append(_relation(RelationRole.POWERED_BY, SourceKey("device", mac), pdu))


def _unmanaged(without: Mapping[str, int], consoles: Mapping[str, Console]) -> Iterator[Finding]:
    """Once per console. Software on somebody's server has no CI of its own, so nothing is missing there."""
    for key, count in sorted(without.items()):
        console = consoles.get(key)
        if console is not None and console.software_only:
            continue
        message = f"The console has no MAC address that UniFi tells: {count} devices are not linked to it."
        yield _finding(f"console/{shown(key)}", "relation.orphan", Severity.WARNING, message, str(count))


def _finding(record: str, rule: str, severity: Severity, message: str, value: str = "") -> Finding:
    return Finding(record=record, rule=rule, severity=severity, message=message, field="uplink", value=value)
