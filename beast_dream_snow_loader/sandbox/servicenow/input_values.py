"""Display values on the way in: labels to choice values, names to references, local times to UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from beast_dream_snow_loader.sandbox.servicenow.dictionary import FieldDefinition
from beast_dream_snow_loader.sandbox.servicenow.moments import parse_moment
from beast_dream_snow_loader.sandbox.servicenow.records import Instance
from beast_dream_snow_loader.sandbox.servicenow.values import DATE_TIME_FORMAT, to_text


def from_display(instance: Instance, table: str, values: Mapping[str, object], offset_hours: int) -> dict[str, object]:
    """``sysparm_input_display_value=true``. A name several records bear takes one of them, a name none bears clears."""
    fields = instance.fields(table)
    return {
        element: _stored(instance, fields[element], to_text(value), offset_hours) if element in fields else value
        for element, value in values.items()
    }


def _stored(instance: Instance, definition: FieldDefinition, text: str, offset_hours: int) -> str:
    if definition.type == "glide_date_time":
        moment = parse_moment(text)
        return (moment - timedelta(hours=offset_hours)).strftime(DATE_TIME_FORMAT) if moment else text
    return resolve(instance, definition, text)


def resolve(instance: Instance, definition: FieldDefinition, text: str) -> str:
    """A label or name as the value stored for it; a value that is one already stays."""
    if definition.choice:
        labels = instance.choices(definition)
        return next((value for value, label in labels.items() if label.casefold() == text.casefold()), text)
    if definition.is_reference and text and definition.reference in instance.tables:
        if instance.get(definition.reference, text) is not None:
            return text
        element = instance.dictionary.display_element(definition.reference)
        found = instance.find(definition.reference, **{element: text})
        return found[0]["sys_id"] if found else ""
    return text
