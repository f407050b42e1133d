"""What an instance lacks for a record, told with the way to mend it."""

from __future__ import annotations

from beast_dream_snow_loader.core.desired import ConfigItem, Reference, RelationRole
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.mapping_tables import STORE_APP, STORE_CLASSES, RelationType
from beast_dream_snow_loader.core.shown import shown


def no_class(item: ConfigItem, reasons: str) -> Finding:
    message = (
        f"No class of this instance can take a {item.kind} ({shown(reasons, 300)}). Held until one can: mend the "
        "class, name another under mapping.class_map, or switch on servicenow.base_class_fallback."
    )
    return Finding(record=str(item.key), rule="class.none", severity=Severity.ERROR, message=message)


def class_unasked(item: ConfigItem) -> Finding:
    """While the instance is away, a worse class is not chosen for want of an answer: the CI would keep it."""
    message = (
        f"Which class takes a {item.kind} was never asked of this instance, and it is away: the record waits for the "
        "first load that reaches it."
    )
    return Finding(record=str(item.key), rule="class.unasked", severity=Severity.WARNING, message=message)


def other_class(item: ConfigItem, chosen: str, reasons: str) -> Finding:
    message = f"Records of kind {item.kind} go to {chosen} ({shown(reasons, 300)})."
    before = item.class_chain[: item.class_chain.index(chosen)] if chosen in item.class_chain else item.class_chain
    if missing := [name for name in before if name in STORE_CLASSES]:
        message += f" {', '.join(missing)} would come with the Store app {STORE_APP}."
    return Finding(record="instance", rule="class.fallback", severity=Severity.WARNING, message=message, value=chosen)


def unresolved(reference: Reference) -> Finding:
    what = reference.called
    message = f"{reference.table} has no single row for {what}: {reference.element} stays empty until there is one."
    if reference.sys_id:
        message = (
            f"{reference.table} has no row {reference.sys_id} that could be the {what}: {reference.element} stays "
            "empty. Correct the sys_id in the [mapping] settings."
        )
    return Finding(
        record="instance",
        rule="reference.unresolved",
        severity=Severity.WARNING if reference.sys_id else Severity.INFO,
        message=message,
        field=reference.element,
        value=what,
    )


def no_choice(element: str, label: str) -> Finding:
    message = f"{element} has no choice {label} on this instance: the field is left out. Add it to sys_choice."
    return Finding(record="instance", rule="choice.absent", severity=Severity.WARNING, message=message, field=element)


def no_field(class_name: str, element: str) -> Finding:
    message = f"{class_name} has no field {element}: it is left out there, until the class has it."
    return Finding(record="instance", rule="field.absent", severity=Severity.INFO, message=message, field=element)


def identifier_too_long(item: ConfigItem, element: str, value: str, limit: int) -> Finding:
    return Finding(
        record=str(item.key),
        rule="field.too_long",
        severity=Severity.ERROR,
        message=(
            f"{element} identifies the record and is {len(value)} characters long, {limit} may be: it is left out. "
            "Shorten it in UniFi, or let the field be longer in sys_dictionary."
        ),
        field=element,
        value=shown(value, 60),
    )


def demanded(class_name: str, elements: list[str]) -> Finding:
    message = (
        f"{class_name} demands {', '.join(elements)}, for which there is no value: inserts may be refused. Give it one "
        "under [mapping.extra_fields], or let the field be empty in sys_dictionary."
    )
    return Finding(record="instance", rule="field.mandatory", severity=Severity.WARNING, message=message)


def no_type(role: RelationRole, offered: tuple[RelationType, ...]) -> Finding:
    names = ", ".join(kind.name for kind in offered)
    message = (
        f"This instance has none of the relation types {names}: no {role} edges are drawn. Restore one in "
        "cmdb_rel_type under exactly this name, or name another under mapping.relation_types."
    )
    return Finding(record="instance", rule="relation.type_absent", severity=Severity.WARNING, message=message)


def cut(item: ConfigItem, element: str, limit: int) -> Finding:
    message = f"{element} was cut to the {limit} characters that {item.label or item.key} may have there."
    return Finding(record=str(item.key), rule="field.cut", severity=Severity.WARNING, message=message, field=element)
