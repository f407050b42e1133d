"""An explanation for people: section by section, short lines, each decision with its rule."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from beast_dream_snow_loader.app.result import Result
from beast_dream_snow_loader.cli.tables import columns
from beast_dream_snow_loader.cli.wrapping import wrapped
from beast_dream_snow_loader.core.shown import age, shown

Told = Mapping[str, Any]
_LONGEST = 500


def render(result: Result) -> None:
    """The end of ``explain``."""
    if not result.body:
        return
    width = columns()
    for indent, text in _lines(result.body):
        for part in wrapped(" " * indent + shown(text, _LONGEST), width, indent + 4):
            sys.stdout.write(part + "\n")


def _lines(body: Told) -> Iterator[tuple[int, str]]:
    yield 0, f"{body['key']} (by {body['meant_by']})"
    for trouble in body["troubles"]:
        yield 0, f"from state only: {trouble['message']}"
    sections = (
        ("Fetch", _fetch(body["fetch"])),
        ("Mapping", _mapping(body["mapping"])),
        ("Identity", _identity(body["identity"])),
        ("Match", _match(body["match"])),
        ("Plan", _plan(body["plan"])),
        ("Fields: last written | UniFi | ServiceNow now", _fields(body["fields"])),
        ("Relations", _relations(body["relations"])),
        ("Presence", _presence(body["presence"])),
        ("Past writes", _writes(body["writes"])),
        ("Findings", (f"{f['message']}  [{f['rule']}]" for f in body["findings"])),
    )
    for title, lines in sections:
        yield 0, title
        told = [(2, text) for text in lines]
        yield from told or [(2, "none")]


def _fetch(fetch: Told | None) -> Iterator[str]:
    if fetch is None:
        yield "UniFi could not be read and there is no snapshot"
        return
    old = f", {age(fetch['stale_seconds'])} old" if fetch["stale_seconds"] is not None else ""
    yield f"read {fetch['read_at']}{old}  [{fetch['rule']}]"
    if fetch["shown"]:
        yield f"shown by {', '.join(fetch['apis']) or 'its console'}; console {fetch['console']}, site {fetch['site']}"
        yield f"{fetch['online']}, last seen {fetch['last_seen'] or 'not told'}"
        yield f"its console was read {'completely' if fetch['complete'] else 'incompletely'}"
    for read in fetch["incomplete"]:
        yield f"incomplete: {read['subject']} {read['site'] or ''}: {read['reason']}"


def _mapping(mapping: Told | None) -> Iterator[str]:
    if mapping is None:
        yield "not reached"
        return
    if not mapping["mapped"]:
        yield f"not mapped  [{mapping['rule']}]"
        return
    yield f"kind {mapping['kind']}, class {mapping['class'] or 'none'}"
    for step in mapping["chain"]:
        yield f"class {step['class']}: {'used' if step['usable'] else step['reason']}"
    for field in mapping["fields"]:
        yield _field(field)


def _field(field: Told) -> str:
    start = f"{field['field']:<20}"
    if field["value"] is None:
        return f"{start} left out: {field['why']}  [{field['rule']}]"
    return f"{start} {field['source']} {field['unifi'] or ''} -{field['transform']}-> {field['value']}"


def _identity(identity: Told) -> Iterator[str]:
    yield f"native key {identity['native_key']}, MAC {identity['mac']}"
    if identity["serial_number"]:
        yield f"serial number {identity['serial_number']}  [{identity['serial_rule']}]"
    for name in identity["name_forms"]:
        yield f"name form: {name}{' (tried)' if name in identity['names_tried'] else ''}"


def _match(match: Told) -> Iterator[str]:
    made = {True: ", created by snowload", False: ", there before snowload", None: ""}[match["created_by_us"]]
    yield f"{match['sys_id'] or 'no CI'} {match['class'] or ''}{made}  [{match['rule'] or 'not asked'}]"
    if match["held"]:
        yield f"held: {match['held']}"
        yield f"next: {match['next_step']}"
    for one in match["engine"]:
        found = ", ".join(one["sys_ids"]) or "nothing"
        yield f"engine asked as {one['name']}: {found} by {one['matched_by']} {one['entry'] or one['code']}"
        yield f"    {one['decision']}: {one['why']}  [{one['rule']}]"
    for one in match["candidates"]:
        yield f"candidate {one['sys_id']} {one['name']} ({one['class']}, serial {one['serial_number'] or 'none'})"


def _plan(plan: Told | None) -> Iterator[str]:
    if plan is None:
        yield "not reached"
        return
    yield f"{plan['change'] or 'nothing to write'}  [{plan['rule']}]"
    for field in plan["fields"]:
        old = f"{field['old']} → " if field["old"] is not None else ""
        yield f"{field['field']:<20} {old}{field['new']}  [{field['reason']}]"


def _fields(fields: list[Told]) -> Iterator[str]:
    for field in fields:
        three = " | ".join(
            str(field[name] if field[name] is not None else "-") for name in ("written", "unifi", "servicenow")
        )
        action = "send" if field["sent"] else "leave"
        yield f"{field['field']:<20} {three}"
        yield f"    {action}, owner {field['owner']}: {field['why']}  [{field['rule']}]"


def _relations(relations: list[Told]) -> Iterator[str]:
    for one in relations:
        kind = f" as {one['type']}" if one["type"] else ""
        since = f" since {one['drawn_at']}" if one["drawn_at"] else ""
        yield f"{one['edge']}{kind}{since}: {one['why']}  [{one['rule']}]"


def _presence(presence: Told | None) -> Iterator[str]:
    if presence is None:
        yield "never written by snowload"
        return
    yield f"last seen at console {presence['console']}, site {presence['site']}  [{presence['rule']}]"
    if presence["why"]:
        yield presence["why"]
    if presence["missing_since"]:
        yield f"missing since {presence['missing_since']}, in {presence['missing_reads']} complete reads"
    if presence["retired_at"]:
        yield f"retired {presence['retired_at']}"
    yield f"last written {presence['written_at'] or 'never'}"


def _writes(writes: list[Told]) -> Iterator[str]:
    for one in writes:
        what = ", ".join(one["fields"]) or one["subject"]
        said = f": {one['message'] or one['code']}" if one["message"] or one["code"] else ""
        yield f"{one['intended_at']} {one['run_id']} {one['change']} {one['outcome']} {one['operation']} ({what}){said}"
