"""Reading the operator's mapping document (parsed TOML): all problems at once, each with path and expected form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from beast_dream_snow_loader.core import normalize
from beast_dream_snow_loader.core.desired import Ownership, RelationRole
from beast_dream_snow_loader.core.identity import parse_sys_id
from beast_dream_snow_loader.core.kinds import KINDS
from beast_dream_snow_loader.core.mapping_tables import (
    CLIENT_CHAINS,
    HARDWARE,
    NEVER_WRITTEN,
    SOURCES,
    Chain,
    FieldRule,
    RelationType,
)
from beast_dream_snow_loader.core.models import Model, find_model, spelling
from beast_dream_snow_loader.core.nearest import nearest
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import ConfigurationError

GROUP_ELEMENTS = ("support_group", "managed_by_group", "owned_by")


@dataclass(slots=True)
class _Reading:
    """Where problems collect. ``at`` is the path of the key being read."""

    fields: tuple[FieldRule, ...]
    problems: list[str] = field(default_factory=list)

    def expected(self, path: str, form: str, value: object) -> None:
        self.problems.append(f"mapping.{path} is {shown(repr(value), 60)}; expected is {form}.")

    def unknown(self, path: str, name: str, known: Iterable[str]) -> None:
        names = list(known)
        near = nearest(name, names)
        hint = f"did you mean {near}?" if near else f"known are {', '.join(sorted(names))}."
        self.problems.append(f"mapping.{path} is not known; {hint}")


_Reader = Callable[[_Reading, str, object], Any]


def read(document: Mapping[str, object], fields: tuple[FieldRule, ...]) -> dict[str, Any]:
    """The attributes of MappingRules that the document sets.

    Raises ConfigurationError listing every unknown key (with the nearest name) and every value of another form.
    """
    reading = _Reading(fields=fields)
    changes: dict[str, Any] = {}
    for key, value in document.items():
        if key in _ELSEWHERE:
            reading.problems.append(f"mapping.{key} is no key of the mapping: set {_ELSEWHERE[key]}.")
        elif key not in _READERS:
            reading.unknown(shown(key), key, _READERS)
        elif (found := _READERS[key](reading, key, value)) is not None:
            changes[_ATTRIBUTES.get(key, key)] = found
    if reading.problems:
        count = len(reading.problems)
        raise ConfigurationError(
            f"The mapping has {count} problem{'s' if count > 1 else ''}: {' '.join(reading.problems)}",
            next_step="Mend them and run: snowload config check",
            problems=tuple(reading.problems),
        )
    return changes


def require_parent(rules: Mapping[str, object]) -> None:
    """Raises ConfigurationError when locations are to be made and nobody said where."""
    if rules["create_locations"] and not rules["location_parent"]:
        problem = "mapping.create_locations needs mapping.location_parent: the location below which new ones are put."
        raise ConfigurationError(
            f"The mapping has 1 problem: {problem}",
            next_step="Set location_parent to the sys_id or full name of a location.",
            problems=(problem,),
        )


def _choice(*options: str) -> _Reader:
    def reader(reading: _Reading, path: str, value: object) -> str | None:
        if isinstance(value, str) and value in options:
            return value
        reading.expected(path, f"one of {', '.join(options)}", value)
        return None

    return reader


def _text(reading: _Reading, path: str, value: object) -> str | None:
    if isinstance(value, str) and value.strip():
        return value.strip()
    reading.expected(path, "a text that is not empty", value)
    return None


def _sys_id(reading: _Reading, path: str, value: object) -> str | None:
    if isinstance(value, str) and (sys_id := parse_sys_id(value)) is not None:
        return sys_id
    reading.expected(path, "a sys_id: 32 hexadecimal digits", value)
    return None


def _flag(reading: _Reading, path: str, value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    reading.expected(path, "true or false", value)
    return None


def _amount(reading: _Reading, path: str, value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    reading.expected(path, "a number, 0 or more", value)
    return None


def _texts(reading: _Reading, path: str, value: object) -> tuple[str, ...] | None:
    if isinstance(value, (list, tuple)) and value and all(isinstance(entry, str) and entry for entry in value):
        return tuple(value)
    reading.expected(path, 'a list of texts: ["…", "…"]', value)
    return None


def _chain(reading: _Reading, path: str, value: object) -> Chain | None:
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names or not all(_is_class(name) for name in names):
        reading.expected(path, 'a class name or a list of them: "cmdb_ci_ip_switch"', value)
        return None
    return (*names,) if HARDWARE in names else (*names, HARDWARE)


def _is_class(name: object) -> bool:
    # Bare cmdb_ci has no identification rule (cmdb-model 1.2), and names of classes are plain words.
    return (
        isinstance(name, str) and name != "cmdb_ci" and name.isascii() and name.isidentifier() and name == name.lower()
    )


def _table(entry: _Reader, keys: Iterable[str] | None = None) -> _Reader:
    """A TOML table whose values all have one form; ``keys`` limits the names."""
    known = None if keys is None else tuple(keys)

    def reader(reading: _Reading, path: str, value: object) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            reading.expected(path, "a table", value)
            return None
        found: dict[str, Any] = {}
        for name, inner in value.items():
            inner_path = f"{path}.{shown(str(name))}"
            if known is not None and name not in known:
                reading.unknown(inner_path, str(name), known)
            elif (parsed := entry(reading, inner_path, inner)) is not None:
                found[str(name)] = parsed
        return found

    return reader


def _class_map(reading: _Reading, path: str, value: object) -> dict[str, Chain] | None:
    """Per kind or per model code."""
    found = _table(_chain)(reading, path, value)
    for name in found or ():
        if name not in KINDS and find_model(name, None) is None and not any(c.isdigit() or c.isupper() for c in name):
            reading.unknown(f"{path}.{shown(name)}", name, KINDS)
    return {name if name in KINDS else name.casefold(): chain for name, chain in found.items()} if found else None


def _location_map(reading: _Reading, path: str, value: object) -> dict[str, str] | None:
    found = _table(_text)(reading, path, value)
    return None if found is None else {name.casefold(): place for name, place in found.items()}


def _outlets(reading: _Reading, path: str, value: object) -> dict[str, str] | None:
    """Device → the PDU that feeds it, MAC addresses in any spelling."""
    found: dict[str, str] = {}
    for device, pdu in (_table(_text)(reading, path, value) or {}).items():
        ends = {name: normalize.mac12(name) for name in (device, pdu)}
        for name in (name for name, mac in ends.items() if mac is None):
            reading.expected(f"{path}.{shown(device)}", "a MAC address for the device and one for its PDU", name)
        if (mac := ends[device]) is not None and (upper := ends[pdu]) is not None:
            found[mac] = upper
    return found or None


def _extra_fields(reading: _Reading, path: str, value: object) -> dict[str, str] | None:
    found: dict[str, str] | None = _table(_choice(*SOURCES))(reading, path, value)
    taken = {rule.element for rule in reading.fields}
    for element in found or ():
        if element in NEVER_WRITTEN or element.startswith(("sys_", "life_cycle_")):
            reading.problems.append(f"mapping.{path}.{shown(element)} is never written: it belongs to people.")
        elif element in taken:
            reading.problems.append(f"mapping.{path}.{shown(element)} is mapped already; change it under fields.")
    return found


def _fields(reading: _Reading, path: str, value: object) -> tuple[FieldRule, ...] | None:
    """``[fields.ports] enabled = false`` or ``ownership = "once"``."""
    settings = {"enabled": _flag, "ownership": _choice(*Ownership)}
    elements = [rule.element for rule in reading.fields]
    found = _table(lambda r, p, v: _record(r, p, v, settings), elements)(reading, path, value) or {}
    kept = []
    for rule in reading.fields:
        change = found.get(rule.element, {})
        if change.get("enabled", True):
            kept.append(replace(rule, ownership=Ownership(change.get("ownership", rule.ownership))))
        elif rule.required:
            reading.problems.append(f"mapping.{path}.{rule.element} cannot be switched off: it is required.")
    return tuple(kept)


def _record(reading: _Reading, path: str, value: object, settings: Mapping[str, _Reader]) -> dict[str, Any] | None:
    """A TOML table with named settings, each of its own form."""
    if not isinstance(value, Mapping):
        reading.expected(path, f"a table with {', '.join(settings)}", value)
        return None
    found: dict[str, Any] = {}
    for name, inner in value.items():
        inner_path = f"{path}.{shown(str(name))}"
        if name not in settings:
            reading.unknown(inner_path, str(name), settings)
        elif (parsed := settings[name](reading, inner_path, inner)) is not None:
            found[name] = parsed
    return found


def _models(reading: _Reading, path: str, value: object) -> dict[str, Model] | None:
    """``[models.USWX1] name = "USW-X1", kind = "switch"``."""
    settings = {"name": _text, "kind": _choice(*KINDS)}
    found = _table(lambda r, p, v: _record(r, p, v, settings))(reading, path, value) or {}
    models: dict[str, Model] = {}
    for code, entry in found.items():
        if {"name", "kind"} <= entry.keys():
            models[spelling(code)] = Model(sku=entry["name"], kind=entry["kind"], codes=(code,))
        elif isinstance(value, Mapping) and isinstance(value.get(code), Mapping):
            reading.expected(f"{path}.{shown(code)}", "a table with both name and kind", dict(value[code]))
    return models


def _relation_types(reading: _Reading, path: str, value: object) -> dict[RelationRole, tuple[RelationType, ...]] | None:
    """Lists of type names; a name that begins with ``reversed `` has the upper end as parent."""
    found = _table(_texts, RelationRole)(reading, path, value)
    if found is None:
        return None
    return {
        RelationRole(role): tuple(_relation_type(reading, f"{path}.{role}", n) for n in names)
        for role, names in found.items()
    }


def _relation_type(reading: _Reading, path: str, name: str) -> RelationType:
    bare = name.removeprefix("reversed ")
    if "::" not in bare:
        reading.expected(path, "names like 'Connects to::Connected by'", name)
    return RelationType(name=bare, reversed=bare != name)


_READERS: Mapping[str, _Reader] = {
    "gateway_class": _choice("router", "firewall"),
    "class_map": _class_map,
    "client_class_map": _table(_chain, CLIENT_CHAINS),
    "location_map": _location_map,
    "location_follows_source": _flag,
    "create_locations": _flag,
    "location_parent": _text,
    "create_manufacturer": _flag,
    "create_models": _flag,
    "company": _text,
    "manufacturer": _sys_id,
    "manufacturer_names": _texts,
    "groups": _table(_text, GROUP_ELEMENTS),
    "outlets": _outlets,
    "write_adapters": _flag,
    "heartbeat_hours": _amount,
    "extra_fields": _extra_fields,
    "fields": _fields,
    "models": _models,
    "relation_types": _relation_types,
    "on_manual_change": _choice("keep", "overwrite"),
}

_ELSEWHERE: Mapping[str, str] = {"clients_mode": "clients.mode", "client_minimum_days": "clients.minimum_days"}
"""What the rules hold too, but is set in another section."""

_ATTRIBUTES: Mapping[str, str] = {"client_class_map": "client_chains"}
"""Where a key's name and the attribute's differ."""

KEYS: tuple[str, ...] = tuple(_READERS)
"""The keys of the document, for documentation."""
