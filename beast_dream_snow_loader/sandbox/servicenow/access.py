"""Who may read and write which table: the shipped access rules, as far as they were seen from outside.

Refusals differ by table on a real instance, and so they do here: some lists are empty for an ordinary user, others 403.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from beast_dream_snow_loader.sandbox.servicenow.calls import Account

_ADMIN_SEES = frozenset({"sys_dictionary", "sys_properties"})
_NEEDS_A_ROLE = frozenset({"sys_db_object", "sys_rate_limit_rules"})
_ADMIN_WRITES = frozenset({"cmdb_rel_type", "cmdb_rel_type_suggest", "cmdb_model_category"})
_ROLELESS_CHOICE_FIELDS = frozenset({"label"})
_OPEN_TO_ALL = ("sys_choice", "sys_user", "core_company", "cmn_location", "cmn_department")


class Reading(Enum):
    ALL = "all"
    EMPTY = "empty"
    """200 and no rows, though the count in the header is the true one."""
    REFUSED = "refused"
    """403."""


def reading(account: Account, table: str, changed: Mapping[str, str]) -> Reading:
    """``changed`` are tables whose access rule is another here (``Options.table_reading``)."""
    if account.is_admin:
        return Reading.ALL
    if table in changed:
        return Reading(changed[table])
    if table in _ADMIN_SEES:
        return Reading.EMPTY
    if account.has("itil", "asset"):
        return Reading.ALL
    if table in _NEEDS_A_ROLE:
        return Reading.REFUSED
    return Reading.ALL if table.startswith(_OPEN_TO_ALL) else Reading.EMPTY


def readable_fields(account: Account, table: str) -> frozenset[str] | None:
    """None for every field."""
    if table == "sys_choice" and not account.has("itil", "asset"):
        return _ROLELESS_CHOICE_FIELDS
    return None


def may_write(account: Account, table: str) -> bool:
    if account.is_admin:
        return True
    if table in _ADMIN_WRITES or table.startswith("sys_"):
        return False
    return account.has("itil") or (account.has("asset") and table.startswith(("cmdb_", "core_", "cmn_")))
