"""What becomes of the values of a write before they are stored: which are taken, which follow, which are first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from beast_dream_snow_loader.sandbox.servicenow.dictionary import FieldDefinition
from beast_dream_snow_loader.sandbox.servicenow.values import coerce

ENGINE_FIELDS = frozenset(
    {"sys_id", "sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count"}
    | {"sys_class_name", "sys_tags"}
)
"""Set by the database itself, whatever is sent."""

Choices = Callable[[FieldDefinition], Mapping[str, str]]


def accepted(
    fields: Mapping[str, FieldDefinition], values: Mapping[str, object], choices: Choices | None
) -> dict[str, str]:
    """The values that stick. Dropped in silence: unknown and read-only fields, unknown choice values.

    ``choices`` None lets any choice value through (glide.rest.choice.allow_non_existing_value).
    """
    kept: dict[str, str] = {}
    for element, value in values.items():
        definition = fields.get(element)
        if definition is None or element in ENGINE_FIELDS or definition.read_only:
            continue
        text = coerce(definition, value)
        allowed = choices(definition) if choices and definition.choice and text else {}
        if not allowed or text in allowed:
            kept[element] = text
    return kept


def defaults(
    fields: Mapping[str, FieldDefinition], first: Mapping[str, str], sent: Mapping[str, object]
) -> dict[str, str]:
    """What a new record gets for fields nobody sent. A choice sent and dropped leaves its field empty."""
    filled = {name: found.default for name, found in fields.items() if found.default}
    return {name: value for name, value in {**filled, **first}.items() if name not in sent}


def birth(sys_id: str, moment: str, user: str, class_name: str) -> dict[str, str]:
    """The system fields of a new record; ``class_name`` is empty for tables that keep none."""
    return {
        "sys_id": sys_id,
        "sys_created_on": moment,
        "sys_created_by": user,
        "sys_updated_on": moment,
        "sys_updated_by": user,
        "sys_mod_count": "0",
        "sys_class_name": class_name,
    }
