"""What a customer's instance already holds before the first load: reference data and configuration items of others."""

from __future__ import annotations

from collections.abc import Iterable

from beast_dream_snow_loader.sandbox.servicenow.records import Instance, Row
from beast_dream_snow_loader.sandbox.servicenow.shipped import stable_sys_id

DEMO_LOCATIONS = (
    "Amsterdam", "Utrecht", "Rotterdam", "Groningen", "Maastricht", "Antwerpen", "Köln", "Hamburg", "Zürich", "Lyon",
)  # fmt: skip
_MODELS = (
    ("U6 Lite", "U6-Lite"), ("U6 LR", "U6-LR"), ("USW 24 PoE", "USW-24-POE"), ("USW Lite 8 PoE", "USW-Lite-8-PoE"),
    ("USW Pro 24 PoE", "USW-Pro-24-POE"), ("Dream Machine Pro", "UDM-Pro"), ("Gateway Pro", "UXG-Pro"),
)  # fmt: skip


def seed_demo(
    instance: Instance,
    *,
    locations: Iterable[str] = DEMO_LOCATIONS,
    taken_names: Iterable[str] = ("Access Point",),
) -> None:
    """Locations, the maker and some models, a support group, and foreign CIs: a switch Discovery made, a server, and
    one netgear CI for each of ``taken_names``, with a serial number of its own. Doing it twice adds nothing.
    """
    with instance.transaction(), instance.acting_as("admin"):
        seed_ubiquiti(instance)
        country = _once(instance, "cmn_location", {"name": "Europe"})
        for name in locations:
            _once(instance, "cmn_location", {"name": name, "parent": country["sys_id"]})
        _once(instance, "sys_user_group", {"name": "Network", "active": "true"})
        seed_foreign(instance, taken_names)
    instance.flush()


def seed_ubiquiti(instance: Instance) -> Row:
    """The company and models of its most common devices."""
    company = _once(instance, "core_company", {"name": "Ubiquiti", "manufacturer": "true", "vendor": "true"})
    for name, number in _MODELS:
        values = {"name": name, "model_number": number, "manufacturer": company["sys_id"]}
        _once(instance, "cmdb_hardware_product_model", values)
    return company


def seed_foreign(instance: Instance, taken_names: Iterable[str]) -> None:
    """CIs that belong to somebody else and must come out of every load as they went in."""
    with instance.acting_as("discovery"):
        switch = _once(
            instance,
            "cmdb_ci_ip_switch",
            {
                "name": "core-sw-01",
                "serial_number": "FDO2213A0QX",
                "mac_address": "00:1b:54:aa:10:01",
                "ip_address": "192.0.2.11",
                "discovery_source": "ServiceNow",
                "first_discovered": instance.now(),
                "last_discovered": instance.now(),
                "ports": "48",
            },
        )
        serial = {"serial_number": "FDO2213A0QX", "serial_number_type": "system", "cmdb_ci": switch["sys_id"]}
        _once(instance, "cmdb_serial_number", serial)
        server = {"name": "unifi-nvr-backup", "serial_number": "CZ3129LPWX", "discovery_source": "ServiceNow"}
        _once(instance, "cmdb_ci_linux_server", server)
        for position, name in enumerate(taken_names):
            values = {"name": name, "serial_number": f"FOREIGN{position:04d}", "discovery_source": "ServiceNow"}
            _once(instance, "cmdb_ci_netgear", values)


def _once(instance: Instance, table: str, values: dict[str, str]) -> Row:
    sys_id = stable_sys_id("seed", table, *(values.get(name, "") for name in ("name", "serial_number")))
    return instance.get(table, sys_id) or instance.insert(table, {"sys_id": sys_id, **values})
