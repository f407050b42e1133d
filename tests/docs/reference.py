"""The pages of docs/reference that are made from the code. ``python -m tests.docs.reference --write`` rewrites them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticUndefined

from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.variables import COMMON, ONE_CONSOLE
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.kinds import KIND_RULES
from beast_dream_snow_loader.core.mapping_rules import MappingRules
from beast_dream_snow_loader.core.models import MODELS
from beast_dream_snow_loader.core.saved_plan import SavedPlan

PLACE = Path(__file__).resolve().parents[2] / "docs" / "reference"
COMMANDS = (
    (),
    ("load",),
    ("plan",),
    ("explain",),
    ("validate",),
    ("health",),
    ("doctor",),
    ("report",),
    ("replay-queue",),
    ("runs", "list"),
    ("runs", "show"),
    ("config", "show"),
    ("config", "check"),
    ("config", "init"),
    ("sandbox",),
)


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(list(heads))}"]
    lines += [f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def exit_codes() -> str:
    rows = [(int(code), code.name.lower(), code.meaning) for code in ExitCode]
    health = "`snowload health` uses the monitoring convention instead: 0 healthy, 1 degraded, 2 unhealthy, 3 unknown."
    return f"# Exit codes\n\n{table(('code', 'name', 'meaning'), rows)}\n\n{health}\n"


def settings() -> str:
    rows: list[tuple[object, ...]] = []
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            rows += [
                (f"`{name}.{leaf}`", f"`SNOWLOAD_{name.upper()}__{leaf.upper()}`", _default(inner.default))
                for leaf, inner in section.model_fields.items()
            ]
        elif name not in ("environment", "mapping"):
            rows.append((f"`{name}`", f"`SNOWLOAD_{name.upper()}`", _default(field.default)))
    common = [(f"`{variable}`", f"`{path}`") for variable, path in COMMON.items()]
    common += [(f"`{variable}`", f"`{key}` of one entry of `unifi.consoles`") for variable, key in ONE_CONSOLE.items()]
    return (
        "# Settings\n\nPrecedence, leaf by leaf: flag, environment variable, the file of `--config` or "
        "`SNOWLOAD_CONFIG`, `<environment>.toml` and `base.toml` of the user and of the installation, default. "
        "The environment itself comes from `--env` or `BEAST_ENVIRONMENT` and is never guessed.\n\n"
        f"{table(('setting', 'variable', 'default'), rows)}\n\n"
        "## Variables with the names people expect\n\n"
        f"{table(('variable', 'setting'), common)}\n"
    )


def _default(value: object) -> str:
    if value is PydanticUndefined or value is None:
        return ""
    if isinstance(value, tuple) and not value:
        return "none"
    return f"`{value}`"


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


def mapping() -> str:
    rules = MappingRules()
    chains = [(kind, " → ".join(f"`{name}`" for name in chain)) for kind, chain in rules.class_chains.items()]
    clients = [(kind, " → ".join(f"`{name}`" for name in chain)) for kind, chain in rules.client_chains.items()]
    fields = [
        (rule.source, f"`{rule.element}`", rule.ownership.value, "yes" if rule.required else "no")
        for rule in rules.fields
    ]
    edges = [
        (role.value, ", ".join(f"`{kind.name}`{' reversed' if kind.reversed else ''}" for kind in kinds))
        for role, kinds in rules.relation_types.items()
    ]
    kinds = [(rule.kind, "; ".join(f"`{line}`" for line in rule.any_of if line) or "the rest") for rule in KIND_RULES]
    models = [(", ".join(f"`{code}`" for code in model.codes), model.sku, model.kind) for model in MODELS]
    return (
        "\n\n".join(
            (
                "# Mapping",
                "The `[mapping]` table of a settings file changes these tables; `snowload config check` reads it.",
                "## Kinds\n\nThe first line that applies wins. Words: `model:` what the model table says, "
                "`feature:` what the APIs showed, `type:` the controller's type, `line:` the product line; "
                "`!` means without.",
                table(("kind", "recognised by"), kinds),
                "## Classes of devices\n\nThe first that exists, is hardware and has an active independent rule.",
                table(("kind", "chain"), chains),
                _CLIENTS,
                '## Classes of clients\n\nOnly with `clients.mode = "create"`.',
                table(("category", "chain"), clients),
                "## Fields\n\n`always`: follows UniFi. `ours`: on CIs that snowload created, elsewhere only where "
                "empty. `once`: at insert.",
                table(("UniFi", "element", "written", "required"), fields),
                _ROWS.format(options=table(("option", "makes, where there is no row"), _MAKING)),
                "## Relations\n\nThe first type that the instance has.",
                table(("edge", "types"), edges),
                "`powered_by` is drawn only from a map by hand, device to PDU, both by MAC address:",
                '```toml\n[mapping.outlets]\n"00:00:5e:00:53:05" = "00:00:5e:00:53:09"\n```',
                "With `write_adapters = true` under `[mapping]` the management adapter of each device goes as an item "
                "of its own with `Owns::Owned by`, otherwise as a lookup.",
                "## Never written\n\n" + ", ".join(f"`{name}`" for name in sorted(rules.never_written)),
                f"## Models\n\n{len(models)} codes.",
                table(("code", "product", "kind"), models),
            )
        )
        + "\n"
    )


def commands() -> str:
    parts = ["# Commands\n"]
    for command in COMMANDS:
        shown = " ".join(("snowload", *command))
        done = subprocess.run(
            [sys.executable, "-m", "beast_dream_snow_loader", *command, "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={"COLUMNS": "100", "PATH": "", "LANG": "C.UTF-8"},
        )
        text = done.stdout.replace("python -m beast_dream_snow_loader", "snowload").strip()
        parts.append(f"## {shown}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def plan_schema() -> str:
    """The part of a saved plan that is carried out is described by the values themselves."""
    schema = json.loads((PLACE / PLAN_SCHEMA).read_text(encoding="utf-8"))
    made = TypeAdapter(SavedPlan).json_schema(mode="serialization", ref_template="#/$defs/{model}")
    schema["$defs"] = made.pop("$defs")
    schema["properties"]["apply"] = {
        **made,
        "description": "What load --plan carries out, and every CI as it was seen.",
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


PLAN_SCHEMA = "../../beast_dream_snow_loader/schemas/plan.schema.json"
PAGES: Mapping[str, Callable[[], str]] = {
    "exit-codes.md": exit_codes,
    "settings.md": settings,
    "mapping.md": mapping,
    "commands.md": commands,
    PLAN_SCHEMA: plan_schema,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or say which differ."""
    stale = [name for name, made in PAGES.items() if not _same(name, made())]
    if "--write" in arguments:
        for name in stale:
            (PLACE / name).write_text(PAGES[name](), encoding="utf-8")
        return 0
    sys.stdout.write("\n".join(stale) + "\n")
    return 1 if stale else 0


def _same(name: str, text: str) -> bool:
    file = PLACE / name
    return file.is_file() and file.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
