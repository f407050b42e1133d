"""Which existing rows a device's reference fields should point to (cmdb-model 6.5, 6.6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from beast_dream_snow_loader.core.desired import Reference
from beast_dream_snow_loader.core.identity import parse_sys_id
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.mapping_tables import FieldRule
from beast_dream_snow_loader.core.observed import Site

_Match = tuple[tuple[str, str], ...]
_Leads = tuple[tuple[str, Reference], ...]

_UNNAMED = "default"
"""What UniFi calls a site that nobody has named (unifi-api 3)."""


@dataclass(slots=True, kw_only=True)
class WantedRows:
    """Makes references; equal ones are one object, since an estate has many devices and few models and sites.

    ``ambiguous``: names, in lower case, that several sites have.
    """

    rules: MappingRules
    ambiguous: frozenset[str] = frozenset()
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
                yield self._configured(rule, self.rules.company, f"company {self.rules.company}")
            elif rule.source == "groups" and (wanted := self.rules.groups.get(rule.element)):
                yield self._configured(rule, wanted, f"{rule.element} {wanted}")

    def _manufacturer(self, rule: FieldRule) -> Reference:
        matches = tuple((("name", name), ("manufacturer", "true")) for name in self.rules.manufacturer_names)
        if self.rules.manufacturer:
            matches = ((("sys_id", self.rules.manufacturer), ("manufacturer", "true")),)
        make: _Match = (("name", self.rules.manufacturer_names[0]), ("manufacturer", "true"))
        return self._once(
            Reference(
                element=rule.element,
                table=rule.references,
                any_of=matches,
                sys_id=self.rules.manufacturer,
                describe="manufacturer Ubiquiti",
                make=make if self.rules.create_manufacturer and not self.rules.manufacturer else (),
            )
        )

    def _model(self, rule: FieldRule, sku: str, model_name: str) -> Reference:
        names = tuple(dict.fromkeys(name for name in (model_name, sku, f"UniFi {sku}") if name))
        maker = next((self._manufacturer(one) for one in self.rules.fields if one.source == "manufacturer"), None)
        of_ours: _Leads = (("manufacturer", maker),) if maker is not None else ()
        creating = self.rules.create_models and maker is not None
        return self._once(
            Reference(
                element=rule.element,
                table=rule.references,
                any_of=((("model_number", sku),), *((("name", name),) for name in names)),
                describe=f"model {sku}",
                within=of_ours,
                make=(("name", model_name or sku), ("model_number", sku)) if creating else (),
                make_from=of_ours if creating else (),
            )
        )

    def _location(self, rule: FieldRule, site: Site) -> Reference:
        """A location that the map names is never made, nor one for a name that stands for no place or for several."""
        named, name = self.rules.location_map, site.name or site.short_name
        wanted = named.get(site.key.casefold()) or named.get(site.name.casefold()) or ""
        if wanted:
            return self._configured(rule, wanted, f"site {name}", ("full_name", "name"))
        placeless = name.casefold() in self.ambiguous or name.casefold() == _UNNAMED
        creating = self.rules.create_locations and not placeless
        return self._once(
            Reference(
                element=rule.element,
                table=rule.references,
                any_of=((("name", name),),),
                describe=f"site {name}",
                make=(("name", name),) if creating else (),
                make_from=(("parent", self._parent(rule)),) if creating else (),
            )
        )

    def _parent(self, rule: FieldRule) -> Reference:
        above = replace(rule, element="parent")
        return self._configured(above, self.rules.location_parent, "parent of new locations", ("full_name", "name"))

    def _configured(self, rule: FieldRule, wanted: str, what: str, elements: tuple[str, ...] = ("name",)) -> Reference:
        """A row that the settings name by sys_id, or by one of these elements."""
        sys_id = parse_sys_id(wanted) or ""
        by_name = tuple(((element, wanted),) for element in elements)
        return self._once(
            Reference(
                element=rule.element,
                table=rule.references,
                any_of=((("sys_id", sys_id),),) if sys_id else by_name,
                sys_id=sys_id,
                describe=what,
            )
        )

    def _once(self, reference: Reference) -> Reference:
        return self._made.setdefault((reference.element, reference.describe, reference.key), reference)
