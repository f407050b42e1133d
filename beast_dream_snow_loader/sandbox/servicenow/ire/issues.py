"""What the engine refuses with: codes and the product's own message patterns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PARTIAL_CODES: Final = frozenset(
    {"MISSING_MATCHING_ATTRIBUTES", "REQUIRED_ATTRIBUTE_EMPTY", "MISSING_DEPENDENCY", "INSERT_NOT_ALLOWED_FOR_SOURCE"}
)
"""An item with only these troubles is kept as a partial payload, where the caller allows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """``code`` as documented; ``message`` for people."""

    code: str
    message: str


class ItemRefused(Exception):
    """The item cannot be identified or stored."""

    def __init__(self, *issues: Issue) -> None:
        super().__init__("; ".join(issue.code for issue in issues))
        self.issues = issues


def invalid_source(source: str) -> Issue:
    """``source`` empty when none was given: the product then prints null."""
    told = f"In payload invalid data source [{source or 'null'}] exist. You need to provide a valid choice value from"
    return Issue(code="INVALID_INPUT_DATA", message=f"{told} field [discovery_source] in table [cmdb_ci]")


def invalid_sys_id(table: str, sys_id: str) -> Issue:
    told = f"Found invalid sys_id in payload. No record with sys_id [{sys_id}] exist in table [{table}]"
    return Issue(
        code="INVALID_INPUT_DATA",
        message=f"{told} or is a duplicate record with [duplicate_of] field set to a main CI",
    )


def no_such_relation_type(name: str) -> Issue:
    told = f"No such relationship with name [{name}] exist in table [cmdb_rel_type]. If out-of-box relationship for"
    return Issue(
        code="INVALID_INPUT_DATA", message=f"{told} [{name}] has been removed or renamed, it should be restored"
    )


def duplicate_relation_types(name: str, sys_ids: list[str]) -> Issue:
    told = f"Duplicate relationship type records exists with name [{name}] in table [cmdb_rel_type] having sys_ids:"
    return Issue(code="DUPLICATE_RELATIONSHIP_TYPES", message=f"{told} [{', '.join(sys_ids)}]")


def invalid_end(relation: str, end: str, value: int | str) -> Issue:
    message = f"Payload relations '{relation}' has invalid {end} record index: [{value}]"
    return Issue(code="INVALID_INPUT_DATA", message=message)


def unreadable_item(text: str) -> Issue:
    return Issue(code="ABANDONED", message=f"Error occurred during parsing input json payload: {text}")


def rule_missing(table: str) -> Issue:
    return Issue(code="IDENTIFICATION_RULE_MISSING", message=f"Identity Rule Missing for table [{table}]")


def sub_rule_missing(table: str, kind: str, class_name: str) -> Issue:
    """``kind``: Lookup or Related."""
    code = "IDENTIFICATION_RULE_FOR_LOOKUP_MISSING" if kind == "Lookup" else _RELATED_MISSING
    return Issue(code=code, message=f"Identity Rule for table [{table}] missing {kind} Rule for class [{class_name}]")


_RELATED_MISSING = "IDENTIFICATION_RULE_FOR_RELATED_ITEM_MISSING"


def matching_attributes_missing(table: str, item: str) -> Issue:
    told = "In payload missing minimum set of input values for criterion (matching) attributes from identify rule for"
    return Issue(
        code="MISSING_MATCHING_ATTRIBUTES",
        message=f"{told} table [{table}]. Add these input values in payload item '{item}'",
    )


def required_field_empty(table: str, element: str) -> Issue:
    told = f"Missing mandatory field [{element}] in table [{table}]. Add input value for mandatory field in payload"
    return Issue(code="REQUIRED_ATTRIBUTE_EMPTY", message=told)


def dependency_missing(table: str, rules: list[str], item: str) -> Issue:
    told = f"In payload no relations defined for dependent class [{table}] that matches any containment/hosting rules:"
    message = f"{told} [{', '.join(rules)}]. Add appropriate relations in payload for '{item}'"
    return Issue(code="MISSING_DEPENDENCY", message=message)


def metadata_rule_missing(table: str, item: str) -> Issue:
    told = f"No containment or hosting rules defined for dependent class [{table}]."
    return Issue(code="METADATA_RULE_MISSING", message=f"{told} Add containment/hosting rules for '{item}'")


def several_hosts(one: str, other: str) -> Issue:
    message = f"Found multiple dependent relation items [{one}] and [{other}] in payload"
    return Issue(code="MULTIPLE_DEPENDENCIES", message=message)


def qualification_loop(relation: str) -> Issue:
    message = f"Qualification chain has loop that contains relation '{relation}'"
    return Issue(code="QUALIFICATION_LOOP", message=message)


def host_failed(item: str, host: str) -> Issue:
    told = f"Abandoning processing payload item '{item}', since its depends on payload item '{host}' has errors"
    return Issue(code="ABANDONED", message=told)


def end_failed(item: str) -> Issue:
    return Issue(code="ABANDONED", message=f"While processing relations encountered errors in payload item: {item}")


def payload_failed(source: str) -> Issue:
    return Issue(code="ABANDONED", message=f"Detected error while processing payload from {source}")


def too_many_errors() -> Issue:
    return Issue(code="ABANDONED", message="Too many other errors")


def duplicate_items(one: int, other: int, table: str, elements: str) -> Issue:
    told = f"Found duplicate items in the payload (index {one} and {other}), using className [{table}] and fields"
    message = f"{told} [{elements}]. Remove duplicate items from payload"
    return Issue(code="DUPLICATE_PAYLOAD_RECORDS", message=message)


def duplicate_sub_items(code: str, table: str, elements: str) -> Issue:
    told = f"Found duplicate items in the payload, using className [{table}] and fields [{elements}]."
    return Issue(code=code, message=f"{told} Remove duplicate items from payload")


def too_many_matches(table: str, elements: str) -> Issue:
    message = f"Found duplicate records in table [{table}] using fields [{elements}]"
    return Issue(code="MULTIPLE_DUPLICATE_RECORDS", message=message)


def several_dependents(relation: str, class_name: str, sys_id: str) -> Issue:
    told = f"Duplicate dependent records found having relationship [{relation}] with same CI"
    return Issue(code="MULTI_MATCH", message=f"{told} (className:[{class_name}], sysId:[{sys_id}])")


def insert_blocked(table: str, source: str) -> Issue:
    message = f"Insert into [{table}] is blocked for data source [{source}] by IRE data source rule"
    return Issue(code="INSERT_NOT_ALLOWED_FOR_SOURCE", message=message)


def reclassification_refused(old: str, new: str) -> Issue:
    message = f"CI Reclassification not allowed from class: [{old}] to [{new}]"
    return Issue(code="RECLASSIFICATION_NOT_ALLOWED", message=message)


def reference_unknown(element: str, value: str) -> Issue:
    message = f"Reference field [{element}] does not accept [{value}]: no such record"
    return Issue(code="INVALID_REFERENCE", message=message)
