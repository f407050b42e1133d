"""Which existing rows a device's reference fields should point to (cmdb-model 6.5, 6.6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from beast_dream_snow_loader.core.desired import Reference
from beast_dream_snow_loader.core.identity import parse_sys_id
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.mapping_tables import FieldRule
from beast_dream_snow_loader.core.observed import Site

_Match = tuple[tuple[str, str], ...]


@dataclass(slots=True, kw_only=True)
class WantedRows:
    """Makes references; equal ones are one object, since an estate has many devices and few models and sites."""

    rules: MappingRules
    _made: dict[tuple[str, str, str], Reference] = field(default_factory=dict)
    _combined: dict[tuple[str, str, str], tuple[Reference, ...]] = field(default_factory=dict)

    def of_device(self, sku: str, model_name: str, site: Site | None) -> tuple[Reference, ...]:
        """``sku`` and ``model_name`` may be empty: then no model is wanted."""
        key = (sku, model_name, site.key if site else "")
        if key not in self._combined:
            self._combined[key] = tuple(self._all(sku, model_name, site))
        return self._combined[key]

    def _all(self, sku: str, model_name: str, site: Site | None) -> Iterator[Reference]:
        for rule in self.rules.fields:
            if not rule.references:
                continue
            if rule.source == "manufacturer":
                yield self._manufacturer(rule)
            elif rule.source == "model" and sku:
                yield self._model(rule, sku, model_name)
            elif rule.source == "site" and site is not None:
                yield self._location(rule, site)
            elif rule.source == "company" and self.rules.company:
                yield self._configured(rule, self.rules.company, "company")
            elif rule.source == "groups" and (wanted := self.rules.groups.get(rule.element)):
                yield self._configured(rule, wanted, rule.element)

    def _manufacturer(self, rule: FieldRule) -> Reference:
        matches = tuple((("name", name), ("manufacturer", "true")) for name in self.rules.manufacturer_names)
        return self._once(rule, matches, "manufacturer Ubiquiti", self.rules.manufacturer)

    def _model(self, rule: FieldRule, sku: str, model_name: str) -> Reference:
        of_ours: _Match = (("manufacturer", self.rules.manufacturer),) if self.rules.manufacturer else ()
        names = tuple(dict.fromkeys(name for name in (model_name, sku, f"UniFi {sku}") if name))
        matches = ((("model_number", sku), *of_ours), *((("name", name), *of_ours) for name in names))
        return self._once(rule, matches, f"model {sku}")

    def _location(self, rule: FieldRule, site: Site) -> Reference:
        named = self.rules.location_map
        wanted = named.get(site.key.casefold()) or named.get(site.name.casefold()) or ""
        sys_id = parse_sys_id(wanted) or ""
        name = wanted or site.name or site.short_name
        matches: tuple[_Match, ...] = ((("name", name),),)
        if wanted:
            matches = ((("full_name", wanted),), *matches)
        return self._once(rule, matches, f"site {site.name or site.short_name}", sys_id)

    def _configured(self, rule: FieldRule, wanted: str, what: str) -> Reference:
        sys_id = parse_sys_id(wanted) or ""
        return self._once(rule, ((("name", wanted),),), f"{what} {wanted}", sys_id)

    def _once(self, rule: FieldRule, any_of: tuple[_Match, ...], describe: str, sys_id: str = "") -> Reference:
        key = (rule.element, describe, sys_id or repr(any_of))
        if key not in self._made:
            self._made[key] = Reference(
                element=rule.element,
                table=rule.references,
                any_of=() if sys_id else any_of,
                sys_id=sys_id,
                describe=describe,
            )
        return self._made[key]
