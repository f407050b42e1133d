"""The snapshot sorted out before mapping: each MAC once, each device with its site, console, model and kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from beast_dream_snow_loader.core import normalize
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.kinds import EXTENDERS, NAMED_BY_LINE, evidence, kind_of
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.models import Model, spelling
from beast_dream_snow_loader.core.observed import Console, Device, Presence, Site, Snapshot, Subject
from beast_dream_snow_loader.core.shown import shown

LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A device in its place. ``mac`` is normalised; ``named`` False when only the model's name is known."""

    device: Device
    mac: str
    kind: str
    model: Model | None
    site: Site | None
    console: Console | None
    name: str
    named: bool

    @property
    def sku(self) -> str:
        """What people call the product: SKU from the model list, else marketing name, else code (cmdb-model 6.3)."""
        if self.model is not None:
            return self.model.sku
        return normalize.text(self.device.model_name) or normalize.text(self.device.model_code)

    @property
    def site_name(self) -> str:
        """Of the site, else of the console; empty when both are nameless, for a key is no name."""
        if self.site is not None:
            return normalize.text(self.site.name) or normalize.text(self.site.short_name)
        if self.console is None or self.console.name == self.console.key:
            return ""
        return normalize.text(self.console.name)


@dataclass(slots=True, kw_only=True)
class Inventory:
    """``placed`` by MAC. ``console_macs`` are the consoles' own devices, by console key."""

    placed: dict[str, Placed] = field(default_factory=dict)
    console_macs: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def take_stock(snapshot: Snapshot, rules: MappingRules) -> Inventory:
    """Every device of the snapshot exactly once; what was left out is in the findings."""
    inventory = Inventory()
    devices = _once_each((*snapshot.devices, *_unlisted_consoles(snapshot)), inventory.findings)
    for mac, device in devices.items():
        if device.is_console:
            inventory.console_macs.setdefault(device.console, mac)
    for console in snapshot.consoles:
        own = normalize.mac12(console.mac)
        if own is not None and own in devices and not console.software_only:
            inventory.console_macs[console.key] = own
    place = _Places.of(snapshot, devices)
    for mac, device in devices.items():
        inventory.placed[mac] = _placed(mac, device, place, rules)
    inventory.findings.extend(_unknown_models(inventory.placed.values()))
    return inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    sites: Mapping[tuple[str, str], Site]
    only_site: Mapping[str, Site]
    consoles: Mapping[str, Console]
    gateways: frozenset[str]
    device_macs: frozenset[str]
    kinds: dict[frozenset[str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, snapshot: Snapshot, devices: Mapping[str, Device]) -> _Places:
        by_console: dict[str, list[Site]] = {}
        for site in snapshot.sites:
            by_console.setdefault(site.console, []).append(site)
        gateways = (normalize.mac12(site.gateway_mac) for site in snapshot.sites)
        return cls(
            sites={(site.console, site.short_name): site for site in snapshot.sites},
            only_site={console: sites[0] for console, sites in by_console.items() if len(sites) == 1},
            consoles={console.key: console for console in snapshot.consoles},
            gateways=frozenset(mac for mac in gateways if mac),
            device_macs=frozenset(devices),
        )

    def site(self, device: Device) -> Site | None:
        if device.site is None:
            return self.only_site.get(device.console)
        return self.sites.get((device.console, device.site)) or Site(
            console=device.console, short_name=device.site, name=device.site
        )

    def kind(self, words: frozenset[str], rules: MappingRules) -> str:
        """Remembered: an estate has many devices and few sorts of them."""
        if words not in self.kinds:
            self.kinds[words] = kind_of(words, rules.kinds)
        return self.kinds[words]

    def roles(self, mac: str, device: Device, model: Model | None) -> Iterator[str]:
        if device.is_console:
            if mac in self.gateways:
                yield "site-gateway"
            if any(console == device.console for console, _ in self.sites):
                yield "runs-network"
        elif (model is None or model.sku in EXTENDERS) and self._below_another(mac, device):
            yield "extender"

    def _below_another(self, mac: str, device: Device) -> bool:
        uplink = normalize.mac12(device.uplink_mac)
        return uplink is not None and uplink != mac and uplink in self.device_macs and mac not in self.gateways


def _placed(mac: str, device: Device, places: _Places, rules: MappingRules) -> Placed:
    model = rules.model(device.model_code, device.model_name)
    name = normalize.text(device.name)
    marketing = normalize.text(device.model_name) or (model.sku if model else normalize.text(device.model_code))
    names_of_model = {spelling(marketing), spelling(model.sku) if model else ""}
    return Placed(
        device=device,
        mac=mac,
        kind=places.kind(evidence(device, model, places.roles(mac, device, model)), rules),
        model=model,
        site=places.site(device),
        console=places.consoles.get(device.console),
        name=name or marketing or "UniFi device",
        named=bool(name) and spelling(name) not in names_of_model,
    )


def _once_each(devices: Iterable[Device], findings: list[Finding]) -> dict[str, Device]:
    """By MAC. Of several records the online one wins, then the one seen last (unifi-api 5, gotcha 25)."""
    found: dict[str, Device] = {}
    for device in devices:
        mac = normalize.mac12(device.mac)
        if mac is None:
            findings.append(_bad_mac(device))
        elif mac not in found:
            found[mac] = device
        else:
            best, other = sorted((found[mac], device), key=_freshness, reverse=True)
            found[mac] = best
            findings.append(_twice(mac, best, other))
    return found


def _freshness(device: Device) -> tuple[bool, datetime, bool]:
    return (device.presence is not Presence.OFFLINE, device.last_seen or LONG_AGO, device.site is not None)


def _bad_mac(device: Device) -> Finding:
    return Finding(
        record=f"console/{shown(device.console)}",
        rule="mac.invalid",
        severity=Severity.ERROR,
        message="A device has no usable MAC address, so it cannot be told apart from others. Left out.",
        field="mac_address",
        value=shown(device.mac),
    )


def _twice(mac: str, best: Device, other: Device) -> Finding:
    return Finding(
        record=f"device/{mac}",
        rule="device.twice",
        severity=Severity.WARNING,
        message=(
            f"Listed by console {shown(best.console)} and by console {shown(other.console)}. "
            f"Taken from {shown(best.console)}, where it was seen last."
        ),
    )


def _unlisted_consoles(snapshot: Snapshot) -> Iterator[Device]:
    """Consoles with a MAC that no API lists as a device: a Cloud Key seen only as a host."""
    listed = {normalize.mac12(device.mac) for device in snapshot.devices}
    own_device = {device.console for device in snapshot.devices if device.is_console}
    for console in snapshot.consoles:
        mac = normalize.mac12(console.mac)
        if mac is None or mac in listed or console.software_only or console.key in own_device:
            continue
        # Nobody told whether it is online; that its devices could be read says so.
        answered = snapshot.complete(console.key, Subject.DEVICES)
        device = Device(mac=mac, console=console.key, name=console.name or None, is_console=True, as_of=console.as_of)
        yield device if answered else replace(device, presence=Presence.OFFLINE)


def _unknown_models(placed: Iterable[Placed]) -> Iterator[Finding]:
    """Once per code: the list of products is never complete."""
    seen: dict[str, list[Placed]] = {}
    for place in placed:
        if place.model is None and place.kind not in NAMED_BY_LINE:
            seen.setdefault(place.device.model_code or place.device.model_name or "", []).append(place)
    for code, places in sorted(seen.items()):
        kinds = ", ".join(sorted({place.kind for place in places}))
        yield Finding(
            record=f"device/{places[0].mac}",
            rule="model.unknown",
            severity=Severity.INFO,
            message=(
                f"Model {shown(code) or '(not told)'} is not in the model list: {len(places)} taken as {kinds}. "
                "Name it under [mapping.models] to change that."
            ),
            field="model_number",
            value=shown(code),
        )
