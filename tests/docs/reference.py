"""The pages of docs/reference that are made from the code. ``python -m tests.docs.reference --write`` rewrites them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticUndefined

from beast_dream_snow_loader.app.breaker_config import BreakerSettings
from beast_dream_snow_loader.app.config import Settings
from beast_dream_snow_loader.app.variables import COMMON, ONE_CONSOLE
from beast_dream_snow_loader.core.exit_codes import ExitCode
from beast_dream_snow_loader.core.measures import COMMON as COMMON_LABELS
from beast_dream_snow_loader.core.measures import MEASURES
from beast_dream_snow_loader.core.saved_plan import SavedPlan
from beast_dream_snow_loader.operations.log_events import ENVELOPE, EVENTS
from tests.commands import every_command
from tests.docs.mapping_page import mapping
from tests.docs.tables import table

PLACE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def exit_codes() -> str:
    rows = [(int(code), code.name.lower(), code.meaning) for code in ExitCode]
    health = "`snowload health` uses the monitoring convention instead: 0 healthy, 1 degraded, 2 unhealthy, 3 unknown."
    step = "Whatever error ends a command, the last line on stderr (`error.next_step`) names the command to go on with."
    return f"# Exit codes\n\n{table(('code', 'name', 'meaning'), rows)}\n\n{health}\n\n{step}\n"


def settings() -> str:
    rows: list[tuple[object, ...]] = []
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            rows += [
                (f"`{name}.{leaf}`", f"`SNOWLOAD_{name.upper()}__{leaf.upper()}`", _default(inner.default))
                for leaf, inner in section.model_fields.items()
                if leaf != "by_name"
            ]
            if section is BreakerSettings:
                rows.append((f"`{name}.NAME.*`", f"`SNOWLOAD_{name.upper()}__NAME__*`", "as above: see breakers.md"))
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
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value)
    return f"`{value}`"


def events() -> str:
    rows = [
        (f"`{name}`", one.level.lower(), one.raised, one.meaning, ", ".join(f"`{value}`" for value in one.values))
        for name, one in EVENTS.items()
    ]
    return (
        "# Events of the log\n\nOne JSON object per line (see the guide, `docs/guides/log.md`). Within this major "
        "version events and values may be added; none is removed or renamed. A value under a name that is not listed "
        "here is written as `[hidden]`.\n\n"
        f"## On every line\n\n{table(('name', 'meaning'), [(f'`{name}`', text) for name, text in ENVELOPE.items()])}"
        f"\n\n## Events\n\n{table(('event', 'level', 'or', 'meaning', 'values'), rows)}\n"
    )


def metrics() -> str:
    common = ", ".join(f"`{label}`" for label in COMMON_LABELS)
    rows = [
        (f"`{one.name}`", one.type, one.unit, ", ".join(f"`{label}`" for label in one.labels), one.help)
        for one in MEASURES
    ]
    return (
        "# Metrics\n\nHow to have them collected is in the guide, `docs/guides/metrics.md`. Every series also has "
        f"{common}: the instance's host, or `sandbox`. A summary has the quantiles 0.5, 0.95 and 0.99. Within this "
        "major version metrics and values of labels may be added; none is removed, renamed or given other labels.\n\n"
        f"{table(('name', 'type', 'unit', 'labels', 'meaning'), rows)}\n"
    )


_HELP = """
import json, sys
from typer.main import get_command
from beast_dream_snow_loader.cli.main import app
commands = get_command(app)
for command in json.loads(sys.argv[1]):
    try:
        commands([*command, "--help"], prog_name="snowload")
    except SystemExit as ended:
        if ended.code:
            raise
        print(end="\\0")
"""


def commands() -> str:
    """All of them in one process of its own, in which nothing is known of the terminal."""
    every = [(), *every_command()]
    done = subprocess.run(
        [sys.executable, "-c", _HELP, json.dumps(every)],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "100", "PATH": "", "LANG": "C.UTF-8"},
    )
    parts = ["# Commands\n"]
    *texts, after = done.stdout.split("\0")
    assert not after
    for command, text in zip(every, texts, strict=True):
        parts.append(f"## {' '.join(('snowload', *command))}\n\n```text\n{text.strip()}\n```\n")
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
    "events.md": events,
    "metrics.md": metrics,
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
