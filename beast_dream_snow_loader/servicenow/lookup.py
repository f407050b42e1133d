"""What a run needs of the instance besides classes and reference rows: relation types and status choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.core.mapping_tables import LABELS, LIFE_CYCLE_ENDED, LIFE_CYCLE_RUNNING
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import UNREADABLE, Reader
from beast_dream_snow_loader.servicenow.registration import DISCOVERY_SOURCE, unregistered
from beast_dream_snow_loader.servicenow.rows import Row

_BELIEVED_TYPES = frozenset(
    {"Connects to::Connected by", "IP Connection::IP Connection", "Managed by::Manages", "Owns::Owned by"}
)
"""Base types (cmdb-model 3), for an account that may not read cmdb_rel_type."""

_BELIEVED_CHOICES = {
    f"{element}.{label}": value for element, labels in LABELS.items() for label, value in labels.items()
}


def relation_types(reader: Reader, wished: Iterable[str]) -> tuple[frozenset[str], tuple[Finding, ...]]:
    """Those of the wished types that exist, each under one name only: IRE refuses a name that two rows carry.

    An empty table means "no rights" more often than "no types" (servicenow-api 6.1), so base types are believed then.
    """
    wanted = frozenset(wished)
    if not wanted:
        return frozenset(), ()
    try:
        rows = reader.rows(TableRead(table="cmdb_rel_type", query=Query(), fields=("name",)))
    except UNREADABLE as error:
        return wanted & _BELIEVED_TYPES, (unreadable("cmdb_rel_type", error.message),)
    names = [row.get("name", "") for row in rows]
    if not any(names):
        return wanted & _BELIEVED_TYPES, (unreadable("cmdb_rel_type", "It shows no row."),)
    doubled = sorted(name for name in wanted if names.count(name) > 1)
    message = "Two relation types are named {}: it is not used. Remove one of the rows in cmdb_rel_type."
    findings = tuple(_finding("relation_type.doubled", Severity.WARNING, message.format(name)) for name in doubled)
    return (wanted & frozenset(names)) - frozenset(doubled), findings


def choices(reader: Reader, source: str) -> tuple[Mapping[str, str], tuple[Finding, ...], str]:
    """``<element>.<label>`` to stored value for the status fields, exactly as the instance has it (a label it lacks is
    not in the answer); the usual numbers for a field of which no label can be read. Last, the discovery source where
    the instance does not know it: that is a choice too."""
    try:
        rows = _choice_rows(reader, (*LABELS, DISCOVERY_SOURCE))
    except UNREADABLE as error:
        return _BELIEVED_CHOICES, (_choices_unreadable(error.message),), ""
    told = _by_label(row for row in rows if row.get("element") in LABELS)
    unknown = unregistered([row for row in rows if row.get("element") == DISCOVERY_SOURCE], source)
    silent = {element for element in LABELS if not any(choice.startswith(f"{element}.") for choice in told)}
    believed = {choice: value for choice, value in _BELIEVED_CHOICES.items() if choice.partition(".")[0] in silent}
    findings = (_choices_unreadable("It shows no usable row."),) if silent else ()
    return {**believed, **told}, findings, unknown


def life_cycle(reader: Reader) -> Mapping[str, str]:
    """As :func:`choices`, for the CSDM life cycle: what the instance shows of it, and nothing else.

    Choices on some releases, on others rows of a table of the field's own name (cmdb-model 1.3, believed); a label that
    several rows have is left out.
    """
    labels = {element: [LIFE_CYCLE_ENDED[element], LIFE_CYCLE_RUNNING[element]] for element in LIFE_CYCLE_ENDED}
    try:
        told = _by_label(_choice_rows(reader, labels))
        for element in labels:
            if not any(choice.startswith(f"{element}.") for choice in told):
                told |= _named(reader, element, labels[element])
    except UNREADABLE:
        return {}
    return told


def _named(reader: Reader, element: str, labels: Iterable[str]) -> dict[str, str]:
    """One small read per label: a label holds blanks, which IN does not take."""
    found: dict[str, str] = {}
    for label in labels:
        read = TableRead(table=element, query=Query().equals("name", label), fields=("sys_id", "name"))
        ids = [row["sys_id"] for row in reader.rows(read) if row.get("sys_id")]
        found |= {f"{element}.{label}": ids[0]} if len(ids) == 1 else {}
    return found


def _choice_rows(reader: Reader, elements: Iterable[str]) -> list[Row]:
    """The choices of these fields of cmdb_ci."""
    query = Query().equals("name", "cmdb_ci").is_in("element", elements)
    fields = ("name", "element", "label", "value", "inactive")
    return reader.rows(TableRead(table="sys_choice", query=query, fields=fields))


def _by_label(rows: Iterable[Row]) -> dict[str, str]:
    return {
        f"{row['element']}.{row['label']}": row["value"]
        for row in rows
        if row.get("label") and row.get("value") and row.get("inactive") != "true"
    }


def unreadable(table: str, why: str) -> Finding:
    """The finding for a table that is closed to the account."""
    message = f"The table {table} cannot be read, so what depends on it is assumed or left out. {why}"
    return _finding(f"facts.{table}_unreadable", Severity.WARNING, message)


def _choices_unreadable(why: str) -> Finding:
    message = f"The labels of the status fields cannot be read (sys_choice); the usual numbers are used. {why}"
    return _finding("facts.choices_unreadable", Severity.INFO, message)


def _finding(rule: str, severity: Severity, message: str) -> Finding:
    return Finding(record="instance", rule=rule, severity=severity, message=message)
