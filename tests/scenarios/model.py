"""What a UniFi device should be in the CMDB, written from the model of the CMDB alone: nothing of ``core`` is used.

A second opinion on kinds, classes and fields for the products that the scenarios use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from beast_dream_snow_loader.sandbox.estate import Estate
from beast_dream_snow_loader.sandbox.estate.things import EstateDevice
from beast_dream_snow_loader.sandbox.servicenow.records import Instance

SOURCE = "UniFi"
UPLINK, MANAGED_BY = "Connects to::Connected by", "Managed by::Manages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """``chain``: the classes to put it in, the first that the instance has."""

    sku: str
    word: str
    chain: tuple[str, ...]


_HARDWARE, _NETGEAR = "cmdb_ci_hardware", "cmdb_ci_netgear"
_KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "gateway": ("gateway", ("cmdb_ci_ip_router", _NETGEAR, _HARDWARE)),
    "controller": ("controller", ("cmdb_ci_network_controller", _NETGEAR, _HARDWARE)),
    "switch": ("switch", ("cmdb_ci_ip_switch", _NETGEAR, _HARDWARE)),
    "ap": ("access point", ("cmdb_ci_wap_network", _NETGEAR, _HARDWARE)),
    "other": ("network device", (_NETGEAR, _HARDWARE)),
    "pdu": ("PDU", ("cmdb_ci_pdu", _HARDWARE)),
    "ups": ("UPS", ("cmdb_ci_ups", _HARDWARE)),
    "power": ("power supply", (_HARDWARE,)),
}
_PRODUCTS = """
UDMPRO UDM-Pro gateway
UDMPROMAX UDM-Pro-Max gateway
UXGPRO UXG-Pro gateway
UCKP UCK-G2-Plus controller
USL24P USW-24-PoE switch
USL16LP USW-Lite-16-PoE switch
USL8LP USW-Lite-8-PoE switch
US8P60 US-8-60W switch
USMINI USW-Flex-Mini switch
U7PRO U7-Pro ap
UAL6 U6-Lite ap
UAP6MP U6-Pro ap
U6IW U6-IW ap
UBB UBB other
ULTE U-LTE other
USPPDUP USP-PDU-Pro pdu
UP1 USP-Plug pdu
USWDA25 UPS-2U ups
USPRPS USP-RPS power
"""
PRODUCTS: Mapping[str, Product] = {
    code: Product(sku=sku, word=_KINDS[kind][0], chain=_KINDS[kind][1])
    for code, sku, kind in (line.split() for line in _PRODUCTS.strip().splitlines())
}


def key_of(mac: str) -> str:
    return f"device/{mac.lower()}"


def colons(mac: str) -> str:
    return ":".join(mac.lower()[at : at + 2] for at in range(0, 12, 2))


def class_of(device: EstateDevice, instance: Instance) -> str:
    chain = PRODUCTS[device.model_code].chain
    return next(name for name in chain if name in instance.tables)


def address_of(device: EstateDevice) -> str:
    """Of a gateway the address on its own network, never that towards the internet."""
    return device.lan_ip if device.is_gateway else device.ip


def fields_of(device: EstateDevice, estate: Estate, instance: Instance) -> dict[str, str]:
    """Everything but name and dates, of a CI that is new: only fields that its class has, and no empty ones."""
    product, site = PRODUCTS[device.model_code], estate.site(device.site)
    switch = product.word == "switch"
    wanted = {
        "serial_number": device.mac,
        "mac_address": colons(device.mac),
        "ip_address": address_of(device),
        "model_number": product.sku,
        "model_id": _reference(instance, "cmdb_hardware_product_model", model_number=product.sku),
        "manufacturer": _reference(instance, "core_company", name="Ubiquiti"),
        "firmware_version": ".".join(device.version.split(".")[:3]),
        "ports": str(device.model.ports) if switch else "",
        "short_description": f"UniFi {product.word} {product.sku}, site {site.title}",
        "correlation_id": key_of(device.mac),
        "location": _reference(instance, "cmn_location", name=site.title),
        "install_status": "1",
        "operational_status": "1",
        "discovery_source": SOURCE,
    }
    known = instance.fields(class_of(device, instance))
    return {element: value for element, value in wanted.items() if value and element in known}


def defaults_of(class_name: str, instance: Instance) -> dict[str, str]:
    """What the instance itself puts into a new record of the class."""
    return {name: field.default for name, field in instance.fields(class_name).items() if field.default}


ALWAYS_OURS = ("firmware_version", "ip_address", "discovery_source")
ONLY_IF_EMPTY = (
    "name", "serial_number", "mac_address", "model_number", "model_id", "manufacturer", "ports", "correlation_id",
)  # fmt: skip


def recognised(device: EstateDevice, before: Mapping[str, str], estate: Estate, instance: Instance) -> dict[str, str]:
    """What becomes of a CI that was somebody's and is recognised as the device: filled where empty, else left alone."""
    mapped = {"name": device.name or "", **fields_of(device, estate, instance)}
    known = instance.fields(before["sys_class_name"])
    filled = {name: mapped[name] for name in ONLY_IF_EMPTY if mapped.get(name) and not before.get(name)}
    always = {name: mapped[name] for name in ALWAYS_OURS if mapped.get(name)}
    return {name: value for name, value in {**filled, **always}.items() if name in known}


def name_forms(device: EstateDevice, estate: Estate) -> tuple[str, ...]:
    """In the order in which they may be used; the first only when nothing else is called so."""
    base, site = device.name or device.model.name, estate.site(device.site).title
    short = f"{base} ({site})"
    return (base, short, f"{short} {device.mac[-6:].lower()}", f"{short} {device.mac.lower()}")


def is_named(device: EstateDevice) -> bool:
    """A name of its own, and not just its product's."""
    usual = {device.model.name.casefold(), PRODUCTS[device.model_code].sku.casefold()}
    return bool(device.name) and str(device.name).casefold() not in usual


def _reference(instance: Instance, table: str, **equals: str) -> str:
    """The one row that is meant; nothing when there is none, or when there are several."""
    found = instance.find(table, **equals)
    return found[0]["sys_id"] if len(found) == 1 else ""


def edges_of(devices: Iterable[EstateDevice], estate: Estate) -> set[tuple[str, str, str]]:
    """(parent, type, child) as native keys, for what UniFi shows now."""
    shown = {device.mac: device for device in devices}
    edges: set[tuple[str, str, str]] = set()
    for mac, device in shown.items():
        if device.uplink in shown and device.uplink != mac:
            edges.add((key_of(mac), UPLINK, key_of(device.uplink)))
        console = estate.console(device.host_id).mac
        if console in shown and console != mac:
            edges.add((key_of(mac), MANAGED_BY, key_of(console)))
    return edges
