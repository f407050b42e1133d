"""The rules of a mapping: the tables of cmdb-model 6 and the operator's options over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from beast_dream_snow_loader.core import rules_document
from beast_dream_snow_loader.core.desired import Ownership, RelationRole
from beast_dream_snow_loader.core.kinds import KIND_RULES, KindRule
from beast_dream_snow_loader.core.mapping_tables import (
    CLASS_CHAINS,
    CLIENT_CHAINS,
    FIELDS,
    FIREWALL,
    HARDWARE,
    MANUFACTURER_NAMES,
    NEVER_WRITTEN,
    NEVER_WRITTEN_PREFIXES,
    RELATION_TYPES,
    Chain,
    FieldRule,
    RelationType,
)
from beast_dream_snow_loader.core.models import Model, find_model, spelling

ClientsMode = Literal["off", "link", "create"]
GatewayClass = Literal["router", "firewall"]
ManualChange = Literal["keep", "overwrite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRules:
    """Everything a mapping depends on besides the snapshot and the instance.

    ``class_map`` holds chains per kind or model code, ``location_map`` site → sys_id or full name (a site by display
    name or ``console/short name``), ``groups`` element → sys_id or name, ``extra_fields`` element → source,
    ``models`` products that the table does not know yet, by code. The ``create_…`` options make reference rows that
    are not there; a new location is put below ``location_parent`` (sys_id, full name or name). ``outlets``: device →
    PDU, both as twelve hexadecimal digits; ``write_adapters``: management adapters are items with a relation of their
    own (cmdb-model 2.5).
    """

    kinds: tuple[KindRule, ...] = KIND_RULES
    class_chains: Mapping[str, Chain] = field(default_factory=lambda: CLASS_CHAINS)
    client_chains: Mapping[str, Chain] = field(default_factory=lambda: CLIENT_CHAINS)
    fields: tuple[FieldRule, ...] = FIELDS
    relation_types: Mapping[RelationRole, tuple[RelationType, ...]] = field(default_factory=lambda: RELATION_TYPES)
    never_written: frozenset[str] = NEVER_WRITTEN
    manufacturer_names: tuple[str, ...] = MANUFACTURER_NAMES
    models: Mapping[str, Model] = field(default_factory=dict)
    clients_mode: ClientsMode = "off"
    client_minimum_days: float = 7.0
    gateway_class: GatewayClass = "router"
    class_map: Mapping[str, Chain] = field(default_factory=dict)
    location_map: Mapping[str, str] = field(default_factory=dict)
    location_follows_source: bool = False
    create_locations: bool = False
    location_parent: str = ""
    create_manufacturer: bool = False
    create_models: bool = False
    company: str = ""
    manufacturer: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
    outlets: Mapping[str, str] = field(default_factory=dict)
    write_adapters: bool = False
    heartbeat_hours: float = 24.0
    offline_nonoperational_days: int = 0
    extra_fields: Mapping[str, str] = field(default_factory=dict)
    on_manual_change: ManualChange = "keep"

    def override(self, mapping: Mapping[str, object]) -> MappingRules:
        """These rules changed by a parsed TOML document (docs/reference/mapping.md).

        Raises ConfigurationError with every problem in it: the key's path and the form expected there.
        """
        changes = rules_document.read(mapping, self.fields)
        rules_document.require_parent({**_creating(self), **changes})
        for name, new in changes.items():
            if isinstance(new, dict):
                changes[name] = {**getattr(self, name), **new}
        return replace(self, **changes)

    def model(self, code: str | None, name: str | None) -> Model | None:
        """The product, from ``models`` first."""
        if self.models and code and (known := self.models.get(spelling(code))) is not None:
            return known
        return find_model(code, name)

    def chain(self, kind: str, model_code: str | None = None) -> Chain:
        """What to try for a device, most specific first: by model code, by kind, by default."""
        if self.class_map and model_code and (chain := self.class_map.get(model_code.casefold())) is not None:
            return chain
        if self.class_map and (chain := self.class_map.get(kind)) is not None:
            return chain
        chain = self.class_chains.get(kind, (HARDWARE,))
        return (FIREWALL, *chain) if kind == "gateway" and self.gateway_class == "firewall" else chain

    def ownership(self) -> Mapping[str, Ownership]:
        """Who owns which element, the extra ones included."""
        follows = {"location": Ownership.OURS} if self.location_follows_source else {}
        return {
            **{rule.element: rule.ownership for rule in self.fields},
            **dict.fromkeys(self.extra_fields, Ownership.OURS),
            **follows,
        }

    def max_lengths(self) -> Mapping[str, int]:
        """Lengths to go by where the instance does not tell (cmdb-model 1.3)."""
        return {**dict.fromkeys(self.extra_fields, 255), **{rule.element: rule.max_length for rule in self.fields}}

    def protects(self, element: str) -> bool:
        """True for a field that is never ours to write."""
        if element in self.extra_fields and element.startswith("u_"):
            return False
        return element in self.never_written or element.startswith(NEVER_WRITTEN_PREFIXES)


def _creating(rules: MappingRules) -> dict[str, object]:
    return {"create_locations": rules.create_locations, "location_parent": rules.location_parent}


DEFAULT_RULES = MappingRules()
