"""docs/reference/mapping.md, made from the tables themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from beast_dream_snow_loader.core.kinds import KIND_RULES
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.mapping_tables import SOURCES, Chain
from beast_dream_snow_loader.core.models import MODELS
from beast_dream_snow_loader.core.rules_document import KEYS
from tests.docs.tables import table

RULES = MappingRules()

_CLIENTS = """## Clients

`clients.mode` is `off`, `link` or `create`.

- `link` draws the edge from the CI that another source made for the client to its switch or access point, and writes no
  field. The CI is the only one with the client's MAC address, its own or on a network adapter; with none or several no
  edge is drawn, and the report says how many. Only connected clients are linked; one that has left keeps its edge; one
  that roams is linked anew after two complete reads. An edge that was there already stays as it is, never removed.
- `create` makes a CI per client, named by its host name with the MAC address in brackets.

Left out in both: guests, VPN and Teleport clients, locally administered (randomised) MAC addresses, blocked clients,
devices that UniFi itself manages, and clients seen for less than `clients.minimum_days`."""

_ROWS = """## Reference rows

Locations, company, manufacturer, models and groups are looked up: a sys_id or name that the settings give, else the one
row that matches. No row, or several: the field stays empty and the report lists it once. A sys_id without a row is
told.

{options}

A row is looked up right before it is made, and again when the answer is lost. `--dry-run` says what would be made."""


_MAKING = (
    (
        "`create_locations`, `location_parent`",
        "a location named like the site, below the parent (sys_id, full name or name). Not for sites that "
        "`location_map` names, that share their name with another, or are called Default",
    ),
    ("`create_manufacturer`", "the company Ubiquiti, marked as manufacturer"),
    (
        "`create_models`",
        "a hardware model with its manufacturer; the model category is left to you, since it decides whether assets "
        "appear",
    ),
)

_KEYS = (
    ("gateway_class", "`router` or `firewall`", "what gateways are first tried as"),
    ("class_map", "kind or model code → class, or a list", "classes to try before those below"),
    ("client_class_map", "category → class, or a list", "the same for clients"),
    ("location_map", "site → sys_id or full name", "the location of a site"),
    ("location_follows_source", "true, false", "a device that moves to another site gets that site's location"),
    ("create_locations", "true, false", "see Reference rows"),
    ("location_parent", "sys_id, full name or name", "see Reference rows"),
    ("create_manufacturer", "true, false", "see Reference rows"),
    ("create_models", "true, false", "see Reference rows"),
    ("company", "sys_id or name", "the company that owns the devices"),
    ("manufacturer", "sys_id", "the company row of the manufacturer, where its name does not tell"),
    ("manufacturer_names", "list of names", "names under which the manufacturer is looked for"),
    ("groups", "`support_group`, `managed_by_group`, `owned_by` → sys_id or name", "set once, at insert"),
    ("outlets", "device → PDU, both by MAC address", "edges drawn by hand"),
    ("write_adapters", "true, false", "see Relations"),
    ("heartbeat_hours", "hours", "how often the sign of life of unchanged CIs is written; 0: by every load"),
    ("extra_fields", "element → what it takes its value from", "further fields, also `u_` ones; sources below"),
    ("fields", "element → `enabled` (true, false), `ownership`", "changes to the table of fields"),
    ("models", "code → `name` and `kind`", "products that the table does not know yet"),
    ("relation_types", "edge → list of names", "types to look for; `reversed Name::Name` turns the edge round"),
    ("on_manual_change", "`keep` or `overwrite`", "what becomes of values that a person changed in ServiceNow"),
)


def _keys() -> str:
    missing = set(KEYS) ^ {key for key, _, _ in _KEYS}
    assert not missing, f"the keys of [mapping] and their description differ: {missing}"
    sources = ", ".join(f"`{source}`" for source in SOURCES)
    return f"## Keys\n\n{table(('key', 'value', 'means'), _KEYS)}\n\n`extra_fields` take their value from: {sources}."


def mapping() -> str:
    """The page, its parts in order."""
    return "\n\n".join((*_classes(), *_values(), *_edges(), *_models())) + "\n"


def _chains(chains: Mapping[str, Chain]) -> list[tuple[str, str]]:
    return [(kind, " → ".join(f"`{name}`" for name in chain)) for kind, chain in chains.items()]


def _classes() -> Iterator[str]:
    kinds = [(rule.kind, "; ".join(f"`{line}`" for line in rule.any_of if line) or "the rest") for rule in KIND_RULES]
    yield "# Mapping"
    yield "The `[mapping]` table of a settings file changes these tables; `snowload config check` reads it."
    yield _keys()
    yield (
        "## Kinds\n\nThe first line that applies wins. Words: `model:` what the model table says, `feature:` what the "
        "APIs showed, `type:` the controller's type, `line:` the product line; `!` means without."
    )
    yield table(("kind", "recognised by"), kinds)
    yield "## Classes of devices\n\nThe first that exists, is hardware and has an active independent rule."
    yield table(("kind", "chain"), _chains(RULES.class_chains))
    yield _CLIENTS
    yield '## Classes of clients\n\nOnly with `clients.mode = "create"`.'
    yield table(("category", "chain"), _chains(RULES.client_chains))


def _values() -> Iterator[str]:
    fields = [
        (rule.source, f"`{rule.element}`", rule.ownership.value, "yes" if rule.required else "no")
        for rule in RULES.fields
    ]
    yield (
        "## Fields\n\n`always`: follows UniFi. `ours`: on CIs that snowload created, elsewhere only where empty. "
        "`once`: at insert."
    )
    yield table(("UniFi", "element", "written", "required"), fields)
    yield _ROWS.format(options=table(("option", "makes, where there is no row"), _MAKING))


def _edges() -> Iterator[str]:
    edges = [
        (role.value, ", ".join(f"`{kind.name}`{' reversed' if kind.reversed else ''}" for kind in kinds))
        for role, kinds in RULES.relation_types.items()
    ]
    yield "## Relations\n\nThe first type that the instance has."
    yield table(("edge", "types"), edges)
    yield "`powered_by` is drawn only from a map by hand, device to PDU, both by MAC address:"
    yield '```toml\n[mapping.outlets]\n"00:00:5e:00:53:05" = "00:00:5e:00:53:09"\n```'
    yield (
        "With `write_adapters = true` under `[mapping]` the management adapter of each device goes as an item of its "
        "own with `Owns::Owned by`, otherwise as a lookup."
    )
    yield "## Never written\n\n" + ", ".join(f"`{name}`" for name in sorted(RULES.never_written))


def _models() -> Iterator[str]:
    models = [(", ".join(f"`{code}`" for code in model.codes), model.sku, model.kind) for model in MODELS]
    yield f"## Models\n\n{len(models)} codes."
    yield table(("code", "product", "kind"), models)
