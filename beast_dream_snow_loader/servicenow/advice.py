"""What to do about an answer of the identification engine that asking again does not change (cmdb-model 2.9)."""

from __future__ import annotations

from collections.abc import Mapping

from beast_dream_snow_loader.servicenow.apis.ire_results import Issue

_NEXT: Mapping[str, str] = {
    "INSERT_NOT_ALLOWED_FOR_SOURCE": (
        "An IRE data source rule keeps this discovery source from inserting into the class: ask the CMDB's owner to "
        "allow it, or name another class under mapping.class_map."
    ),
    "MISSING_MATCHING_ATTRIBUTES": "Give the record in UniFi what the identification rule asks for.",
    "REQUIRED_ATTRIBUTE_EMPTY": (
        "The instance demands a field for which UniFi has no value: fill it by mapping.extra_fields, or ask the CMDB's "
        "owner not to demand it."
    ),
    "RECLASSIFICATION_NOT_ALLOWED": "The instance allows no such class change: the class must be changed by hand.",
    "LOCK_TIMEOUT": "Another job held the lock twice: the next load sends it again.",
    "INSERT_AS_PARTIAL": "It waits on the instance and is not in the CMDB.",
    "INSERT_AS_INCOMPLETE": "It is in the instance's log only, not in the CMDB.",
}


def advised(issue: Issue) -> str:
    """The engine's words and the next step."""
    return " ".join(part for part in (issue.message, _NEXT.get(issue.code, "")) if part)
