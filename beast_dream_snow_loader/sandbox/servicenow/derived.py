"""Fields the instance computes itself, as its shipped business rules do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

# (impact, urgency) to priority, the shipped lookup rules.
_PRIORITY = {
    ("1", "1"): "1", ("1", "2"): "2", ("2", "1"): "2", ("1", "3"): "3", ("2", "2"): "3",
    ("3", "1"): "3", ("2", "3"): "4", ("3", "2"): "4", ("3", "3"): "5",
}  # fmt: skip
_INACTIVE_INCIDENT = frozenset({"7", "8"})

Namer = Callable[[str, str], str]
"""(table, sys_id) to the record's display value."""


def derive(table: str, row: dict[str, str], name_of: Namer) -> None:
    """Fill in what follows from other fields of ``row``; what was sent for such a field is overwritten."""
    if table == "incident":
        _incident(row)
    elif table == "cmn_location":
        parent = name_of("cmn_location", row.get("parent", ""))
        row["full_name"] = f"{parent}/{row.get('name', '')}" if parent else row.get("name", "")
    elif table.startswith("cmdb_") and table.endswith("model") and not row.get("display_name"):
        maker = name_of("core_company", row.get("manufacturer", ""))
        row["display_name"] = f"{maker} {row.get('name', '')}".strip()


def _incident(row: dict[str, str]) -> None:
    priority = _PRIORITY.get((row.get("impact", ""), row.get("urgency", "")))
    if priority:
        row["priority"] = priority
    row["incident_state"] = row.get("state", "")
    row["active"] = "false" if row.get("state") in _INACTIVE_INCIDENT else "true"


def first_values(table: str, moment: str, user_sys_id: str, number: Callable[[], str]) -> Mapping[str, str]:
    """Values a new record gets when none were sent, beyond the dictionary's defaults."""
    if table != "incident":
        return {}
    return {"number": number(), "opened_at": moment, "opened_by": user_sys_id}
