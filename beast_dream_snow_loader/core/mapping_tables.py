"""What goes where, as data: classes, fields, ownership, relation types (cmdb-model 6).

The documented defaults; ``config/mapping.toml`` overrides them (core/rules_document.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from beast_dream_snow_loader.core.desired import Ownership, RelationRole
from beast_dream_snow_loader.core.identity import RecordType

HARDWARE = "cmdb_ci_hardware"
"""The last resort of every chain: it exists on every instance and carries the Hardware Rule."""

BASE_CLASS = "cmdb_ci"
"""Above the Hardware Rule: the engine takes nothing into it, so what has no other class is written by the Table API."""

BASE_FIELDS = frozenset(
    {
        "name", "serial_number", "mac_address", "ip_address", "model_number", "model_id", "manufacturer",
        "install_status", "operational_status", "last_discovered", "location", "company", "short_description",
        "correlation_id", "support_group", "managed_by_group", "owned_by",
    }
)  # fmt: skip
"""Fields of ``cmdb_ci`` itself (cmdb-model 1.3), for an account that may not read its definition."""

STORE_APP = "CMDB CI Class Models (sn_cmdb_ci_class)"
STORE_CLASSES = frozenset(
    {
        "cmdb_ci_network_node", "cmdb_ci_network_controller", "cmdb_ci_handheld_computing", "cmdb_ci_comm_hardware",
        "cmdb_ci_unclassified_hardware", "cmdb_ci_iot", "cmdb_ci_imaging", "cmdb_ci_ip_camera", "cmdb_ci_security",
        "cmdb_ci_display", "cmdb_ci_stv", "cmdb_ci_multimedia", "cmdb_ci_game_console", "cmdb_ci_media_player",
    }
)  # fmt: skip
"""Classes a bare instance lacks until that app is installed (cmdb-model 1.1)."""

FIREWALL = "cmdb_ci_ip_firewall"
_NETGEAR = "cmdb_ci_netgear"
_IOT = "cmdb_ci_iot"

Chain = tuple[str, ...]

CLASS_CHAINS: Mapping[str, Chain] = MappingProxyType(
    {
        "gateway": ("cmdb_ci_ip_router", _NETGEAR, HARDWARE),
        "controller": ("cmdb_ci_network_controller", _NETGEAR, HARDWARE),
        "switch": ("cmdb_ci_ip_switch", _NETGEAR, HARDWARE),
        "ap": ("cmdb_ci_wap_network", _NETGEAR, HARDWARE),
        "network-other": (_NETGEAR, HARDWARE),
        "pdu": ("cmdb_ci_pdu", HARDWARE),
        "ups": ("cmdb_ci_ups", HARDWARE),
        "power": (HARDWARE,),
        "nvr": (_IOT, HARDWARE),
        "nas": ("cmdb_ci_storage_server", HARDWARE),
        "camera": ("cmdb_ci_ip_camera", _IOT, HARDWARE),
        "access": ("cmdb_ci_security", _IOT, HARDWARE),
        "sensor": (_IOT, HARDWARE),
        "display": ("cmdb_ci_display", _IOT, HARDWARE),
        "phone": ("cmdb_ci_ip_phone", "cmdb_ci_comm_hardware", HARDWARE),
        "other": (HARDWARE,),
    }
)
"""Per kind, the first usable class wins (cmdb-model 6.2)."""

CLIENT_CHAINS: Mapping[str, Chain] = MappingProxyType(
    {
        "computer": ("cmdb_ci_computer", HARDWARE),
        "handheld": ("cmdb_ci_handheld_computing", HARDWARE),
        "printer": ("cmdb_ci_printer", HARDWARE),
        "camera": ("cmdb_ci_ip_camera", _IOT, HARDWARE),
        "tv": ("cmdb_ci_stv", _IOT, HARDWARE),
        "console": ("cmdb_ci_game_console", _IOT, HARDWARE),
        "media": ("cmdb_ci_media_player", _IOT, HARDWARE),
        "iot": (_IOT, HARDWARE),
        "phone": ("cmdb_ci_ip_phone", "cmdb_ci_comm_hardware", HARDWARE),
        "unknown": ("cmdb_ci_unclassified_hardware", HARDWARE),
    }
)
"""Per client category (cmdb-model 6.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """One target field. ``source`` is one of :data:`SOURCES`, ``transform`` one of those in core/values.py.

    ``identifier`` fields that are too long are an error; others are free text and are cut. ``max_length`` counts only
    where the instance does not tell. ``references`` names the table a reference field points to. ``kinds`` limits the
    field to these kinds of devices (empty: all); ``clients`` says whether clients have it too.
    """

    element: str
    source: str
    transform: str
    ownership: Ownership
    required: bool = False
    identifier: bool = False
    max_length: int = 255
    references: str = ""
    kinds: frozenset[str] = frozenset()
    clients: bool = False

    def applies_to(self, record: RecordType, kind: str) -> bool:
        return self.clients if record == "client" else not self.kinds or kind in self.kinds


_ALWAYS, _OURS, _ONCE = Ownership.ALWAYS, Ownership.OURS, Ownership.ONCE

FIELDS: tuple[FieldRule, ...] = (
    FieldRule(element="name", source="name", transform="text", ownership=_OURS, required=True, clients=True),
    FieldRule(
        element="serial_number", source="serial", transform="serial", ownership=_OURS, required=True, identifier=True
    ),
    FieldRule(
        element="mac_address",
        source="mac",
        transform="mac",
        ownership=_OURS,
        required=True,
        identifier=True,
        max_length=18,
        clients=True,
    ),
    FieldRule(element="ip_address", source="ip", transform="ip", ownership=_ALWAYS, identifier=True, clients=True),
    FieldRule(element="model_number", source="model_number", transform="text", ownership=_OURS),
    FieldRule(element="firmware_version", source="firmware", transform="version", ownership=_ALWAYS),
    FieldRule(
        element="ports",
        source="port_count",
        transform="count",
        ownership=_OURS,
        max_length=40,
        kinds=frozenset({"switch"}),
    ),
    FieldRule(element="short_description", source="description", transform="text", ownership=_ONCE, max_length=1000),
    FieldRule(
        element="correlation_id",
        source="native_key",
        transform="text",
        ownership=_ONCE,
        identifier=True,
        max_length=100,
        clients=True,
    ),
    FieldRule(
        element="install_status",
        source="installed",
        transform="label",
        ownership=_ONCE,
        required=True,
        max_length=40,
        clients=True,
    ),
    FieldRule(
        element="operational_status",
        source="operational",
        transform="label",
        ownership=_ONCE,
        required=True,
        max_length=40,
        clients=True,
    ),
    FieldRule(
        element="manufacturer",
        source="manufacturer",
        transform="reference",
        ownership=_OURS,
        references="core_company",
        max_length=32,
    ),
    FieldRule(
        element="model_id",
        source="model",
        transform="reference",
        ownership=_OURS,
        references="cmdb_hardware_product_model",
        max_length=32,
    ),
    FieldRule(
        element="location",
        source="site",
        transform="reference",
        ownership=_ONCE,
        references="cmn_location",
        max_length=32,
    ),
    FieldRule(
        element="company",
        source="company",
        transform="reference",
        ownership=_ONCE,
        references="core_company",
        max_length=32,
    ),
    FieldRule(
        element="support_group",
        source="groups",
        transform="reference",
        ownership=_ONCE,
        references="sys_user_group",
        max_length=32,
    ),
    FieldRule(
        element="managed_by_group",
        source="groups",
        transform="reference",
        ownership=_ONCE,
        references="sys_user_group",
        max_length=32,
    ),
    FieldRule(
        element="owned_by",
        source="groups",
        transform="reference",
        ownership=_ONCE,
        references="sys_user",
        max_length=32,
    ),
)
"""The fields of cmdb-model 6.3, in its order; ownership from 6.9. ``last_discovered`` goes with every item sent."""

KIND_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "ap": "access point",
        "nvr": "video recorder",
        "nas": "network storage",
        "ups": "UPS",
        "pdu": "PDU",
        "power": "power supply",
        "access": "door hardware",
        "network-other": "network device",
        "other": "device",
    }
)
"""How a kind is called in a description, where not by its own name."""

SOURCES: tuple[str, ...] = (
    "name", "serial", "mac", "ip", "model_number", "model_name", "model_code", "firmware", "port_count", "description",
    "native_key", "kind", "site_name", "site_key", "console_name", "console_key", "installed", "operational",
)  # fmt: skip
"""What an ``extra_fields`` entry may take its value from."""

LABELS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "install_status": MappingProxyType({"Installed": "1", "Retired": "7"}),
        "operational_status": MappingProxyType({"Operational": "1", "Non-Operational": "2", "Retired": "6"}),
    }
)
"""Status labels and the numbers to use where the instance's choices cannot be read (cmdb-model 1.4)."""

IN_SERVICE: Mapping[str, str] = MappingProxyType({"install_status": "Installed", "operational_status": "Operational"})
OUT_OF_SERVICE: Mapping[str, str] = MappingProxyType({"operational_status": "Non-Operational"})
RETIRED: Mapping[str, str] = MappingProxyType({"install_status": "Retired", "operational_status": "Retired"})
"""The status of a CI by label: at work, long offline, gone (cmdb-model 6.10)."""

LIFE_CYCLE_ENDED: Mapping[str, str] = MappingProxyType(
    {"life_cycle_stage": "End of Operation", "life_cycle_stage_status": "Pending Evaluation"}
)
LIFE_CYCLE_RUNNING: Mapping[str, str] = MappingProxyType(
    {"life_cycle_stage": "Operational", "life_cycle_stage_status": "In Use"}
)
"""The CSDM pair of labels for a CI that is gone, and for one at work (cmdb-model 6.10; CSDM, tangible life cycle)."""

NEVER_WRITTEN: frozenset[str] = frozenset(
    {
        "asset", "asset_tag", "assigned", "assigned_to", "assignment_group", "managed_by", "supported_by", "cost",
        "cost_cc", "cost_center", "order_date", "delivery_date", "purchase_date", "po_number", "invoice_number",
        "warranty_expiration", "lease_id", "lease_contract", "contract", "gl_account", "justification", "environment",
        "comments", "attributes", "maintenance_schedule", "schedule", "skip_sync", "duplicate_of", "hardware_status",
        "hardware_substatus", "first_discovered", "discovery_source",
    }
)  # fmt: skip
NEVER_WRITTEN_PREFIXES: tuple[str, ...] = ("sys_", "life_cycle_", "u_")
"""Belong to people or to the platform (cmdb-model 6.9). ``u_`` fields only when listed in ``extra_fields``."""

MANUFACTURER_NAMES: tuple[str, ...] = (
    "Ubiquiti",
    "Ubiquiti Inc.",
    "Ubiquiti Inc",
    "Ubiquiti Networks",
    "Ubiquiti Networks, Inc.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationType:
    """A relation type to look for. ``reversed``: the upper end is the parent."""

    name: str
    reversed: bool = False


RELATION_TYPES: Mapping[RelationRole, tuple[RelationType, ...]] = MappingProxyType(
    {
        RelationRole.UPLINK: (
            RelationType(name="Connects to::Connected by"),
            RelationType(name="IP Connection::IP Connection"),
        ),
        RelationRole.MANAGED_BY: (
            RelationType(name="Managed by::Manages"),
            RelationType(name="Manages::Managed by", reversed=True),
            RelationType(name="Controller for::Controlled by", reversed=True),
        ),
        RelationRole.POWERED_BY: (RelationType(name="Powered by::Powers"),),
    }
)
"""Per role, the first that exists on the instance wins; none is ever created (cmdb-model 6.7)."""
