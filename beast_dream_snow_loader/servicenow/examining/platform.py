"""How the instance is set: properties, relation types, status choices, rules about who may write what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from beast_dream_snow_loader.core.checkup import Check, Evidence, fail, ok, unknown, warn
from beast_dream_snow_loader.core.desired import RelationRole
from beast_dream_snow_loader.core.mapping_tables import LABELS, RelationType
from beast_dream_snow_loader.core.shown import shown
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.servicenow import lookup
from beast_dream_snow_loader.servicenow.examining.instance import GUIDE, Instance
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import UNREADABLE
from beast_dream_snow_loader.servicenow.rows import Row

_ENGINE = "glide.identification_engine."
DYNAMIC = f"{_ENGINE}dynamic_ire_enabled"
SKIP_DUPLICATES = f"{_ENGINE}skip_duplicates"
THRESHOLD = f"{_ENGINE}skip_duplicates.threshold"
REL_SOURCE = f"{_ENGINE}populate_sys_rel_source"
INVALID_QUERY = "glide.invalid_query.returns_no_rows"
_Tell = Callable[[str, str, list[tuple[str, Row]]], Check]
_NOT_READABLE = "not readable (sys_properties shows no row)"
_ASK = f"Ask an administrator for {{}}, or give the account a read rule on it ({GUIDE}, Properties)."


def properties(instance: Instance) -> Iterator[Check]:
    """The system properties that change what a load does."""
    names = (DYNAMIC, SKIP_DUPLICATES, THRESHOLD, REL_SOURCE, INVALID_QUERY)
    told = instance.properties(*names)
    if not told:
        evidence = Evidence(point=10, holds=None, says="dynamic IRE: sys_properties shows no row")
        yield unknown(_NOT_READABLE, _ASK.format(DYNAMIC), DYNAMIC, evidence)
        for name in (SKIP_DUPLICATES, REL_SOURCE):
            yield unknown(_NOT_READABLE, _ASK.format(name), name)
        return
    yield _dynamic(told)
    yield _duplicates(told)
    yield ok("edges carry their source" if told.get(REL_SOURCE) == "true" else "off: edges carry no source, and only "
             "those in our ledger are ever removed", REL_SOURCE)  # fmt: skip
    yield ok(told.get(INVALID_QUERY, "false"), INVALID_QUERY)


def _dynamic(told: Mapping[str, str]) -> Check:
    if told.get(DYNAMIC, "false") != "true":
        return ok("off: the Hardware Rule decides", DYNAMIC, Evidence(point=10, holds=True, says="dynamic IRE is off"))
    says = "dynamic IRE is on: how it treats names is not known, every new device is simulated first"
    fix = "Look at the first plan with snowload load --dry-run before writing; report a match by name that is wrong."
    return warn(says, fix, DYNAMIC, Evidence(point=10, holds=None, says=says))


def _duplicates(told: Mapping[str, str]) -> Check:
    threshold = told.get(THRESHOLD, "5")
    if told.get(SKIP_DUPLICATES, "true") == "true":
        return ok(f"on, up to {threshold} duplicates: the oldest is taken", SKIP_DUPLICATES)
    fix = f"Set {SKIP_DUPLICATES} to true, or merge duplicates before loading: each of them stops its device."
    return warn("off: a device with duplicates in the CMDB is refused", fix, SKIP_DUPLICATES)


def relation_types(instance: Instance) -> Iterator[Check]:
    """Which type each edge gets, and which were passed over."""
    wished = {kind.name for kinds in instance.rules.relation_types.values() for kind in kinds} | {"Owns::Owned by"}
    there, findings = lookup.relation_types(instance.reader, wished)
    readable = not any(finding.rule == "facts.cmdb_rel_type_unreadable" for finding in findings)
    for finding in findings:
        yield warn(
            finding.message, f"Give the account a read rule on cmdb_rel_type ({GUIDE}, Tables).", "cmdb_rel_type"
        )
    for role, kinds in instance.rules.relation_types.items():
        yield _role(role, kinds, there, readable=readable)


def _role(role: RelationRole, kinds: tuple[RelationType, ...], there: frozenset[str], *, readable: bool) -> Check:
    taken = next((kind for kind in kinds if kind.name in there), None)
    evidence = tuple(_points(role, kinds, there, readable=readable))
    if taken is None:
        names = " or ".join(kind.name for kind in kinds)
        line = fail("none of its types is there: no such edge is drawn", f"Add the relation type {names}.", role)
        return _with(line, evidence)
    drawn = f"{taken.name}{', reversed' if taken.reversed else ''}"
    if taken is kinds[0]:
        return ok(drawn if readable else f"{drawn} (assumed)", role, *evidence)
    fix = f"Add the base type {kinds[0].name} in cmdb_rel_type if it was deleted; the fallback says the same."
    return warn(f"{drawn}; {kinds[0].name} is not there", fix, role, *evidence)


def _points(
    role: RelationRole, kinds: tuple[RelationType, ...], there: frozenset[str], *, readable: bool
) -> Iterator[Evidence]:
    """Open points 4 and 5: which of the pair is base, and whether Connects to is there at all."""
    point = 5 if role is RelationRole.UPLINK else 4
    present = [kind.name for kind in kinds if kind.name in there]
    if not readable:
        yield Evidence(point=point, holds=None, says="cmdb_rel_type is not readable")
    else:
        says = f"there are: {', '.join(present)}" if present else "none of the types is there"
        yield Evidence(point=point, holds=kinds[0].name in there, says=says)


def _with(line: Check, evidence: tuple[Evidence, ...]) -> Check:
    return replace(line, evidence=evidence)


def status_choices(instance: Instance) -> Iterator[Check]:
    """The labels that are written, as the instance spells and numbers them (cmdb-model 1.4)."""
    told, findings, _ = lookup.choices(instance.reader, instance.settings.data_source)
    if findings:
        fix = f"Give the account a read rule on sys_choice ({GUIDE}, Tables)."
        yield unknown(findings[0].message, fix)
        return
    for element, labels in LABELS.items():
        for label, usual in labels.items():
            yield _label(element, label, usual, told.get(f"{element}.{label}"))


def _label(element: str, label: str, usual: str, stored: str | None) -> Check:
    subject = f"{element} {label}"
    if stored is None:
        row = f"name=cmdb_ci, element={element}, value={usual}, label={label}, language=en, inactive=false"
        return warn("there is no such choice: the field is left out", f"Add to sys_choice: {row}", subject)
    if stored != usual:
        fix = "Nothing to do: the label decides. See only that reports use the same number."
        return warn(f"is {stored} here, {usual} elsewhere", fix, subject)
    return ok(f"is {stored}", subject)


def write_rules(instance: Instance) -> Iterator[Check]:
    """Rules that keep our source from inserting or from writing fields, where the account may see them."""
    yield from _listed(instance, "cmdb_ire_data_source_rule", ("cmdb_class", "applies_to"), _blocked)
    yield from _listed(instance, "cmdb_reconciliation_definition", ("applies_to", "cmdb_class"), _preferred)


def _listed(instance: Instance, table: str, classes: tuple[str, ...], tell: _Tell) -> Iterator[Check]:
    fields = (*classes, "data_source", "discovery_source", "attributes", "priority", "active")
    try:
        rows = instance.rows(table, Query(), *fields)
    except UNREADABLE as error:
        yield _unreadable(table, error)
        return
    live = [row for row in rows if row.get("active") != "false"]
    yield tell(instance.settings.data_source, table, [(_first(row, classes), row) for row in live])


def _first(row: Row, names: tuple[str, ...]) -> str:
    return next((row[name] for name in names if row.get(name)), "every class")


def _unreadable(table: str, error: SnowloadError) -> Check:
    fix = f"Give the account a read rule on {table} ({GUIDE}, Tables), or ask an administrator which rules name us."
    return unknown(f"not readable: {error.message}", fix, table)


def _blocked(source: str, table: str, rows: list[tuple[str, Row]]) -> Check:
    ours = sorted(name for name, row in rows if source in (row.get("data_source"), row.get("discovery_source")))
    if not ours:
        return ok(f"none of {len(rows)} rules blocks {source}" if rows else "no rule", table)
    fix = "Remove the rule, or send these kinds elsewhere by class_map: a block is right on classes others own."
    return warn(f"{source} may not insert into {', '.join(ours)}", fix, table)


def _preferred(source: str, table: str, rows: list[tuple[str, Row]]) -> Check:
    if not rows:
        return ok("no rule: the last writer wins", table)
    ours = [name for name, row in rows if source in (row.get("data_source"), row.get("discovery_source"))]
    told = ", ".join(sorted({shown(name, 60) for name, _ in rows}))
    if ours:
        return ok(f"{len(rows)} rules ({told}), {len(ours)} of them name {source}", table)
    fix = f"Add rules for {source} where it is to win (firmware_version, location); fields kept back are reported."
    return warn(f"{len(rows)} rules ({told}), none names {source}: fields they guard stay with the others", fix, table)
