"""What became of adapters that were sent as items of their own (cmdb-model 2.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from beast_dream_snow_loader.core.changes import ItemChange
from beast_dream_snow_loader.core.findings import Finding, Severity
from beast_dream_snow_loader.errors import SnowloadError
from beast_dream_snow_loader.servicenow.apis.ire_payload import Payload, colons
from beast_dream_snow_loader.servicenow.apis.ire_results import IreAnswer, Issue
from beast_dream_snow_loader.servicenow.apis.table import TableRead
from beast_dream_snow_loader.servicenow.query import Query
from beast_dream_snow_loader.servicenow.reading import Reader, chunks

_NOT_THERE = frozenset(
    {"IDENTIFICATION_RULE_MISSING", "METADATA_RULE_MISSING", "MISSING_DEPENDENCY", "DUPLICATE_RELATIONSHIP_TYPES"}
)
"""The instance takes no adapter in this way, whosever it is: a rule or the relation type is missing."""


def existing(reader: Reader, changes: Sequence[ItemChange]) -> dict[str, str]:
    """sys_ids of the management adapters that known CIs have, by record; none where they cannot be read."""
    owners = {str(change.known.sys_id): change for change in changes if change.known is not None}
    reads = [
        TableRead(
            table="cmdb_ci_network_adapter", query=Query().is_in("cmdb_ci", chunk), fields=("cmdb_ci", "mac_address")
        )
        for chunk in chunks(owners)
    ]
    rows = [row for answer in reader.many(reads) if not isinstance(answer, SnowloadError) for row in answer]
    mine = ((owners[row["cmdb_ci"]], row) for row in rows if row["cmdb_ci"] in owners)
    return {change.subject: row["sys_id"] for change, row in mine if row.get("mac_address") == colons(change.item.key)}


def refused(payload: Payload, answer: IreAnswer) -> Iterator[tuple[str, Issue]]:
    """Record and reason of each adapter that was refused though its device was written."""
    places = {change.subject: place for place, change in enumerate(payload.items)}
    for place, change in enumerate(payload.adapters):
        device = answer.items.get(places[change.subject])
        result = answer.items.get(len(payload.items) + place)
        if device is not None and device.written and result is not None and result.issues:
            yield change.subject, result.issue


def impossible(issue: Issue) -> bool:
    return issue.code in _NOT_THERE


def told(subject: str, issue: Issue) -> Finding:
    why = f"{issue.code}: {issue.message}".rstrip(": ")
    if impossible(issue):
        message = (
            f"The instance takes no adapters as items ({why}): they go as lookups for the rest of this run. Set "
            "mapping.write_adapters to false, or restore the dependent rule and the type Owns::Owned by."
        )
        return Finding(record="instance", rule="adapter.impossible", severity=Severity.WARNING, message=message)
    message = f"Its adapter was refused, the device itself is written ({why})."
    return Finding(record=subject, rule="adapter.refused", severity=Severity.WARNING, message=message)
